"""Records to stdout: when each goes out, how many of them, and in which order."""
