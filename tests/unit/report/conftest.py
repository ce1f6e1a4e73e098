"""Numbers to reports.

Real: the fold, the analysis, the builder, every renderer, the writer and its files. Made up: the streams.
Asserted: what a reader sees, as whole documents in `gold/` (PODTRACE_UPDATE_GOLD=1 writes them anew: look at the
difference), that every JSON export fits the shipped schema, and that no name from outside can do harm.
"""
