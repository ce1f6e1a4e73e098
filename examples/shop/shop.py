#!/usr/bin/env python3
"""A small shop with five faults, made to be traced: see README.md beside this file.

Standard library only, loopback only. What it does is fixed by --seconds alone, and it prints its own counts at the end,
so that they can be compared with a report.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

ORDERS_PER_S = 2
PAYMENT_TRIES = 3  # per order, each of them refused
RECEIPTS = 5  # per order, opened and never closed
JOURNAL_BYTES = 64 * 1024 * 1024  # per order, written before its fsync, always to the same place
STOCK_DELAYS_S = (0.15, 0.20, 0.25, 0.30)  # how long the stock service thinks, in turn
PRICING_THREADS = 4
PRICING_TURNS_PER_S = 20  # per thread
PRICING_HOLD_S = 0.01  # under the lock; four threads want it for 0.8 s of every second


def serve_stock(listener: socket.socket) -> None:
    """The slow dependency, a process of its own: one answer per connection, until a connection says "closed"."""
    for turn in range(sys.maxsize):
        connection, _ = listener.accept()
        with connection:
            if connection.recv(64) == b"closed":
                return
            time.sleep(STOCK_DELAYS_S[turn % len(STOCK_DELAYS_S)])
            connection.sendall(b"in stock")


def ask_stock(address: tuple[str, int], question: bytes) -> bytes:
    """One question over a connection of its own; waits as long as the stock service takes."""
    with socket.create_connection(address) as connection:
        connection.sendall(question)
        return connection.recv(64)


def pay(address: tuple[str, int]) -> bool:
    """One try to reach the payment service; it is down, so False."""
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return False
    return True


def write_journal(journal: IO[bytes], page: bytes) -> None:
    """Makes an order durable the expensive way: much dirty data, then an fsync that has to wait for all of it."""
    journal.seek(0)
    journal.write(page)
    journal.flush()
    os.fsync(journal.fileno())


def reprice(lock: threading.Lock, turns: int) -> None:
    """Holds the one price list lock while it thinks, so that the other threads queue for it."""
    for _ in range(turns):
        with lock:
            time.sleep(PRICING_HOLD_S)
        time.sleep(PRICING_HOLD_S)


def leave_open(path: Path) -> int:
    """A new file whose descriptor nobody closes before the process ends."""
    return os.open(path, os.O_WRONLY | os.O_CREAT)


def take_orders(orders: int, stock: tuple[str, int], payments: tuple[str, int], directory: Path) -> None:
    """All orders, one after the other, on a fixed schedule; one that comes late is not made up for by dropping any."""
    page = os.urandom(JOURNAL_BYTES)
    start = time.monotonic()
    receipts: list[int] = []
    with (directory / "journal").open("wb") as journal:
        for order in range(orders):
            time.sleep(max(0.0, start + order / ORDERS_PER_S - time.monotonic()))
            ask_stock(stock, b"item %d" % order)
            for _ in range(PAYMENT_TRIES):
                pay(payments)
            write_journal(journal, page)
            receipts += [leave_open(directory / f"receipt-{order}-{copy}") for copy in range(RECEIPTS)]
    print(
        f"shop: {orders} orders: {orders} stock questions, {orders * PAYMENT_TRIES} refused payments, "
        f"{orders} fsyncs of {JOURNAL_BYTES} bytes each, {len(receipts)} receipts never closed",
        flush=True,
    )


def open_shop(seconds: int, directory: Path) -> None:
    """Starts the stock service and the pricing threads, takes the orders, and closes down."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, never listening: whoever connects is refused
        command = [sys.executable, __file__, "--stock-fd", str(listener.fileno())]
        stock_service = subprocess.Popen(command, pass_fds=[listener.fileno()])
        lock = threading.Lock()
        turns = seconds * PRICING_TURNS_PER_S
        pricing = [threading.Thread(target=reprice, args=(lock, turns), daemon=True) for _ in range(PRICING_THREADS)]
        for thread in pricing:
            thread.start()
        try:
            take_orders(seconds * ORDERS_PER_S, listener.getsockname(), closed.getsockname(), directory)
            for thread in pricing:
                thread.join()
            ask_stock(listener.getsockname(), b"closed")
            stock_service.wait()
        finally:
            stock_service.terminate()  # an early end must not leave it behind


def seconds_in_range(text: str) -> int:
    """A duration on the command line: whole seconds, an hour at most."""
    seconds = int(text)
    if not 1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("from 1 to 3600")
    return seconds


def main() -> None:
    """Runs the shop, or, started by the shop itself, its stock service."""
    parser = argparse.ArgumentParser(description="A small shop with five faults, made to be traced.")
    parser.add_argument("--seconds", type=seconds_in_range, default=10, metavar="N", help="how long (10)")
    parser.add_argument("--directory", default="/var/tmp", metavar="DIR", help="where its files go (/var/tmp)")
    parser.add_argument("--stock-fd", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stock_fd is not None:
        serve_stock(socket.socket(fileno=options.stock_fd))
        return
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="shop-", dir=options.directory) as directory:
        open_shop(options.seconds, Path(directory))


if __name__ == "__main__":
    main()
