"""Metrics: what a program reads of its own trace is what it did, and what the report says in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from kubectl_podtrace.report.metrics.catalog import METRICS
from kubectl_podtrace.report.metrics.model import BOUNDS_NS, Kind, Metric
from tests.bpf.diagnosis import PYTHON
from tests.bpf.harness import PATIENCE_S, ROOT
from tests.bpf.workloads import scraped
from tests.unit.report.metrics.told import TOLD

SCRAPED = Path(scraped.__file__)
FILE_METRICS = [metric for metric in METRICS if metric.name.startswith("podtrace_files_")]


def trace_and_scrape(tmp_path: Path) -> tuple[dict[str, dict[tuple[str, ...], float]], Any]:
    """The samples that the load saw last, by name and by values of labels, and the report of the whole trace."""
    report, said, own = tmp_path / "report.json", tmp_path / "stderr", tmp_path / "own"
    own.mkdir()
    flags = ("--filter", "fs", "--max-overhead", "0", "--metrics-address", "127.0.0.1:0", "-o", str(report))
    with said.open("wb") as stderr:
        done = subprocess.run(
            [sys.executable, "-m", "kubectl_podtrace", "local", *flags, "--", PYTHON, SCRAPED, said, own],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=stderr, timeout=PATIENCE_S,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, said.read_text()[-3000:]
    families: Any = text_string_to_metric_families(done.stdout.decode())
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels[key] for key in sorted(sample.labels))] = sample.value
    return found, json.loads(report.read_text())


def in_order(metric: Metric, labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for _, value in sorted(zip(metric.labels, labels, strict=True)))


def test_what_a_program_reads_of_its_own_trace_is_what_the_report_says_of_it(tmp_path: Path) -> None:
    found, report = trace_and_scrape(tmp_path)
    mine = {
        str(path): found["podtrace_files_file_operations_total"][str(path),] for path in (tmp_path / "own").iterdir()
    }
    assert sorted(mine.values()) == [scraped.WRITES + scraped.FSYNCS, scraped.READS + 1]
    assert found["podtrace_files_operations_total"]["fsync",] == scraped.FSYNCS
    for metric in FILE_METRICS:
        told = {in_order(metric, labels): value for labels, value in TOLD[metric.name](report).items()}
        if metric.kind is Kind.HISTOGRAM:
            for labels, (count, sum_ns, buckets) in told.items():
                assert found[f"{metric.name}_count"][labels] == count
                assert found[f"{metric.name}_sum"][labels] == sum_ns / 1e9
                for bound in BOUNDS_NS:
                    below = sum(number for lower, number in buckets.items() if int(lower) < bound)
                    # The bound's label is the first one by name.
                    assert found[f"{metric.name}_bucket"][str(bound / 1e9), *labels] == below
        elif metric.key and metric.name.startswith("podtrace_files_file_"):
            listed = {labels: value for labels, value in found[metric.name].items() if labels != ("(other)",)}
            assert len(listed) >= 2
            assert {labels: told[labels] for labels in listed} == listed
            assert sum(found[metric.name].values()) == sum(told.values())
        else:
            assert found.get(metric.name, {}) == told, metric.name
