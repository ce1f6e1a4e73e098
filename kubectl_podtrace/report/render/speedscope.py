"""Stacks as a file for speedscope: a sampled profile each of the CPU, of waits off it, and of slow operations.

https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources
"""

from __future__ import annotations

import json
from typing import Any, Final, TextIO

from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.profiles import Place, Profile, profiles

SCHEMA: Final = "https://www.speedscope.app/file-format-schema.json"


class SpeedscopeRenderer:
    """All weights are nanoseconds. ASCII only, as the JSON export."""

    def render(self, report: Report, out: TextIO) -> None:
        """Writes the object on one line."""
        numbers: dict[Place, int] = {}
        found = [_profile(profile, numbers) for profile in profiles(report)]
        body = {
            "$schema": SCHEMA,
            "exporter": f"kubectl-podtrace@{report.tool.version}",
            "activeProfileIndex": 0,
            "shared": {"frames": [_frame(place) for place in numbers]},
            "profiles": found,
        }
        json.dump(body, out, allow_nan=False)
        out.write("\n")


def _frame(place: Place) -> dict[str, Any]:
    fields = {"name": place.name, "file": place.file, "line": place.line}
    return {key: value for key, value in fields.items() if value is not None}


def _profile(profile: Profile, numbers: dict[Place, int]) -> dict[str, Any]:
    """Its frames by number; those that are new get the next ones."""
    ways = [way for way in profile.ways if way.total_ns]
    return {
        "type": "sampled",
        "name": profile.name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(way.total_ns for way in ways),
        "samples": [[numbers.setdefault(place, len(numbers)) for place in way.places] for way in ways],
        "weights": [way.total_ns for way in ways],
    }
