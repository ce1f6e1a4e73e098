"""Lists as the fake API server prints them when it is asked for a table: cells alone, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TITLES = {
    "pods": ("Name", "Ready", "Status", "Restarts", "Age"),
    "deployments": ("Name", "Ready", "Up-to-date", "Available", "Age"),
    "namespaces": ("Name", "Status", "Age"),
}


def is_wanted(headers: Mapping[str, str]) -> bool:
    """Whether a request asks for a table."""
    return "as=Table;v=v1;g=meta.k8s.io" in headers.get("Accept", "")


def pod_row(pod: Mapping[str, Any]) -> list[Any]:
    """A pod's cells."""
    statuses = pod["status"].get("containerStatuses") or []
    waiting = [status["state"]["waiting"]["reason"] for status in statuses if "waiting" in status["state"]]
    running = sum("running" in status["state"] for status in statuses)
    shown = waiting[0] if waiting else {"Succeeded": "Completed"}.get(pod["status"]["phase"], pod["status"]["phase"])
    return [pod["metadata"]["name"], f"{running}/{len(statuses)}", shown, 0, "5d"]


def rows(
    resource: str,
    namespace: str,
    pods: Mapping[tuple[str, str], Mapping[str, Any]],
    deployments: Mapping[tuple[str, str], object],
    phases: Mapping[str, str],
) -> list[list[Any]]:
    """What a namespace has of a resource, or the namespaces themselves."""
    if resource == "pods":
        return [pod_row(pod) for (there, _), pod in pods.items() if there == namespace]
    if resource == "deployments":
        return [[name, "1/1", 1, 1, "5d"] for there, name in deployments if there == namespace]
    return [[name, phase, "5d"] for name, phase in phases.items()]


def page(resource: str, found: Sequence[list[Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """A Table object with as many of the rows as the query asks for; `continue` is where the next ones begin."""
    assert query["includeObject"] == "None", "objects were asked for that nobody reads"
    start = int(query.get("continue", 0))
    end = start + int(query["limit"])
    return {
        "kind": "Table",
        "metadata": {"continue": str(end)} if end < len(found) else {},
        "columnDefinitions": [{"name": title} for title in TITLES[resource]],
        "rows": [{"cells": row} for row in sorted(found)[start:end]],
    }
