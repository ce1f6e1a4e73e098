"""Stacks as flamegraph.pl and its kin read them: `outermost;...;innermost NANOSECONDS`, one stack a line.

https://github.com/brendangregg/FlameGraph
"""

from __future__ import annotations

from collections import Counter
from typing import TextIO

from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.profiles import profiles


class FoldedRenderer:
    """The outermost frame names the kind: `cpu`, `off-cpu lock`, `slow files.fsync`."""

    def render(self, report: Report, out: TextIO) -> None:
        """Writes the lines; stacks that differ only in what the format does not hold are one."""
        lines = Counter[str]()
        for profile in profiles(report):
            for way in profile.ways:
                lines[";".join(_name(place.name) for place in way.places)] += way.total_ns
        out.writelines(f"{stack} {total_ns}\n" for stack, total_ns in lines.items() if total_ns)


def _name(text: str) -> str:
    """A name is one field, as the collapsing scripts of the same tools write it."""
    return text.replace(";", ":")
