"""The command line's parts. Real: all of them.

Fake: the clock and the terminal. Asserted: values, texts, exit codes.
"""
