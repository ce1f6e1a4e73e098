"""The readable words on descriptors; they stand among the system calls of processes."""

from __future__ import annotations

from kubectl_podtrace import units
from kubectl_podtrace.analysis.descriptors import Descriptors


def open_and_close(section: Descriptors) -> tuple[str, str]:
    """How many files were opened, descriptors closed, opens failed: a name and its text."""
    text = (
        f"{units.counted(section.opened, 'file')} opened, "
        f"{units.counted(section.closed, 'descriptor')} closed, "
        f"{units.counted(section.failed_opens, 'open')} failed"
    )
    return "open and close", text


def has_any(section: Descriptors) -> bool:
    """Was anything opened or closed, or tried to be?"""
    return bool(section.opened or section.closed or section.failed_opens)
