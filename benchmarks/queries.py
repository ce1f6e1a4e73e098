"""What a statement through libpq costs more when statements are traced: `python -m benchmarks.queries` (root)."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.cgroups import cgroup, unified_root
from benchmarks.rounds import order_of, ratio
from benchmarks.tracing import ANOTHER, EVERYTHING, ROOT, SINGLE, UNTRACED, Footprint, Processors, Scene, filter_name

MODES = (UNTRACED, *(mode for mode in SINGLE if mode.name == filter_name("db")), EVERYTHING, ANOTHER)
_STATEMENTS, _ROUNDS = 10_000, 7
_PATIENCE_S = 30.0
_AS_OWNER = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


@contextmanager
def _server(directory: Path) -> Iterator[str]:
    """PostgreSQL on a UNIX socket; gives what libpq connects to it by."""
    shutil.chown(directory, "postgres")
    (binaries,) = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    data = str(directory / "data")
    making = [*_AS_OWNER, str(binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-locale"]
    subprocess.run(making, check=True, stdout=subprocess.DEVNULL, cwd="/")
    settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={directory}", "-c", "autovacuum=off"]
    command = [*_AS_OWNER, str(binaries / "postgres"), "-D", data, *settings]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/") as process:
        connection = f"host={directory} user=postgres dbname=postgres"
        deadline = time.monotonic() + _PATIENCE_S
        while subprocess.run([binaries / "pg_isready", "-q", "-d", connection], check=False).returncode:
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.05)
        try:
            yield connection
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)


def _measured(scene: Scene, command: list[str], entering: list[str]) -> dict[str, list[tuple[float, float]]]:
    """By kind of tracing: CPU time and time of a statement, in ns, of each round."""
    modes = {mode.name: mode for mode in MODES}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in modes}
    for number in range(_ROUNDS + 1):
        for name in order_of(modes, number):
            with scene.start(modes[name]):
                said = subprocess.run([*entering, *command], check=True, stdout=subprocess.PIPE, text=True).stdout
            if number:  # the first round warms up
                cpu_ns, wall_ns = said.split()
                found[name].append((float(cpu_ns), float(wall_ns)))
    return found


def main() -> None:
    """Prints a line for each kind of tracing: the medians of CPU time and time, and their ratios within the rounds."""
    root, processors = unified_root(Path("/proc/self/mounts").read_text(encoding="utf-8")), Processors.of_this_process()
    with (
        tempfile.TemporaryDirectory(prefix="podtrace-bench-", dir="/dev/shm") as place,
        cgroup(root, f"podtrace-bench-{os.getpid()}") as traced,
        cgroup(root, f"podtrace-bench-{os.getpid()}-empty") as empty,
    ):
        program, data = Path(place) / "statements", Path(place) / "server"
        data.mkdir()
        Path(place).chmod(0o755)
        source = str(ROOT / "benchmarks" / "loads" / "statements.c")
        subprocess.run(["gcc", "-O2", "-I/usr/include/postgresql", "-o", program, source, "-lpq"], check=True)
        scene = Scene(traced=traced.path, empty=empty.path, processors=processors, footprint=Footprint())
        # Somebody has to be in the cgroup, for its file system is where libraries are looked for.
        with _server(data) as connection, subprocess.Popen(traced.entering(["sleep", "infinity"])):
            command = processors.holding(processors.load, [str(program), connection, str(_STATEMENTS)])
            found = _measured(scene, command, traced.entering([]))
            for pid in traced.processes():
                os.kill(pid, 15)
    for name, samples in found.items():
        of_cpu, of_wall = (
            ratio([sample[at] for sample in samples], [sample[at] for sample in found[UNTRACED.name]]) for at in (0, 1)
        )
        cpu_ns, wall_ns = (statistics.median(sample[at] for sample in samples) for at in (0, 1))
        sys.stdout.write(
            f"{name}: {cpu_ns:.0f} ns of CPU ({of_cpu.median:.2f}, {of_cpu.least:.2f} to {of_cpu.most:.2f}),"
            f" {wall_ns:.0f} ns in all ({of_wall.median:.2f}, {of_wall.least:.2f} to {of_wall.most:.2f})\n"
        )


if __name__ == "__main__":
    main()
