"""DNS by every resolver library that containers hold, each against the count of the server that they ask."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubectl_podtrace.wire.request import CgroupTarget
from tests.bpf.conftest import StartTracer
from tests.bpf.dns_network import DnsNetwork
from tests.bpf.dns_stream import asked_by_name, assert_dns_adds_up, codes, names, types
from tests.bpf.harness import ENTER_CGROUP, PATIENCE_S, ask
from tests.bpf.installed import needed

SOURCES = Path(__file__).parent / "workloads"
ANSWERED = (
    "one.example", "alias.example", "nx.example", "slow30.example", "refused.example", "Two.Example", "cut.example",
)  # fmt: skip
LOST = "lost1.example"
Words = list[str]


def compiled(built: Path, name: str, *compiler: str) -> Words:
    program = built / name
    if not program.exists():
        command = [*compiler, "-O1", "-o", str(program), str(SOURCES / "resolve.c")]
        subprocess.run(command, check=True, capture_output=True)  # glibc warns of a static getaddrinfo
    return [str(program)]


def glibc(built: Path) -> Words:
    return compiled(built, "dynamic", needed("gcc", "gcc"))


def glibc_static(built: Path) -> Words:
    return compiled(built, "static", needed("gcc", "gcc"), "-static")


def musl(built: Path) -> Words:
    return compiled(built, "musl", needed("musl-gcc", "musl-tools"), "-static")


def go(built: Path) -> Words:
    program = built / "go-resolve"
    if not program.exists():
        environment = {
            "CGO_ENABLED": "0", "GO111MODULE": "off", "GOCACHE": str(built / "go"), "PATH": os.environ["PATH"],
        }  # fmt: skip
        command = [needed("go", "golang-go"), "build", "-o", str(program), str(SOURCES / "resolve.go")]
        subprocess.run(command, env=environment, check=True)
    return [str(program)]


def java(built: Path) -> Words:
    if not (built / "Resolve.class").exists():
        compiler = needed("javac", "default-jdk-headless")
        subprocess.run([compiler, "-d", str(built), str(SOURCES / "Resolve.java")], check=True)
    return [needed("java", "default-jre-headless"), "-XX:TieredStopAtLevel=1", "-cp", str(built), "Resolve"]


def node_lookup(_: Path) -> Words:
    return [needed("node", "nodejs"), str(SOURCES / "resolve.js"), "lookup"]


def node_ares(_: Path) -> Words:
    return [needed("node", "nodejs"), str(SOURCES / "resolve.js"), "resolve"]


def python(_: Path) -> Words:
    return [needed("python3", "python3"), str(SOURCES / "resolve.py")]


def dig(_: Path) -> Words:
    return [needed("dig", "bind9-dnsutils"), "+tries=2", "+timeout=1"]


def dig_tcp(_: Path) -> Words:
    return [*dig(_), "+tcp"]


RESOLVERS: dict[str, Callable[[Path], Words]] = {
    "glibc": glibc, "glibc-static": glibc_static, "musl": musl, "go": go, "java": java, "node-lookup": node_lookup,
    "node-c-ares": node_ares, "python": python, "dig": dig, "dig-tcp": dig_tcp,
}  # fmt: skip


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("resolvers")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[DnsNetwork]:
    network = DnsNetwork(tmp_path)
    yield network
    network.close()


@pytest.fixture(params=RESOLVERS)
def resolver(request: pytest.FixtureRequest, built: Path) -> tuple[str, Words]:
    """A resolver's name, and the words that make it look up those behind them."""
    make: Callable[[Path], Words] = RESOLVERS[request.param]
    return request.param, make(built)


def may_stay_unread(name: str, asked: Counter[tuple[str, str, int]]) -> int:
    """How many answers to a name its program need not read.

    glibc asks over TCP at the first answer that is cut, and leaves the second one unread. c-ares, which learns how long
    a server takes, asks once more when that takes longer, and leaves the answer that comes last.
    """
    if name == "cut.example":
        return 1
    kinds = {kind for _, of, kind in asked if of == name}
    return sum(count for (_, of, _), count in asked.items() if of == name) - len(kinds)


def test_every_lookup_of_a_resolver_is_counted_as_the_server_counts_it(
    run: int, resolver: tuple[str, Words], network: DnsNetwork, cgroup: Path, start_tracer: StartTracer
) -> None:
    name_of_resolver, words = resolver
    tracer = start_tracer(ask(CgroupTarget(path=str(cgroup)), topics=("dns",)))
    command = ["sh", "-c", ENTER_CGROUP, "sh", str(cgroup), *network.inside, *words, *ANSWERED, LOST]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
    stream = tracer.stop()
    stream.assert_whole()
    assert_dns_adds_up(stream)
    asked, told = network.asked(), stream.counts()
    by_name: Counter[str] = Counter()
    for (_, name, _), count in asked.items():
        by_name[name] += count
    sent_again = told["dns.retransmit"].count if "dns.retransmit" in told else 0
    answered = {name.lower() for name in ANSWERED}
    assert told["dns.lookup"].count + sent_again == by_name.total()
    known = asked_by_name(stream)
    assert {name: known[name] for name in answered} == {name: by_name[name] for name in answered}
    assert set(known) == set(by_name)
    if not sent_again:
        kinds: Counter[int] = Counter()
        for (_, _, kind), count in asked.items():
            kinds[kind] += count
        assert types(stream) == kinds
    rows = names(stream)
    given: Counter[int] = Counter()
    for (name, code), count in network.answered().items():
        unread = count - rows[name].answers
        assert 0 <= unread <= may_stay_unread(name, asked), name
        given[code] += count - unread
    assert codes(stream) == given
    assert rows["nx.example"].nxdomain == rows["nx.example"].answers == by_name["nx.example"]
    assert rows["refused.example"].errors == by_name["refused.example"]
    assert rows["slow30.example"].max_ns > 30_000_000
    if name_of_resolver not in {"dig-tcp", "musl"}:  # musl asked over UDP only until 1.2.4
        assert asked["udp", "cut.example", 1] == asked["tcp", "cut.example", 1] > 0
