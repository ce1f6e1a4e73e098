"""docs/metrics.md has every metric as the code has it, and the dashboard asks for no other.

PODTRACE_UPDATE_GOLD=1 writes the tables anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_podtrace.cli.flags import DEFAULT_METRICS_ADDRESS
from kubectl_podtrace.report.metrics.catalog import GROUPS, METRICS
from kubectl_podtrace.report.metrics.model import Kind

HEADING = "## All metrics\n"
NAME = re.compile(r"\bpodtrace_\w+")


def tables() -> str:
    found = []
    for group, metrics in GROUPS.items():
        lines = [f"### {group}\n", "| metric | type | labels | what it says |", "| --- | --- | --- | --- |"]
        for metric in metrics:
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            lines.append(f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.help} |")
        found.append("\n".join(lines))
    return "\n\n".join(found) + "\n"


def exposed() -> set[str]:
    """The names of all samples."""
    suffixes = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
    return {metric.name + suffix for metric in METRICS for suffix in suffixes.get(metric.kind, ("",))}


def test_the_page_has_every_metric_with_its_type_and_its_labels(root: Path) -> None:
    page = root / "docs/metrics.md"
    before, _, found = page.read_text().partition("### ")
    if os.environ.get("PODTRACE_UPDATE_GOLD"):
        page.write_text(before + tables())
        found = tables().removeprefix("### ")
    assert f"### {found}" == tables()
    assert HEADING in before


def test_what_the_page_says_of_metrics_names_those_that_there_are(root: Path) -> None:
    names = set(NAME.findall((root / "docs/metrics.md").read_text()))
    assert names - exposed() <= {metric.name for metric in METRICS}


def test_the_page_s_scrape_configuration_can_be_read(root: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (root / "docs/metrics.md").read_text(), re.DOTALL)
    (job,) = yaml.safe_load(block)["scrape_configs"]
    assert set(job) == {"job_name", "scrape_interval", "static_configs"}


def test_the_page_and_the_readme_have_the_default_address(root: Path) -> None:
    assert f"http://{DEFAULT_METRICS_ADDRESS}/metrics" in (root / "docs/metrics.md").read_text()
    assert DEFAULT_METRICS_ADDRESS in (root / "README.md").read_text()


@pytest.fixture(scope="module")
def dashboard(root: Path) -> Any:
    return json.loads((root / "examples/grafana/podtrace.json").read_text())


def panels(found: Any) -> Iterator[Any]:
    for panel in found["panels"]:
        yield panel
        yield from panel.get("panels", ())


def test_the_dashboard_asks_for_metrics_that_there_are(dashboard: Any) -> None:
    asked = {
        name
        for panel in panels(dashboard)
        for query in panel.get("targets", ())
        for name in NAME.findall(query["expr"])
    }
    assert len(asked) > 30
    assert asked - exposed() == set()
    variables = json.dumps(dashboard["templating"])
    assert set(NAME.findall(variables)) - exposed() == set()


def test_every_panel_of_the_dashboard_says_what_it_shows_and_takes_the_chosen_source(dashboard: Any) -> None:
    (source,) = (each for each in dashboard["templating"]["list"] if each["type"] == "datasource")
    assert source["query"] == "prometheus"
    ids = [panel["id"] for panel in panels(dashboard)]
    assert len(set(ids)) == len(ids)
    for panel in panels(dashboard):
        assert panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == {"type": "prometheus", "uid": f"${{{source['name']}}}"}, panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert all('instance=~"$instance"' in query["expr"] for query in panel["targets"]), panel["title"]


def test_no_two_panels_of_the_dashboard_lie_over_each_other(dashboard: Any) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(dashboard):
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
