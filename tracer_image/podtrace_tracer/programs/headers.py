"""Writing the directory that bcc takes for a kernel's source tree.

It holds a few fixed headers (``kernel_tree/``), and one which is made from the kernel's own BTF: the structs that the
programs name, each with only the fields that they name, each field at the place where this kernel has it.
"""

from __future__ import annotations

import mmap
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from podtrace_tracer.kernel.btf import AGGREGATES, Btf, BtfError, BtfType, Field, Kind
from podtrace_tracer.kernel.syscall_numbers import MACHINES

_FIXED_TREE = Path(__file__).parents[1] / "kernel_tree"
_MAX_DEPTH = 16
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_INTEGERS = {
    (1, False): "u8",
    (2, False): "u16",
    (4, False): "u32",
    (8, False): "u64",
    (1, True): "s8",
    (2, True): "s16",
    (4, True): "s32",
    (8, True): "s64",
}


class HeadersError(Exception):
    """No tree can be written for this kernel: its machine or its release is not one that the tracer knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """A written tree, and what this kernel lacks of the wanted ``struct`` and ``struct.field``."""

    path: Path
    missing: tuple[str, ...]


def kernel_version_code(release: str) -> int:
    """Return a release such as ``6.1.0-18-amd64`` as ``LINUX_VERSION_CODE``; the third number is cut at 255."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release, re.ASCII)
    if match is None:
        raise HeadersError(f"the kernel's release {release!r} does not start with a version")
    major, minor, patch = (int(number) for number in match.groups(default="0"))
    return (major << 16) + (minor << 8) + min(patch, 255)


def write_tree(
    directory: Path,
    btf: Btf,
    wanted: Mapping[str, Sequence[str]],
    *,
    release: str,
    machine: str,
    page_bytes: int = mmap.PAGESIZE,
) -> Tree:
    """Write a tree for this kernel into ``directory``.

    ``wanted`` gives the fields by struct, nested ones as dotted paths. Programs include ``<podtrace/btf.h>``. Raises
    ``BtfError``, ``HeadersError`` and ``OSError``.
    """
    if machine not in MACHINES:
        raise HeadersError(f"machine {machine!r} is none of {', '.join(MACHINES)}")
    version = kernel_version_code(release)
    header, missing = btf_header(btf, wanted)
    for part in ("any", machine):
        shutil.copytree(_FIXED_TREE / part, directory, dirs_exist_ok=True)
    include = directory / "include"
    generated = {
        "linux/version.h": f"#define LINUX_VERSION_CODE {version}\n"
        "#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))\n",
        "asm/page.h": f"#define PAGE_SHIFT {page_bytes.bit_length() - 1}\n#define PAGE_SIZE {page_bytes}UL\n",
        "podtrace/btf.h": header,
    }
    for name, text in generated.items():
        path = include / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Tree(path=directory, missing=missing)


def btf_header(btf: Btf, wanted: Mapping[str, Sequence[str]]) -> tuple[str, tuple[str, ...]]:
    """Return the text of ``podtrace/btf.h``, and what is missing.

    For the programs, a struct that is there has ``HAVE_struct``, and a field ``HAVE_struct__field``; dots in a path
    become ``__``. ``BTF_ID(pointer)`` is the kernel's number for the struct that a pointer is to.
    A bit-field has no member but its place in bits, ``BF_OFF_struct__field`` and ``BF_SIZE_...``.
    """
    writer = _Writer(btf, wanted)
    for name in wanted:
        writer.add_struct(name)
    return writer.text(), tuple(writer.missing)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Declarator:
    """How C declares a field: what goes before its name, what behind, and the alignment which it asks for."""

    before: str
    behind: str = ""
    align: int = 1


class _Writer:
    """Collects the parts of the header: macros, forward declarations, definitions, assertions."""

    def __init__(self, btf: Btf, wanted: Mapping[str, Sequence[str]]) -> None:
        self.missing: list[str] = []
        self._btf = btf
        self._wanted = wanted
        self._macros: list[str] = []
        self._declarations: set[str] = set()
        self._definitions: list[str] = []
        self._assertions: list[str] = []
        self._numbers: list[str] = []
        # By name; None while the struct is being written.
        self._aligns: dict[str, int | None] = {}
        ids = {name: btf.struct(name) for name in wanted}
        self._names = {type_id: name for name, type_id in reversed(ids.items()) if type_id is not None}

    def text(self) -> str:
        """Return the whole header; every definition stands behind those of the structs it holds by value."""
        declarations = [f"{spelling};" for spelling in sorted(self._declarations)]
        choices = ", ".join(["(pointer)", *self._numbers])
        numbers = [f"#define BTF_ID(pointer) _Generic({choices})"] if self._numbers else []
        parts = [self._macros, declarations, self._definitions, self._assertions, numbers]
        body = "\n\n".join("\n".join(part) for part in parts if part)
        return f"#ifndef PODTRACE_BTF_H\n#define PODTRACE_BTF_H\n\n#include <linux/types.h>\n\n{body}\n\n#endif\n"

    def add_struct(self, name: str) -> int:
        """Define a wanted struct, and before it those which it holds by value; return its alignment."""
        if name in self._aligns:
            align = self._aligns[name]
            if align is None:
                raise BtfError(f"struct {name} holds itself")
            return align
        self._aligns[name] = None
        type_id = self._btf.struct(name)
        if type_id is None:
            # Programs may still hold pointers to it.
            self._declarations.add(f"struct {name}")
            self.missing.append(name)
            align = 1
        else:
            align = self._define(name, type_id)
        self._aligns[name] = align
        return align

    def _define(self, name: str, type_id: int) -> int:
        size = self._btf.size(type_id)
        spelling = _spelling(self._btf.type(type_id), name)
        self._macros.append(f"#define HAVE_{name} 1")
        self._numbers.append(f"{spelling} *: {type_id}")
        lines, aligns = [], [1]
        for path in dict.fromkeys(self._wanted[name]):
            found = self._btf.field(name, path)
            if found is None:
                self.missing.append(f"{name}.{path}")
                continue
            member = path.replace(".", "__")
            self._macros.append(f"#define HAVE_{name}__{member} 1")
            if found.is_bit_field:
                self._macros.append(f"#define BF_OFF_{name}__{member} {found.offset_bits}")
                self._macros.append(f"#define BF_SIZE_{name}__{member} {found.size_bits}")
                continue
            declarator = self._declarator(found.type_id, _MAX_DEPTH)
            if not declarator.align:
                raise BtfError(f"the field {name}.{path} has no size")
            # A packed member is read byte by byte, so it is packed only where C could not place it otherwise.
            is_aligned = found.offset_bytes % declarator.align == 0 and size % declarator.align == 0
            aligns.append(declarator.align if is_aligned else 1)
            lines.append(_member(member, found, declarator, is_packed=not is_aligned))
            self._assert_place(spelling, member, found)
        lines.append(f"\t\tu8 podtrace_size[{size}];")
        self._definitions.append("\n".join([f"{spelling} {{", "\tunion {", *lines, "\t};", "};"]))
        self._assertions.append(f'_Static_assert(sizeof({spelling}) == {size}, "{name}");')
        return max(aligns)

    def _assert_place(self, spelling: str, member: str, found: Field) -> None:
        offset, size = found.offset_bytes, found.size_bits // 8
        self._assertions.append(
            f"_Static_assert(__builtin_offsetof({spelling}, {member}) == {offset} && "
            f'sizeof((({spelling} *)0)->{member}) == {size}, "{spelling}.{member}");'
        )

    def _declarator(self, type_id: int, depth: int) -> _Declarator:
        if not depth:
            raise BtfError(f"type {type_id} is nested too deeply")
        resolved = self._btf.resolve(type_id)
        record = self._btf.type(resolved)
        if record.kind is Kind.ARRAY:
            element, count = self._btf.element(record)
            inner = self._declarator(element, depth - 1)
            return _Declarator(before=inner.before, behind=f"[{count}]{inner.behind}", align=inner.align)
        if record.kind is Kind.PTR:
            return _Declarator(before=self._pointer(record, depth), align=8)
        if record.kind in AGGREGATES and resolved in self._names:
            name = self._names[resolved]
            return _Declarator(before=f"{_spelling(record, name)} ", align=self.add_struct(name))
        integer = self._integer(record)
        if integer is not None:
            return _Declarator(before=f"{integer} ", align=record.size_or_type)
        return _Declarator(before="u8 ", behind=f"[{self._btf.size(resolved)}]")

    def _pointer(self, pointer: BtfType, depth: int) -> str:
        if not depth:
            raise BtfError("a pointer is nested too deeply")
        resolved = self._btf.resolve(pointer.size_or_type)
        target = self._btf.type(resolved)
        if target.kind is Kind.PTR:
            return self._pointer(target, depth - 1) + "*"
        if target.kind in AGGREGATES or target.kind is Kind.FWD:
            name = self._names.get(resolved, target.name)
            if _IDENTIFIER.fullmatch(name):
                spelling = _spelling(target, name)
                self._declarations.add(spelling)
                return f"{spelling} *"
        return f"{self._integer(target) or 'void'} *"

    def _integer(self, record: BtfType) -> str | None:
        """Spell an integer or enum by its width; None for anything else, and for widths that C has no name for."""
        if record.kind is Kind.INT and record.name == "char":
            return "char"
        if record.kind in (Kind.INT, Kind.ENUM, Kind.ENUM64):
            return _INTEGERS.get((record.size_or_type, self._btf.is_signed(record)))
        return None


def _spelling(record: BtfType, name: str) -> str:
    is_union = record.kind is Kind.UNION or (record.kind is Kind.FWD and record.flag)
    return f"union {name}" if is_union else f"struct {name}"


def _member(name: str, found: Field, declarator: _Declarator, *, is_packed: bool) -> str:
    """Declare a field behind as many bytes as lie before it; the struct around it has no name, so C looks through."""
    padding = f"u8 podtrace_before_{name}[{found.offset_bytes}]; " if found.offset_bytes else ""
    packed = " __attribute__((packed))" if is_packed else ""
    return f"\t\tstruct {{ {padding}{declarator.before}{name}{declarator.behind}; }}{packed};"
