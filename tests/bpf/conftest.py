"""This kernel, known loads, exact counts.

Real: the kernel, the BPF programs, the tracer as a process of its own under the system's Python, cgroups, namespaces,
    sockets, files, and the loads: small C programs that do a prime number of each thing and count it themselves, the
    same in other languages, and servers of Debian's packages.
Fake: nothing.
Asserted: every count, byte sum, error number, exit status and path of the tracer's stream equals what the load counted,
    and what a second source (strace, /proc/PID/io, ss, waitpid, a server's statistics) says; nothing was lost.

`PODTRACE_RUNS` says how often each exact count is shown (once if it is not set).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

import pytest

from kubectl_podtrace.wire.request import CACHE_VARIABLE, CgroupTarget, TraceRequest

pytest.register_assert_rewrite("tests.bpf.diagnosis", "tests.bpf.harness", "tests.bpf.stream")

from tests.bpf.controllers import Controlled, hierarchy  # noqa: E402
from tests.bpf.databases import Mariadb, Postgresql  # noqa: E402
from tests.bpf.diagnosis import Diagnose  # noqa: E402
from tests.bpf.harness import ENTER_CGROUP, Load, Tracer  # noqa: E402 - their assertions are to tell what they compare
from tests.bpf.stream import Stream  # noqa: E402

HERE = Path(__file__).parent
CFLAGS = ("-O1", "-Wall", "-Wextra", "-Wno-unused-result", "-Werror", "-static", "-pthread")


def _why_not() -> str | None:
    if not sys.platform.startswith("linux"):
        return f"this is {sys.platform}, not Linux"
    if os.geteuid() != 0:
        return "you are not root"
    if not Path("/sys/kernel/btf/vmlinux").exists():
        return "this kernel has no /sys/kernel/btf/vmlinux"
    if shutil.which("gcc") is None:
        return "there is no gcc to compile the loads with"
    if subprocess.run(["/usr/bin/python3", "-c", "import bcc, pyroute2"], capture_output=True, check=False).returncode:
        return "/usr/bin/python3 has no bcc or no pyroute2"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the whole tier where it cannot run, with the reason."""
    own = [item for item in items if HERE in item.path.parents]
    reason = _why_not() if own else None
    for item in own:
        item.add_marker(pytest.mark.root)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `run` is repeated `PODTRACE_RUNS` times."""
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", range(int(os.environ.get("PODTRACE_RUNS", "1"))))


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same programs are compiled once for all tests, and once for all runs where the environment names a place."""
    with pytest.MonkeyPatch.context() as patch:
        if CACHE_VARIABLE not in os.environ:
            # Processes that share the tests have directories in a common one.
            common = tmp_path_factory.getbasetemp()
            if "PYTEST_XDIST_WORKER" in os.environ:
                common = common.parent
            directory = common / "compiled"
            directory.mkdir(mode=0o700, exist_ok=True)
            patch.setenv(CACHE_VARIABLE, str(directory))
        yield


class Workloads:
    """The compiled loads; each is compiled when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, name: str) -> Path:
        program = self._directory / name
        if not program.exists():
            subprocess.run(["gcc", *CFLAGS, "-o", str(program), str(HERE / "workloads" / f"{name}.c")], check=True)
        return program


@pytest.fixture(scope="session")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> Workloads:
    return Workloads(tmp_path_factory.mktemp("workloads"))


class MakeCgroup(Protocol):
    """Makes a cgroup that is removed after the test, with whatever is left in it."""

    def __call__(self, name: str, kind: str = "v2") -> Path: ...


@pytest.fixture
def make_cgroup() -> Iterator[MakeCgroup]:
    made: list[Path] = []

    def make(name: str, kind: str = "v2") -> Path:
        root = hierarchy(kind)
        if root is None:
            pytest.skip(f"no cgroup {kind} hierarchy is mounted")
        path = root / name
        for missing in [parent for parent in (path, *path.parents) if not parent.exists()][::-1]:
            missing.mkdir()
            made.append(missing)
        return path

    yield make
    for path in reversed(made):
        for pid in (path / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        _remove(path)


def _remove(path: Path) -> None:
    # A killed process leaves its cgroup a little after its parent has been told.
    for _ in range(1000):
        try:
            path.rmdir()
        except OSError:
            os.sched_yield()
        else:
            return


@pytest.fixture
def cgroup(make_cgroup: MakeCgroup) -> Path:
    return make_cgroup(f"podtrace-test-{os.getpid()}")


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes the loads and tracers that a test leaves behind."""
    with ExitStack() as stack:
        yield stack


class StartLoad(Protocol):
    """Starts a load by name in a cgroup; it waits for its release."""

    def __call__(self, name: str, *arguments: str, cgroup: Path | None, wrapper: tuple[str, ...] = ()) -> Load: ...


@pytest.fixture
def start_load(workloads: Workloads, opened: ExitStack) -> StartLoad:
    def start(name: str, *arguments: str, cgroup: Path | None, wrapper: tuple[str, ...] = ()) -> Load:
        load = Load(workloads[name], *arguments, cgroup=cgroup, wrapper=wrapper)
        opened.callback(load.close)
        return load

    return start


StartTracer = Callable[..., Tracer]


@pytest.fixture
def start_tracer(opened: ExitStack) -> StartTracer:
    def start(*arguments: object, **options: object) -> Tracer:
        tracer = Tracer(*arguments, **options)  # type: ignore[arg-type]
        opened.callback(tracer.close)
        return tracer

    return start


def every_operation(cgroup: Path) -> TraceRequest:
    """All operations on files are slow."""
    return TraceRequest(target=CgroupTarget(path=str(cgroup)), topics=("files",), fs_threshold_ns=0, max_overhead_ppm=0)


class TraceProgram(Protocol):
    """Traces all that a program does to files between its `ready` and its `done`, each operation with its stack."""

    def __call__(self, command: Sequence[str], *, wrapper: Sequence[str] = ()) -> Stream: ...


@pytest.fixture
def trace_program(cgroup: Path, start_tracer: StartTracer, opened: ExitStack, tmp_path: Path) -> TraceProgram:
    """The program begins when it reads a line. `wrapper` is the tracer's."""

    def trace(command: Sequence[str], *, wrapper: Sequence[str] = ()) -> Stream:
        process = subprocess.Popen(
            ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path,
        )  # fmt: skip
        opened.callback(Path(f"/tmp/perf-{process.pid}.map").unlink, missing_ok=True)
        opened.callback(process.wait)
        opened.callback(process.kill)
        assert process.stdin is not None
        assert process.stdout is not None
        opened.enter_context(process.stdin)
        opened.enter_context(process.stdout)
        assert process.stdout.readline() == b"ready\n"
        tracer = start_tracer(every_operation(cgroup), wrapper=wrapper)
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"done\n"
        return tracer.stop()

    return trace


@pytest.fixture
def shm() -> Iterator[Path]:
    """A directory on tmpfs."""
    path = Path("/dev/shm") / f"podtrace-test-{os.getpid()}"
    path.mkdir()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def servers(make_cgroup: MakeCgroup) -> Path:
    """A cgroup beside the target: the servers' own use of their libraries is nobody's business."""
    return make_cgroup(f"podtrace-test-{os.getpid()}-servers")


@pytest.fixture
def postgresql(servers: Path, opened: ExitStack) -> Postgresql:
    return Postgresql(servers, opened)


@pytest.fixture
def mariadb(servers: Path, opened: ExitStack) -> Mariadb:
    return Mariadb(servers, opened)


@pytest.fixture
def diagnose(tmp_path: Path) -> Diagnose:
    return Diagnose(directory=tmp_path)


@pytest.fixture
def controlled(opened: ExitStack) -> Controlled:
    """Its cgroups are removed when what ran in them has ended."""
    cgroups = Controlled()
    opened.callback(cgroups.close)
    return cgroups


__all__ = ["MakeCgroup", "StartLoad", "StartTracer", "TraceProgram", "Workloads", "hierarchy"]
