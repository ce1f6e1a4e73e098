"""queries: statements that programs of the target send to databases through libpq, libmysqlclient or libmariadb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from podtrace_tracer.collectors.model import Collector

COLLECTOR: Final = Collector(
    topic="queries",
    sources=("include/queries.bpf.h", "collectors/queries.bpf.c"),
    structs={"pt_regs": ("sp",)},
)

CALL_PROGRAM, RETURN_PROGRAM = "query_call", "query_return"
PROGRAM_NAMES: Final = {CALL_PROGRAM: "uprobe:database clients", RETURN_PROGRAM: "uretprobe:database clients"}
"""What reports call the programs; they hang at many places."""
PROTOCOLS: Final = ("postgresql", "mysql")
"""By the number that the programs know them by."""

KINDS: Final = (
    "EXECUTE", "PREPARE", "EXECUTE_PREPARED", "RESULT", "SEND", "SEND_PREPARE", "SEND_PREPARED", "SEND_OTHER", "CLOSE",
    "MYSQL_EXECUTE_PREPARED", "MYSQL_READ", "MYSQL_TEXT", "MYSQL_SIZED", "MYSQL_SEND", "MYSQL_PREPARE",
)  # fmt: skip
"""What a function does, numbered from 1 in an order that the C text relies on."""
UP_TO_ZERO: Final = 2**64 - 1
"""The length of a text that ends with a zero byte."""


@dataclass(frozen=True, kw_only=True)
class ClientFunction:
    """A function of a client library; `kind` is the place of its kind in `KINDS`, from 1."""

    name: str
    protocol: str
    kind: int

    @property
    def returns(self) -> bool:
        """Is its return of interest?"""
        return KINDS[self.kind - 1] != "CLOSE"


def _functions(protocol: str, names: dict[str, str]) -> tuple[ClientFunction, ...]:
    return tuple(
        ClientFunction(name=name, protocol=protocol, kind=KINDS.index(kind) + 1)
        for kind, listed in names.items()
        for name in listed.split()
    )


FUNCTIONS: Final = (
    *_functions(
        "postgresql",
        {
            "EXECUTE": "PQexec PQexecParams",
            "PREPARE": "PQprepare",
            "EXECUTE_PREPARED": "PQexecPrepared",
            "RESULT": "PQgetResult",
            "SEND": "PQsendQuery PQsendQueryParams",
            "SEND_PREPARE": "PQsendPrepare",
            "SEND_PREPARED": "PQsendQueryPrepared",
            "SEND_OTHER": "PQsendDescribePrepared PQsendDescribePortal PQsendClosePrepared PQsendClosePortal",
            "CLOSE": "PQfinish PQreset PQresetStart",
        },
    ),
    *_functions(
        "mysql",
        {
            "MYSQL_TEXT": "mysql_query",
            "MYSQL_SIZED": "mysql_real_query",
            "MYSQL_SEND": "mysql_send_query",
            "MYSQL_READ": "mysql_read_query_result",
            "MYSQL_PREPARE": "mysql_stmt_prepare",
            "MYSQL_EXECUTE_PREPARED": "mysql_stmt_execute",
            "CLOSE": "mysql_close",
        },
    ),
)


def defines() -> dict[str, int]:
    """The constants of the C text."""
    values = {f"QUERY_{kind}": number for number, kind in enumerate(KINDS, start=1)}
    first_of_mysql = values.pop("QUERY_MYSQL_EXECUTE_PREPARED")
    return values | {
        "QUERY_LAST_WITH_RESULT": values["QUERY_RESULT"],
        "QUERY_FIRST_OF_MYSQL": first_of_mysql,
        "QUERY_STATES": 32,
        "QUERY_UP_TO_ZERO": UP_TO_ZERO,
        "QUERY_KIND": 0,
    }
