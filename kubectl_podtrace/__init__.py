"""kubectl-podtrace: why is this pod slow?

This module holds the version and imports nothing: the tracer image carries it too.
"""

__version__ = "0.1.0.dev0"
