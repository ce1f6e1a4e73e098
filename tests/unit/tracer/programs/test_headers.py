"""The generated header tree: its text for a small kernel written for the test, and that a C compiler accepts it."""

from __future__ import annotations

import contextlib
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtrace_tracer.kernel.btf import Btf, BtfError
from podtrace_tracer.programs.headers import HeadersError, Tree, btf_header, kernel_version_code, write_tree
from tests.unit.tracer.btf_blob import BtfBlob, small_kernel

VMLINUX = Path("/sys/kernel/btf/vmlinux")
COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler on this machine")
needs_kernel_btf = pytest.mark.skipif(not VMLINUX.exists(), reason="this kernel publishes no BTF")

WANTED = {
    "task": ["pid", "files", "comm", "high", "live.counter", "dumpable", "exiting", "where", "odd", "state"],
    "place": ["node", "zone"],
    "ghost": ["x"],
}


@pytest.fixture
def btf() -> Btf:
    return Btf.parse(small_kernel().to_bytes())


@pytest.fixture
def header(btf: Btf) -> str:
    return btf_header(btf, WANTED)[0]


def write(directory: Path, btf: Btf, wanted: Mapping[str, Sequence[str]], machine: str = "x86_64") -> Tree:
    return write_tree(directory, btf, wanted, release="6.1.0-18-amd64", machine=machine)


def compile_with(tree: Tree, source: str) -> None:
    assert COMPILER is not None
    include = tree.path / "include"
    flags = ["-std=gnu11", "-Wall", "-Werror", "-fsyntax-only", "-nostdinc", "-I", str(include), "-x", "c", "-"]
    command = [COMPILER, "-include", str(include / "linux/kconfig.h"), *flags]
    done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_the_kernel_lacks_is_listed(tmp_path: Path, btf: Btf) -> None:
    tree = write(tmp_path, btf, WANTED)
    assert tree.missing == ("task.state", "ghost")


def test_each_field_is_asserted_to_lie_where_btf_says(header: str) -> None:
    for field, offset, size in (("pid", 0, 4), ("files", 8, 8), ("comm", 16, 16), ("high", 36, 4), ("where", 48, 12)):
        assert (
            f"_Static_assert(__builtin_offsetof(struct task, {field}) == {offset} && "
            f"sizeof(((struct task *)0)->{field}) == {size}" in header
        )
    assert "_Static_assert(sizeof(struct task) == 68" in header


def test_what_is_there_has_a_macro_and_what_is_not_has_none(header: str) -> None:
    for name in ("task", "task__pid", "task__live__counter", "task__exiting", "place", "place__zone"):
        assert f"#define HAVE_{name} 1\n" in header
    for name in ("task__state", "ghost"):
        assert f"HAVE_{name}" not in header


def test_each_struct_has_the_kernels_number_for_it(header: str, btf: Btf) -> None:
    place, task = btf.struct("place"), btf.struct("task")
    assert f"_Generic((pointer), struct task *: {task}, struct place *: {place})" in header


def test_a_bit_field_is_a_place_and_no_member(header: str) -> None:
    assert "#define BF_OFF_task__exiting 355\n#define BF_SIZE_task__exiting 1\n" in header
    assert " exiting;" not in header


def test_types_are_spelled_by_their_width(header: str) -> None:
    assert "struct { s32 pid; };" in header
    assert "struct { u8 podtrace_before_files[8]; struct files *files; }" in header
    assert "char comm[16];" in header
    assert "struct place where;" in header


def test_only_a_field_that_c_would_not_align_so_is_packed(header: str) -> None:
    packed = [line for line in header.splitlines() if "packed" in line]
    # The size of 68 bytes is no multiple of a pointer's alignment; and `odd` lies at 61.
    assert [line.split(";")[-3].split()[-1] for line in packed] == ["*files", "odd"]


def test_structs_held_by_value_are_defined_first(header: str) -> None:
    assert header.index("struct place {") < header.index("struct task {")


def test_a_struct_that_is_not_wanted_is_held_as_bytes(btf: Btf) -> None:
    header, _missing = btf_header(btf, {"task": ["where"]})
    assert "u8 where[12];" in header
    assert "struct place" not in header


def test_the_tree_is_one_that_bcc_takes_for_a_kernels(tmp_path: Path, btf: Btf) -> None:
    include = write(tmp_path / "new" / "tree", btf, WANTED).path / "include"
    assert (include / "linux/kconfig.h").is_file()
    assert f"#define LINUX_VERSION_CODE {0x060100}\n" in (include / "linux/version.h").read_text()


def test_a_page_is_as_large_as_the_machines(tmp_path: Path, btf: Btf) -> None:
    tree = write_tree(tmp_path, btf, {}, release="6.1", machine="aarch64", page_bytes=65536)
    page = (tree.path / "include/asm/page.h").read_text()
    assert page == "#define PAGE_SHIFT 16\n#define PAGE_SIZE 65536UL\n"


def test_an_unknown_machine_is_refused_before_anything_is_written(tmp_path: Path, btf: Btf) -> None:
    with pytest.raises(HeadersError, match="riscv64"):
        write(tmp_path / "tree", btf, WANTED, machine="riscv64")
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize(
    ("release", "code"),
    [("5.10.262", 0x050AFF), ("6.1.0-18-amd64", 0x060100), ("6.12", 0x060C00), ("6.18.44-fc-v595", 0x06122C)],
)
def test_a_release_is_read_as_a_version_code(release: str, code: int) -> None:
    assert kernel_version_code(release) == code


@pytest.mark.parametrize("release", ["", "6", "next-6.1", "six.one"])
def test_a_release_without_a_version_is_refused(release: str) -> None:
    with pytest.raises(HeadersError, match="does not start with a version"):
        kernel_version_code(release)


def test_structs_that_hold_each_other_by_value_end_in_an_error() -> None:
    blob = BtfBlob()
    blob.struct("hen", 8, [("egg", 2, 0)])
    blob.struct("egg", 8, [("hen", 1, 0)])
    with pytest.raises(BtfError, match="holds itself"):
        btf_header(Btf.parse(blob.to_bytes()), {"hen": ["egg"], "egg": ["hen"]})


@pytest.mark.parametrize("loop", ["pointer", "array"])
def test_a_type_that_leads_to_itself_ends_in_an_error(loop: str) -> None:
    blob = BtfBlob()
    blob.struct("odd", 8, [("x", 2, 0)])
    blob.pointer(2) if loop == "pointer" else blob.array(2, 1)
    with pytest.raises(BtfError, match="nested too deeply"):
        btf_header(Btf.parse(blob.to_bytes()), {"odd": ["x"]})


def test_a_pointer_to_a_type_that_c_cannot_name_points_to_nothing_in_particular() -> None:
    blob = BtfBlob()
    rust = blob.struct("core::fmt::Arguments", 8, [])
    blob.struct("odd", 8, [("x", blob.pointer(rust), 0)])
    header, _missing = btf_header(Btf.parse(blob.to_bytes()), {"odd": ["x"]})
    assert "struct { void *x; };" in header


@given(
    st.lists(st.tuples(st.integers(min_value=24, max_value=400), st.integers(min_value=0, max_value=255)), max_size=8)
)
def test_a_damaged_file_raises_nothing_but_its_own_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(small_kernel().to_bytes())
    for at, value in changes:
        data[at] = value
    with contextlib.suppress(BtfError):
        btf_header(Btf.parse(bytes(data)), WANTED)


@needs_compiler
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("wanted", [WANTED, {}], ids=["structs", "nothing"])
def test_a_compiler_finds_every_offset_and_the_missing_struct_stays_opaque(
    tmp_path: Path, btf: Btf, machine: str, wanted: dict[str, list[str]]
) -> None:
    includes = "".join(
        f"#include <{name}>\n"
        for name in (
            "linux/version.h", "linux/log2.h", "linux/bpf_common.h", "asm/page.h", "uapi/linux/bpf.h",
            "uapi/linux/if_packet.h", "uapi/linux/ptrace.h", "uapi/linux/bpf_perf_event.h", "podtrace/btf.h",
        )
    )  # fmt: skip
    source = """
    _Static_assert(roundup_pow_of_two(1) == 1 && roundup_pow_of_two(5) == 8 && roundup_pow_of_two(64) == 64, "");
    _Static_assert(LINUX_VERSION_CODE == KERNEL_VERSION(6, 1, 0), "");
    #ifdef HAVE_task__where
    u32 zone_of(struct task *task, struct ghost *ghost) { return task->where.zone + task->live__counter; }
    #endif
    """
    compile_with(write(tmp_path, btf, wanted, machine), includes + source)


@needs_compiler
@needs_kernel_btf
def test_a_compiler_accepts_whole_structs_of_the_running_kernel(tmp_path: Path) -> None:
    btf = Btf.load(VMLINUX)
    names = ("task_struct", "sock", "tcp_sock", "sk_buff", "file", "dentry", "pid", "upid", "ethhdr", "spinlock")
    wanted = {name: members_of(btf, btf.struct(name)) for name in names}
    tree = write_tree(tmp_path, btf, wanted, release=platform.release(), machine="x86_64")
    assert tree.missing == ()
    compile_with(tree, "#include <podtrace/btf.h>\n")


def members_of(btf: Btf, type_id: int | None) -> list[str]:
    assert type_id is not None
    names = []
    for member in btf.members(type_id):
        names += [member.name] if member.name else members_of(btf, btf.resolve(member.type_id))
    return names
