"""What the kernel offers, by its own interfaces: system calls, types (BTF), perf and trace events, instructions."""
