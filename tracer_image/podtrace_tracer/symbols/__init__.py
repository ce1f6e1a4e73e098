"""From the addresses of a stack to functions: memory maps, files of programs, and what a compiler left in them."""
