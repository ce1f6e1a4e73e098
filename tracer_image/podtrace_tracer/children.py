"""How modules of the tracer are started as processes of their own."""

from __future__ import annotations

import sys


def command_of(module: str) -> list[str]:
    """The command that runs a module by this Python."""
    # No directory but those of PYTHONPATH and the system: see the plugin, which starts the tracer the same way.
    return [sys.executable, "-P", "-s", "-B", "-m", module]
