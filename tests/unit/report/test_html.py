"""The HTML report as a document: nothing missing, nothing from outside, nothing that a name could have made."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import unicodedata
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.report.document import Facts, Gauge, Table, left, right
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render.html import HtmlRenderer, json_for_scripts
from kubectl_podtrace.report.render.html.assets import assets
from kubectl_podtrace.report.render.html.page import TITLES
from kubectl_podtrace.report.render.html.tables import entries, payload
from kubectl_podtrace.report.render.terminal import headline_facts
from kubectl_podtrace.report.sections import PARTS, document, parts
from kubectl_podtrace.report.text import plain
from kubectl_podtrace.units import count, duration
from tests.unit.report.huge import ROWS, huge
from tests.unit.report.renamed import renamed
from tests.unit.report.reports import REPORTS, hostile, silent, typical

LARGEST_BYTES = 1_500_000
VOID = {"meta", "link", "input", "br", "rect"}


class Document(HTMLParser):
    """What a browser makes of a text: elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inner: dict[str, list[str]] = {"script": [], "style": []}
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in self.inner:
            self.inner[tag].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in self.inner:
            self.inner[self._open[-1]][-1] += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All visible text, its spaces made alike."""
        return " ".join(" ".join(self.words).split())

    def data(self) -> dict[str, Any]:
        """What the scripts read."""
        (place,) = [
            number
            for number, attributes in enumerate(dict_ for tag, dict_ in self.elements if tag == "script")
            if attributes.get("id") == "report-data"
        ]
        held, attributes = self.inner["script"][place], [d for t, d in self.elements if t == "script"][place]
        if attributes.get("data-packed"):
            held = zlib.decompress(base64.b64decode(held)).decode()
        found: dict[str, Any] = json.loads(held)
        return found


def written(report: Report, *, bare: bool = False) -> str:
    out = io.StringIO()
    HtmlRenderer(bare=bare).render(report, out)
    return out.getvalue()


def spaced(text: str) -> str:
    return " ".join(plain(text).split())


@pytest.mark.parametrize("name", REPORTS)
def test_all_that_the_terminal_shows_stands_in_the_document_without_any_script(name: str) -> None:
    report = REPORTS[name]()
    text = Document(written(report, bare=True)).text
    for _, value in headline_facts(report.headline).pairs:
        assert spaced(value) in text
    for finding in report.findings:
        for each in (finding.severity, finding.title, finding.evidence, finding.next_step):
            assert spaced(each) in text
    if not report.findings:
        assert spaced(parts(report, ("findings",))[0].empty) in text
    for section in parts(report, [name for name in PARTS if name != "findings"]):
        assert spaced(section.title) in text
        assert spaced(section.empty) in text
        for block in section.blocks:
            for cell in cells_of(block):
                assert isinstance(cell, Gauge) or spaced(cell) in text, (section.title, cell)


def cells_of(block: Table | Facts) -> list[str]:
    if isinstance(block, Facts):
        return [text for pair in block.pairs for text in pair]
    return [*(column.title for column in block.columns), *(cell for row in block.rows for cell in row)]


def test_every_row_of_every_list_is_in_the_file() -> None:
    report = huge()
    tables = Document(written(report)).data()["tables"]
    wanted = sum(
        len(entries(block.every if block.every is not None else block.rows))
        for section in document(report)
        for block in section.blocks
        if isinstance(block, Table)
    )
    assert sum(len(table["rows"]) for table in tables.values()) == wanted
    assert wanted >= ROWS


def test_a_report_of_ten_thousand_rows_is_no_larger_than_it_may_be() -> None:
    assert len(written(huge()).encode()) < LARGEST_BYTES


def test_the_same_report_makes_the_same_file() -> None:
    assert written(typical()) == written(typical())


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_is_loaded_from_anywhere(name: str) -> None:
    for tag, attributes in Document(written(REPORTS[name]())).elements:
        assert tag not in {"iframe", "img", "object", "embed", "base", "form", "video", "audio", "source"}
        assert "src" not in attributes
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        href = attributes.get("href")
        assert href is None or href.startswith(("#", "data:image/svg+xml,"))


def test_names_make_no_element_and_no_attribute() -> None:
    def shape(report: Report) -> set[tuple[str, tuple[str, ...]]]:
        return {(tag, tuple(sorted(attributes))) for tag, attributes in Document(written(report)).elements}

    known = shape(typical()) | shape(REPORTS["restarted"]()) | shape(REPORTS["partial"]())
    assert shape(hostile()) | shape(renamed()) <= known
    found = Document(written(hostile()))
    assert "<script>alert(1)</script>" in found.text
    assert len(found.inner["script"]) == 1 + len(assets().libraries) + len(assets().scripts)
    for tag, attributes in found.elements:
        if tag != "link":
            values = " ".join(
                value or "" for name, value in attributes.items() if name not in {"aria-label", "content"}
            )
            assert "evil" not in values
            assert "alert" not in values


def test_only_visible_characters_and_line_ends_are_written() -> None:
    for text in (written(hostile(), bare=True), written(renamed(), bare=True)):
        found = {unicodedata.category(letter) for letter in text.replace("\n", "")}
        assert not found & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_the_policy_allows_the_very_texts_of_the_file_and_nothing_else() -> None:
    found = Document(written(typical()))
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in found.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    assert "http" not in policy
    allowed = re.findall(r"'sha256-([^']+)'", rules["script-src"])
    running = found.inner["script"][1:]
    assert allowed == [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in running]
    styles = re.findall(r"'sha256-([^']+)'", rules["style-src"])
    (style,) = found.inner["style"]
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in styles


def test_a_bare_document_allows_no_script_at_all() -> None:
    assert "script-src &#39;none&#39;" in written(silent(), bare=True)


def test_the_licence_of_each_library_is_in_the_file() -> None:
    text = " ".join(written(silent()).replace("&#34;", '"').replace("&#39;", "'").split())
    libraries = assets().libraries
    assert libraries
    for library in libraries:
        assert f"{library.name} {library.version} ({library.licence})" in text
        for licence in library.licences:
            assert " ".join(licence.text.split()) in text.replace("&lt;", "<").replace("&gt;", ">")


@pytest.mark.parametrize("name", REPORTS)
def test_each_link_within_the_page_leads_somewhere(name: str) -> None:
    elements = Document(written(REPORTS[name]())).elements
    places = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(places) == len(set(places))
    links = {(attributes["href"] or "")[1:] for tag, attributes in elements if tag == "a"}
    assert links <= set(places)


@pytest.mark.parametrize("name", REPORTS)
def test_what_the_scripts_draw_has_its_place(name: str) -> None:
    found = Document(written(REPORTS[name]()))
    places = {attributes.get("id") for _, attributes in found.elements}
    data = found.data()
    assert {*data["tables"], *data["charts"]} <= places


def test_what_lacks_something_says_so_at_the_top() -> None:
    assert 'class="trust whole"' in written(REPORTS["restarted"]())
    for name in ("partial", "truncated", "typical"):
        assert 'class="trust lacking"' in written(REPORTS[name]()), name


def test_a_topic_that_could_not_be_measured_says_so_in_its_own_place() -> None:
    text = written(REPORTS["truncated"](), bare=True)
    place = text[text.index('<section id="connections"') :]
    assert "raw_tracepoint:inet_sock_set_state is absent" in place[: place.index("</section>")]
    assert '<a href="#connections">Connections <span class="dot lacks">' in text


@pytest.mark.parametrize("name", REPORTS)
def test_a_topic_is_called_alike_whether_it_could_be_measured_or_not(name: str) -> None:
    report = REPORTS[name]()
    for key, title in TITLES.items():
        for section in parts(report, (key,)):
            assert section.title.partition(" (partial")[0] == title


def test_a_finding_leads_to_the_section_that_has_its_numbers() -> None:
    text = written(REPORTS["restarted"](), bare=True)
    finding = text[text.index("probes fail") :]
    assert '<a href="#kubernetes_events">See What happened to the pod</a>' in finding[: finding.index("</li>")]


@given(st.recursive(st.text(max_size=40), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner)))
def test_data_for_scripts_cannot_leave_their_element(value: Any) -> None:
    text = json_for_scripts(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == harmless(value)


def harmless(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [harmless(each) for each in value]
    return {plain(key): harmless(each) for key, each in value.items()}


def test_lines_that_go_on_with_a_name_stay_in_its_row() -> None:
    rows = (("1", "main"), ("", "  read"), ("", "  open"), ("2", "other"))
    found = entries(rows)
    assert [each.cells for each in found] == [("1", "main"), ("2", "other")]
    assert found[0].lines == ("read", "open")
    table = Table(columns=(*right("count"), left("name")), rows=rows)
    assert payload(table)["rows"] == [["1", ["main", "read", "open"]], ["2", "other"]]


def test_numbers_go_with_texts_that_do_not_say_them() -> None:
    rows = ((count(1_234), duration(1_500_000), "a"), (count(7), "-", "b"))
    found = payload(Table(columns=(*right("count", "took"), left("name")), rows=rows, other=("1", "-", "(other)")))
    assert found["numbers"] == {"1": [1_500_000, None]}
    assert found["other"] == ["1", "-", "(other)"]


def test_a_section_of_one_line_takes_one_line() -> None:
    report = replace(typical(), udp=silent().udp)
    assert re.search(r'<section id="udp" class="part quiet"', written(report, bare=True))
