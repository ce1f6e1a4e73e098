"""What the node is: facts from /proc and /sys, read below a root so that tests can hand in another one."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from podtrace_tracer.kernel.syscall_numbers import MACHINES
from podtrace_tracer.refusal import RefusedError

OLDEST_KERNEL = (5, 8)
_SYS_ADMIN, _NEEDED = 21, {"CAP_PERFMON": 38, "CAP_BPF": 39}
"""Numbers of capabilities (include/uapi/linux/capability.h); the first one stands for the others, too."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """The node that this process runs on. `root` stands above proc and sys."""

    root: Path
    release: str
    machine: str
    is_root: bool

    @classmethod
    def here(cls) -> Host:
        """The machine that this runs on."""
        kernel = os.uname()
        return cls(root=Path("/"), release=kernel.release, machine=kernel.machine, is_root=os.geteuid() == 0)

    @property
    def btf(self) -> Path:
        """Where the kernel gives its types."""
        return self.root / "sys/kernel/btf/vmlinux"

    @property
    def cgroups(self) -> Path:
        """Where the cgroup hierarchies are mounted."""
        return self.root / "sys/fs/cgroup"

    @property
    def proc(self) -> Path:
        """The process file system."""
        return self.root / "proc"

    def boot_id(self) -> str:
        """Tells one boot of a node from another; empty where the kernel does not say."""
        return self._text("proc/sys/kernel/random/boot_id")

    def pid_namespace(self, pid: int | str = "self") -> int:
        """The inode number of a process's pid namespace."""
        return (self.proc / str(pid) / "ns/pid").stat().st_ino

    def has_process(self, pid: int) -> bool:
        """Does a process run under this pid now?"""
        return (self.proc / str(pid)).exists()

    def check(self) -> None:
        """Raises RefusedError when no tracing is possible here."""
        version = tuple(int(part) for part in self.release.split("-")[0].split(".")[:2] if part.isdigit())
        if self.machine not in MACHINES:
            raise RefusedError(
                "machine", f"the node's processor is {self.machine}", "x86-64 and arm64 nodes can be traced"
            )
        if version < OLDEST_KERNEL:
            oldest = ".".join(str(part) for part in OLDEST_KERNEL)
            raise RefusedError(
                "old-kernel",
                f"the node's kernel is {self.release}; tracing needs {oldest} or newer",
                "trace a pod on a node with a newer kernel",
            )
        if not self.is_root:
            raise RefusedError("not-root", "the tracer does not run as root", "tracing needs root on the node")
        lacking = self._lacking()
        if lacking:
            raise RefusedError(
                "no-capability",
                f"the tracer does not have {' and '.join(lacking)}",
                "did a policy take it away? root in a container needs it, too",
            )
        if "[confidentiality]" in self._text("sys/kernel/security/lockdown"):
            raise RefusedError(
                "lockdown",
                "the node's kernel is locked down (confidentiality), which forbids programs that read its memory",
                "boot the node with lockdown=integrity or without lockdown",
            )
        if not self.btf.exists():
            raise RefusedError(
                "no-btf",
                f"the node's kernel {self.release} has no type information ({self.btf})",
                "tracing needs a kernel built with CONFIG_DEBUG_INFO_BTF, as those of current distributions are",
            )

    def _lacking(self) -> list[str]:
        found = re.search(r"^CapEff:\s*([0-9a-f]+)$", self._text("proc/self/status"), re.MULTILINE)
        has = int(found[1], 16) if found else ~0
        return [] if has >> _SYS_ADMIN & 1 else [name for name, number in _NEEDED.items() if not has >> number & 1]

    def _text(self, path: str) -> str:
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""
