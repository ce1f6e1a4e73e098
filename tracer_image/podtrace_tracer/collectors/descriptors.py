"""descriptors: what came to be and ceased to be, by kind, whichever call did it."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors import io_uring
from podtrace_tracer.collectors.model import Collector
from podtrace_tracer.kernel.syscalls import ACCEPTS, EXECS, MAKE_AND_CLOSE, OPENS

COLLECTOR: Final = Collector(
    topic="descriptors",
    sources=(
        "include/openers.bpf.h",
        "include/kinds.bpf.h",
        "include/descriptor_tables.bpf.h",
        "collectors/descriptors.bpf.c",
        "collectors/received.bpf.c",
        "collectors/openers.bpf.c",
        "collectors/callers.bpf.c",
        io_uring.SOURCE,
    ),
    syscalls=OPENS | ACCEPTS | EXECS | MAKE_AND_CLOSE | {"close", "recvmsg", "recvmmsg"},
    probes=io_uring.PROBES,
    structs={
        **io_uring.STRUCTS,
        "fdtable": ("open_fds", "close_on_exec"),
        "dentry": ("d_op",),
        "dentry_operations": ("d_dname",),
        "vfsmount": ("mnt_root",),
    },
)
