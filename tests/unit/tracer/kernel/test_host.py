from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_podtrace.wire.fields import MAX_TEXT
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.refusal import RefusedError


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A node that can be traced."""
    files = {
        "sys/kernel/btf/vmlinux": "",
        "sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
        "proc/sys/kernel/random/boot_id": "0b5e\n",
        "proc/self/ns/pid": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Host(root=tmp_path, release="6.1.0-18-amd64", machine="x86_64", is_root=True)


def refusal_of(host: Host) -> tuple[str, str, str]:
    with pytest.raises(RefusedError) as caught:
        host.check()
    record = caught.value.record
    return record.slug, record.text, record.hint


def test_a_node_with_all_that_is_needed_passes(host: Host) -> None:
    host.check()


@pytest.mark.parametrize(
    ("capabilities", "lacking"),
    [
        ("000001ffffffffff", ""),
        ("0000000000200000", ""),  # SYS_ADMIN alone
        ("000000c000000000", ""),  # BPF and PERFMON
        ("0000004000000000", "CAP_BPF"),
        ("00000000a80425fb", "CAP_PERFMON and CAP_BPF"),  # a container's usual ones
    ],
)
def test_what_the_tracer_may_not_do_is_named(host: Host, capabilities: str, lacking: str) -> None:
    (host.proc / "self/status").write_text(f"Name:\tpython3\nCapEff:\t{capabilities}\nCapBnd:\t0\n")
    if not lacking:
        return host.check()
    slug, text, _ = refusal_of(host)
    assert (slug, text) == ("no-capability", f"the tracer does not have {lacking}")
    return None


@pytest.mark.parametrize("release", ["5.8.0", "5.10.0-30-amd64", "6.1", "6.12-rc3", "6.12.0+", "10.0.1-custom"])
def test_kernels_from_5_8_on_pass(host: Host, release: str) -> None:
    replace(host, release=release).check()


@pytest.mark.parametrize("release", ["5.7.19", "4.19.0-27-cloud-amd64", "3.10.0-1160.el7.x86_64"])
def test_an_older_kernel_is_refused_by_its_release(host: Host, release: str) -> None:
    slug, text, hint = refusal_of(replace(host, release=release))
    assert slug == "old-kernel"
    assert release in text
    assert hint


def test_a_kernel_without_type_information_is_refused(host: Host) -> None:
    host.btf.unlink()
    slug, text, hint = refusal_of(host)
    assert slug == "no-btf"
    assert host.release in text
    assert "CONFIG_DEBUG_INFO_BTF" in hint


def test_everyone_but_root_is_refused(host: Host) -> None:
    assert refusal_of(replace(host, is_root=False))[0] == "not-root"


def test_a_kernel_locked_down_for_confidentiality_is_refused_and_other_lockdown_is_not(host: Host) -> None:
    (host.root / "sys/kernel/security/lockdown").write_text("none integrity [confidentiality]\n")
    slug, _, hint = refusal_of(host)
    assert slug == "lockdown"
    assert "integrity" in hint


@pytest.mark.parametrize("machine", ["riscv64", "ppc64le", "i686"])
def test_another_processor_is_refused_by_its_name(host: Host, machine: str) -> None:
    slug, text, _ = refusal_of(replace(host, machine=machine))
    assert slug == "machine"
    assert machine in text


def test_arm64_passes(host: Host) -> None:
    replace(host, machine="aarch64").check()


def test_a_node_tells_its_boot_and_pid_namespaces(host: Host) -> None:
    assert host.boot_id() == "0b5e"
    assert host.pid_namespace() == (host.root / "proc/self/ns/pid").stat().st_ino
    (host.root / "proc/sys/kernel/random/boot_id").unlink()
    assert host.boot_id() == ""


def test_here_is_this_machine() -> None:
    here = Host.here()
    assert (here.root, here.release, here.machine) == (Path("/"), os.uname().release, os.uname().machine)
    assert here.is_root == (os.geteuid() == 0)
    assert (here.proc, here.cgroups) == (Path("/proc"), Path("/sys/fs/cgroup"))


def test_a_refusal_s_text_is_bounded() -> None:
    record = RefusedError("compile", "x" * 5000, "y" * 5000).record
    assert (len(record.text), len(record.hint)) == (MAX_TEXT, MAX_TEXT)
