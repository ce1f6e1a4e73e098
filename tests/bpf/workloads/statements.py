"""Statements through a client library of a database, for the findings.

Usage: statements.py postgresql|mariadb SERVER [STATEMENT TIMES works|fails]...; SERVER is a connection string of libpq,
or the path of a socket. Ends with exit code 0 if all went as they were to go.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

COMMAND_OK, TUPLES_OK = 1, 2
Execute = Callable[[bytes], bool]


def postgresql(server: str) -> Execute:
    """A connection by libpq."""
    library = ctypes.CDLL("libpq.so.5")
    library.PQconnectdb.restype = library.PQexec.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(library.PQconnectdb(server.encode()))
    assert library.PQstatus(connection) == 0

    def execute(text: bytes) -> bool:
        result = ctypes.c_void_p(library.PQexec(connection, text))
        works = library.PQresultStatus(result) in (COMMAND_OK, TUPLES_OK)
        library.PQclear(result)
        return works

    return execute


def mariadb(server: str) -> Execute:
    """A connection by libmariadb."""
    library = ctypes.CDLL("libmariadb.so.3")
    for function in (library.mysql_init, library.mysql_real_connect, library.mysql_store_result):
        function.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(library.mysql_init(None))
    library.mysql_real_connect.argtypes = [
        *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p),
        *(ctypes.c_uint, ctypes.c_char_p, ctypes.c_ulong),
    ]
    assert library.mysql_real_connect(connection, None, b"root", None, b"mysql", 0, server.encode(), 0)

    def execute(text: bytes) -> bool:
        works = bool(library.mysql_query(connection, text) == 0)
        library.mysql_free_result(ctypes.c_void_p(library.mysql_store_result(connection)))
        return works

    return execute


def main() -> None:
    _, library, server, *orders = sys.argv
    execute = {"postgresql": postgresql, "mariadb": mariadb}[library](server)
    for text, times, end in zip(orders[::3], orders[1::3], orders[2::3], strict=True):
        for _ in range(int(times)):
            assert execute(text.encode()) == (end == "works"), text


if __name__ == "__main__":
    main()
