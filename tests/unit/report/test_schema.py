"""The JSON export fits the schema that ships, and the schema is the one that the model says."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import jsonschema
import pytest

import kubectl_podtrace.report.schema as schema_package
from kubectl_podtrace.report.render.json_export import JsonRenderer
from kubectl_podtrace.report.schema import FILE_NAME, schema_of_model, shipped_schema
from tests.unit.every_kind import every_kind_stream
from tests.unit.report.reports import REPORTS, report_of
from tests.unit.streams import folded

SECTIONS = (
    "schema_version", "tool", "target", "summary", "tcp", "udp", "connections", "network_io", "dns", "files", "cpu",
    "processes", "lifecycle", "memory", "kubernetes_events", "descriptors", "timeline", "locks", "queries", "stacks",
    "findings", "trust", "cost",
)  # fmt: skip
KEYS = {
    "summary": "events events_per_s start end duration_s",
    "tcp": "send receive rtt error_ratio retransmits resets_sent resets_received peak_bytes_per_op "
    "throughput_bytes_per_s states",
    "connections": "total per_s accepted latency failed failed_ratio errors top_targets pattern peak_per_s "
    "unique_targets pending one_shot",
    "udp": "send receive drops error_ratio",
    "dns": "lookups per_s latency errors error_ratio timeouts retransmits nxdomain_ratio search_waste rcodes "
    "query_types top_names resolvers",
    "network_io": "send_receive_ratio average_bytes_per_s peak_bytes_per_s average_ops_per_s peak_ops_per_s",
    "files": "read write fsync open unlink rename slow_threshold_ns throughput_bytes_per_s top_files top_opened",
    "processes": "active top exec fork_processes fork_threads exec_errors exits",
    "descriptors": "opened failed_opens closed by_kind leaks",
    "trust": "complete lost dropped gaps truncated noise_lines probes",
    "cost": "tracer_cpu_s tracer_rss_bytes stream_bytes programs shed",
}


def exported(name: str) -> dict[str, object]:
    out = io.StringIO()
    JsonRenderer().render(REPORTS[name](), out)
    found: dict[str, object] = json.loads(out.getvalue())
    return found


def test_the_shipped_schema_is_the_models() -> None:
    if os.environ.get("PODTRACE_UPDATE_GOLD"):
        path = Path(schema_package.__file__).parent / FILE_NAME
        path.write_text(json.dumps(schema_of_model(), indent=2) + "\n", encoding="utf-8")
    assert shipped_schema() == schema_of_model()


def test_the_shipped_schema_is_a_valid_one_of_its_dialect() -> None:
    jsonschema.Draft202012Validator.check_schema(shipped_schema())


@pytest.mark.parametrize("name", REPORTS)
def test_every_export_fits_the_schema(name: str) -> None:
    validator = jsonschema.Draft202012Validator(
        shipped_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    validator.validate(exported(name))


def test_an_export_of_nothing_and_of_every_kind_of_record_fits_the_schema() -> None:
    for fold in (folded([]), every_kind_stream().fold(), folded(every_kind_stream().lines[:1])):
        out = io.StringIO()
        JsonRenderer().render(report_of(fold), out)
        jsonschema.validate(json.loads(out.getvalue()), shipped_schema())


def test_the_names_that_scripts_rely_on_are_there() -> None:
    report = exported("typical")
    assert set(SECTIONS) <= set(report)
    for section, keys in KEYS.items():
        found = report[section]
        assert isinstance(found, dict)
        assert set(keys.split()) <= set(found), section


def test_an_export_that_lacks_a_key_does_not_fit() -> None:
    report = exported("typical")
    del report["tcp"]
    with pytest.raises(jsonschema.ValidationError, match="'tcp' is a required property"):
        jsonschema.validate(report, shipped_schema())
