"""Local mode's parts. Real: processes, pipes, signals and, as root, cgroups of this machine.

Fake: the tracer (a few lines of Python), and the texts of /proc where a test is about another machine than this one.
Asserted: what becomes of commands, lines and cgroups.
"""
