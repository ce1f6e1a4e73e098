from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_podtrace.cli import complete, trace
from kubectl_podtrace.cli.complete.candidates import Surroundings, offer_for
from kubectl_podtrace.cli.complete.offer import Candidate, Directive, Offer
from kubectl_podtrace.cli.complete.typed import VERBS, flags_of, read
from kubectl_podtrace.cli.main import main
from kubectl_podtrace.errors import UsageError
from kubectl_podtrace.report.gate.places import place_of
from kubectl_podtrace.wire.topics import FILTERS

TYPED = """-n shop -nshop -n=shop --namespace=x -v -vn --diagnose --diagnose=1s api-0 -c --all-containers
    --image-pull-secret --image-pull-secret=a --as - 10s"""


def offered(*words: str, proc: Path = Path("/nowhere"), path: str = "") -> Offer:
    """What is offered where there is no cluster."""
    typed = read(words)
    around = Surroundings(environ={"PATH": path, "HOME": "/nowhere"}, patience_s=0.0, proc=proc)
    return offer_for(typed, around).narrowed(typed.word)


def values(*words: str, proc: Path = Path("/nowhere"), path: str = "") -> list[str]:
    return [candidate.value for candidate in offered(*words, proc=proc, path=path).candidates]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_one_and_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: kubectl podtrace {verb} ")
    (found,) = (candidate for candidate in offered(verb).candidates if candidate.value == verb)
    assert found.description.startswith(("Says", "Traces", "Removes", "Completes"))


def test_verbs_are_offered_in_the_first_place_only() -> None:
    assert values("") == ["deploy/", "local", "check", "clean", "completion"]
    assert values("-n", "shop", "") == values("--", "") == values("check", "") == ["deploy/"]
    assert values("cle") == ["clean"]


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_all_flags_of_the_parser_are_offered_with_their_help(verb: str) -> None:
    words = [verb] if verb else []
    found = {each.value: each.description for each in offered(*words, "--").candidates}
    parser = read([*words, ""]).parser
    spellings = {spelling for spelling in flags_of(parser) if spelling.startswith("--")}
    assert set(found) - {"--"} == spellings
    assert ("--" in found) == (verb == "local")
    assert all(found.values())
    assert "-n" in values("-") or verb in {"local", "completion"}


def test_a_flag_is_not_offered_twice_unless_it_may_be_repeated() -> None:
    typed = ["api-0", "-vnshop", "--filter=dns", "--diagnose", "10s", "--image-pull-secret", "a"]
    left = values(*typed, "--")
    assert {"--verbose", "--namespace", "--filter", "--diagnose"}.isdisjoint(left)
    assert {"--image-pull-secret", "--container"} <= set(left)
    assert values(*typed, "--fil") == []


def test_a_flag_that_another_one_excludes_is_not_offered() -> None:
    assert values("api-0", "--qui") == ["--quiet"]
    assert values("api-0", "-v", "--qui") == []
    assert values("api-0", "-q", "--verb") == []


@given(st.lists(st.sampled_from(TYPED.split()), max_size=8))
def test_words_are_read_as_argparse_reads_them(words: list[str]) -> None:
    try:
        parsed = trace.make_parser().parse_intermixed_args(words)
    except UsageError:
        return  # who types on may still make sense of it
    typed = read([*words, ""])
    taken = {dest: vars(parsed)[dest] for dest in typed.values}
    assert typed.values == {dest: value[-1] if isinstance(value, list) else value for dest, value in taken.items()}
    assert list(typed.words) == parsed.target
    fresh = vars(trace.make_parser().parse_args([]))
    assert {dest for dest, value in vars(parsed).items() if value != fresh[dest]} <= typed.used | {"target"}


def test_behind_the_target_and_where_none_is_taken_flags_are_all_that_is_left() -> None:
    assert values("api-0", "")[:2] == ["--help", "--namespace"]
    assert values("local", "")[:2] == ["--", "--help"]
    assert values("clean", "")[:2] == ["--help", "--namespace"]
    assert values("completion", "--ins") == ["--install"]
    assert values("api-0", "--", "") == []


def test_of_a_list_the_filters_that_it_lacks_are_offered() -> None:
    assert values("--filter", "") == list(FILTERS)
    assert values("--filter", "net,d") == ["net,dns", "net,db"]
    assert values("--filter=dns,net,d") == ["dns,net,db"]
    assert offered("--filter", "n").directive == Directive.NO_FILES | Directive.NO_SPACE
    all_but_one = ",".join(list(FILTERS)[:-1]) + ","
    assert offered("--filter", all_but_one).directive == Directive.NO_FILES


def test_the_names_of_a_condition_are_offered_a_dot_at_a_time() -> None:
    found = offered("--fail-on", "")
    assert found.directive == Directive.NO_FILES | Directive.NO_SPACE | Directive.KEEP_ORDER
    assert {"dns.", "tcp.", "findings", "findings."} <= set(values("--fail-on", ""))
    assert "gate." not in values("--fail-on", "")
    assert offered("--fail-on=dns.latency.p99").candidates == (
        Candidate(value="dns.latency.p99_ns", description="duration"),
    )
    assert {"tcp.send.errors.ECONNRESET", "tcp.send.errors.EPIPE"} <= set(values("--fail-on", "tcp.send.errors."))
    assert values("--fail-on", "findings.cr") == ["findings.critical", "findings.crash-loop"]
    for complete_or_wrong in ("dns.latency.p99_ns.", "frob.", "dns.frob.x", "dns.latency.buckets.", "timeline.bursts."):
        assert values("--fail-on", complete_or_wrong) == []
    assert "--fail-on" in values("api-0", "--fail-on", "dns.lookups==0", "--fail")


@pytest.mark.parametrize("word", ["", "dns.", "dns.latency.", "tcp.send.errors.", "findings.", "cpu.", "trust."])
def test_every_name_that_is_offered_for_a_condition_is_one(word: str) -> None:
    for name in values("--fail-on", word):
        if not name.endswith("."):
            place_of(name)
        else:
            assert values("--fail-on", name), name


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--diagnose", ""], ["10s", "30s", "1m", "5m", "15m", "1h"]),
        (["--diagnose=1"], ["10s", "1m", "15m", "1h"]),
        (["--lease", ""], ["30s", "1m", "5m"]),
        (["clean", "--request-timeout", ""], ["5s", "10s", "30s"]),
        (["--image-pull-policy", ""], ["Always", "IfNotPresent", "Never"]),
        (["--image-pull-policy=I"], ["IfNotPresent"]),
        (["--export", "j"], ["json"]),
        (["-o", "j"], ["json"]),
        (["-o=j"], ["json"]),
        (["check", "-o", ""], ["json"]),
        (["--rtt-threshold", ""], []),
        (["--image", ""], []),
        (["--as", ""], []),
        (["-n", ""], []),
        (["-c", ""], []),
        (["--context", ""], []),
        (["--frob", "x", "--frob=", "--dia"], ["--diagnose"]),
        ([], ["deploy/", "local", "check", "clean", "completion"]),
    ],
)
def test_values_that_are_known_are_offered(words: list[str], expected: list[str]) -> None:
    assert values(*words) == expected


@pytest.mark.parametrize(
    ("words", "suffixes", "directive"),
    [
        (["-o", "rep"], {"json", "md", "csv", "txt"}, Directive.FILE_SUFFIXES),
        (["--events-csv", "e"], {"csv"}, Directive.FILE_SUFFIXES),
        (["--kubeconfig", "k"], set(), Directive.DEFAULT),
        (["local", "--cgroup", "/sys"], set(), Directive.DIRECTORIES),
        (["local", "--cgroup", "system"], {"/sys/fs/cgroup"}, Directive.DIRECTORIES),
        (["completion", "--dir", ""], set(), Directive.DIRECTORIES),
        (["local", "--", "ls", "--al"], set(), Directive.DEFAULT),
        (["local", "--pid", "1", "--", "/bin/l"], set(), Directive.DEFAULT),
        (["check", "-o", "rep"], set(), Directive.NO_FILES),
    ],
)
def test_files_are_left_to_the_shell(words: list[str], suffixes: set[str], directive: Directive) -> None:
    found = offered(*words)
    assert suffixes <= {candidate.value for candidate in found.candidates}
    assert bool(found.candidates) == bool(suffixes)
    assert found.directive == directive


def test_a_command_is_a_program_of_the_path(tmp_path: Path) -> None:
    for name, mode in {"serve": 0o755, "server": 0o644, "serve it": 0o755, "other": 0o755}.items():
        (tmp_path / name).touch(mode)
    (tmp_path / "services").mkdir()
    assert values("local", "--", "serv", path=f"/nowhere:{tmp_path}") == ["serve"]
    assert values("local", "-v", "--diagnose", "1s", "--", "o", path=str(tmp_path)) == ["other"]
    assert values("local", "--", "", path=str(tmp_path)) == []


def test_processes_come_with_their_command_the_newest_first(tmp_path: Path) -> None:
    commands = {1: b"init\0", 2: b"", 10: b"python3\0-c\0print(1)\n\tx\0", 9: b"\x1b[31mred\xff\0"}
    for pid, line in commands.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_bytes(line)
    (tmp_path / "self").mkdir()
    (tmp_path / "11").mkdir()  # it ended meanwhile
    found = offered("local", "--pid", "", proc=tmp_path)
    assert found.directive == Directive.NO_FILES | Directive.KEEP_ORDER
    assert found.to_text() == (
        "10\tpython3 -c print(1)\\n\\tx\n9\t\\x1b[31mred\\xff\n1\tinit\n:36\n"  # what can be typed, and no more
    )
    assert values("local", "--pid=1", proc=tmp_path) == ["10", "1"]


def test_a_long_description_is_cut() -> None:
    text = Offer(candidates=(Candidate(value="1", description="x" * 200),)).to_text()
    assert len(text.splitlines()[0]) == len("1\t") + 80


def test_no_space_follows_only_where_all_that_is_left_is_to_be_typed_on() -> None:
    found = Offer(candidates=(Candidate(value="deploy/"), Candidate(value="deploy-0")))
    assert Directive.NO_SPACE not in found.narrowed("dep").directive
    assert found.narrowed("deploy/").directive == Directive.NO_FILES | Directive.NO_SPACE
    assert found.narrowed("x").directive == Directive.NO_FILES


def test_whatever_happens_is_no_candidate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A home that is a file, a PATH of nonsense, a word that is no text.
    (tmp_path / "home").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "\udcff:/dev/null")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for words in (["\udcff"], ["local", "--", "\udcff"], ["-n\udcff", "--context", "\udcff"], ["--", "--", "\0", "\0"]):
        assert complete.run(words) == 0
        shown = capsys.readouterr()
        assert shown.out.splitlines()[-1] in {":4", ":36", ":0"}
        assert shown.err == ""
