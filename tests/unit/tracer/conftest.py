"""The tracer's Python, without a kernel that traces.

Real: every module of the tracer, files, pipes, signals to this process, the C texts as they are compiled.
Fake: the node (a directory with the files of /proc and /sys that matter), and the compiled programs: maps in memory,
    whose keys and values are laid out as the C texts say (`memory_programs.py`).
Asserted: what is found, refused, read and emitted. What the kernel does with the programs is in tests/bpf.
"""
