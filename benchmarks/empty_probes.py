"""Raw sys_enter and sys_exit programs that do nothing: what any tracer on these hooks costs at the least.

Run by the system's Python, which has bcc. Says `ready` when attached, ends with its stdin.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from podtrace_tracer.kernel.btf import Btf
from podtrace_tracer.programs.bpf import Programs
from podtrace_tracer.programs.compiler import compile_text
from podtrace_tracer.programs.headers import write_tree

TEXT = """
#include <podtrace/btf.h>
int on_sys_enter(void *ctx) { return 0; }
int on_sys_exit(void *ctx) { return 0; }
"""


def main() -> None:
    """Attaches both and waits."""
    with tempfile.TemporaryDirectory() as directory:
        wanted = {"pt_regs": ("di",)}
        tree = write_tree(Path(directory), Btf.load(), wanted, release=platform.release(), machine=os.uname().machine)
        programs = Programs(compile_text(TEXT, [], str(tree.path)))
        programs.attach("sys_exit")
        programs.attach("sys_enter")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        programs.detach()
        programs.close()


if __name__ == "__main__":
    main()
