"""One module per topic: which probes and system calls it needs, which C files, which kernel structs they read."""
