from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from kubectl_podtrace.cli.own_traces import OwnTraces, own_traces
from kubectl_podtrace.cluster.leftovers import Client, TracerPod

HOLD = """
import sys
from pathlib import Path
from kubectl_podtrace.cli.own_traces import OwnTraces
with OwnTraces(Path(sys.argv[1]), host="here").running("s1") as client_id:
    print(client_id, flush=True)
    sys.stdin.read()
"""


def pod(client_id: str, session: str = "s1") -> TracerPod:
    return TracerPod(
        namespace="shop",
        name="podtrace-x",
        target="shop/x",
        node="n",
        session=session,
        client_id=client_id,
        user="",
        created=datetime.now(UTC),
        ended=None,
        deadline=None,
    )


def here(directory: Path) -> OwnTraces:
    return OwnTraces(directory, host="here")


def test_the_id_is_random_and_stays(tmp_path: Path) -> None:
    first = here(tmp_path / "a")
    assert len(first.client_id) == 16
    assert here(tmp_path / "a").client_id == first.client_id
    assert here(tmp_path / "b").client_id != first.client_id


def test_a_trace_is_known_to_run_while_it_does(tmp_path: Path) -> None:
    own = here(tmp_path)
    with own.running("s1") as client_id:
        assert client_id == own.client_id
        assert here(tmp_path).client_of(pod(client_id)) is Client.RUNS
        assert here(tmp_path).client_of(pod(client_id, "s2")) is Client.GONE
    assert here(tmp_path).client_of(pod(client_id)) is Client.GONE
    assert list((tmp_path / "sessions").iterdir()) == []


def test_a_trace_whose_program_was_killed_is_known_to_be_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        client_id = process.stdout.readline().strip()
        own = here(tmp_path)
        assert own.client_of(pod(client_id)) is Client.RUNS
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert own.client_of(pod(client_id)) is Client.GONE
    own.forget(pod(client_id))
    assert list((tmp_path / "sessions").iterdir()) == []


def test_another_machine_s_trace_in_a_shared_home_is_not_taken_for_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        client_id = process.stdout.readline().strip()
        process.kill()
    assert OwnTraces(tmp_path, host="there").client_of(pod(client_id)) is Client.UNKNOWN


def test_nothing_is_known_of_other_clients_or_odd_sessions(tmp_path: Path) -> None:
    own = here(tmp_path)
    assert own.client_of(pod("0123456789abcdef")) is Client.UNKNOWN
    assert own.client_of(pod(own.client_id, "../client-id")) is Client.UNKNOWN


def test_where_nothing_can_be_kept_no_pod_is_called_one_s_own(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    own = here(in_the_way)
    assert own.client_id == ""
    with own.running("s1") as client_id:
        assert client_id == ""
    assert own.client_of(pod("")) is Client.UNKNOWN


def test_where_a_running_trace_cannot_be_marked_its_pod_gets_no_id(tmp_path: Path) -> None:
    own = here(tmp_path)
    (tmp_path / "sessions").touch()
    with own.running("s1") as client_id:
        assert client_id == ""


def test_an_id_that_is_none_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "client-id").write_text("Robert'); DROP", encoding="utf-8")
    assert here(tmp_path).client_id == ""


def test_the_state_is_where_the_environment_says(tmp_path: Path) -> None:
    own_traces({"HOME": str(tmp_path)})
    assert (tmp_path / ".local/state/kubectl-podtrace/client-id").exists()
    own_traces({"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "x")})
    assert (tmp_path / "x/kubectl-podtrace/client-id").exists()
