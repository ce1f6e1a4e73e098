"""The live view, without a terminal.

Real: pictures of folded streams, views, the composed lines. Made up: the streams.
Asserted: what a reader sees, as whole screens in `gold/` (PODTRACE_UPDATE_GOLD=1 writes them anew), and that no line is
ever larger than the terminal.
"""
