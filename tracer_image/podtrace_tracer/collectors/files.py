"""files: reads, writes and fsyncs of regular files by path; opens, unlinks and renames."""

from __future__ import annotations

from typing import Final

from podtrace_tracer.collectors import io_uring
from podtrace_tracer.collectors.model import Collector
from podtrace_tracer.kernel.syscalls import OPENS, READS_AND_WRITES

COLLECTOR: Final = Collector(
    topic="files",
    sources=("include/path.bpf.h", "collectors/files.bpf.c", io_uring.SOURCE),
    syscalls=READS_AND_WRITES
    | OPENS
    | {"copy_file_range", "fsync", "fdatasync", "sync_file_range"}
    | {"unlink", "unlinkat", "rename", "renameat", "renameat2"},
    probes=io_uring.PROBES,
    structs={
        **io_uring.STRUCTS,
        "mount": ("mnt_parent", "mnt_mountpoint", "mnt", "mnt_ns"),
        "vfsmount": ("mnt_root",),
        "dentry": ("d_parent", "d_name", "d_hash"),
        "hlist_bl_node": ("pprev",),
        "qstr": ("name", "hash_len"),
    },
)
