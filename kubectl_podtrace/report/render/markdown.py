"""The report as Markdown, for a ticket or a wiki. Whatever the template prints is escaped; nothing is trusted."""

from __future__ import annotations

from typing import Final, TextIO

from kubectl_podtrace.report.document import Name, Table
from kubectl_podtrace.report.model import Report
from kubectl_podtrace.report.render.terminal import headline_facts
from kubectl_podtrace.report.sections import document
from kubectl_podtrace.report.sections.overview import target_title
from kubectl_podtrace.report.text import markdown, markdown_code

TEMPLATE: Final = "report.md.j2"


class MarkdownRenderer:
    """Fills the template `report.md.j2`; GitHub's dialect (tables)."""

    def render(self, report: Report, out: TextIO) -> None:
        """Writes the document."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        # Escaping is done by `finalize`, which every printed expression passes: HTML's rules are not Markdown's.
        environment = Environment(
            loader=PackageLoader("kubectl_podtrace.report"),
            autoescape=False,  # noqa: S701
            finalize=escape,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        template = environment.get_template(TEMPLATE)
        out.write(
            template.render(
                target=target_title(report.target),
                headline=headline_facts(report.headline).pairs,
                sections=document(report),
                is_table=lambda block: isinstance(block, Table),
                tool=report.tool,
            )
        )


def escape(value: object) -> str:
    """Names as code spans, all other text with Markdown's own characters escaped."""
    return markdown_code(value) if isinstance(value, Name) else markdown(str(value))
