"""Local mode: the tracer as a child process, and the command, process or cgroup of this machine that it traces."""
