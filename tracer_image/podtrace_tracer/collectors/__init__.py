"""One module per topic: which probes and system calls it needs, which kernel structs its C reads, which file that is."""
