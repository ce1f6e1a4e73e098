"""Rules about UDP: errors, and datagrams that a full socket buffer threw away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubectl_podtrace import units
from kubectl_podtrace.analysis.findings import failures
from kubectl_podtrace.analysis.findings.evidence import FEW, GRADED, graded, share
from kubectl_podtrace.analysis.findings.finding import AnyRule, Rule, Trouble
from kubectl_podtrace.analysis.findings.observations import Observations
from kubectl_podtrace.analysis.udp import Udp

DROP_RATIO: Final = 0.01
PROBING: Final = frozenset({"EMSGSIZE"})
"""How a sender learns what size of datagrams passes."""


def _errors(section: Udp, seen: Observations) -> Iterator[Trouble]:
    for name, operation in (("UDP sends", section.send), ("UDP receives", section.receive)):
        yield from failures.failing(name, operation, seen.settings.error_threshold_ratio, expected=PROBING)


def _drops(section: Udp, _: Observations) -> Iterator[Trouble]:
    # A receive can take several datagrams, so this is at least the share that it says.
    arrived = section.drops + section.receive.count
    if section.drops < FEW or section.drops <= DROP_RATIO * arrived:
        return
    yield Trouble(
        severity=graded(section.drops, arrived),
        title="datagrams are dropped",
        fact=f"{share(section.drops, arrived)} at full socket buffers",
        evidence=f"{share(section.drops, arrived)} found the buffer of their socket full",
        next_step="the program reads too slowly: look at what its threads wait for, or raise SO_RCVBUF "
        "(net.core.rmem_max is its limit)",
    )


RULES: Final[tuple[AnyRule, ...]] = (
    Rule(
        slug="udp-errors",
        looks_for="UDP errors",
        section=lambda seen: seen.sections.udp,
        check=_errors,
        topics=("udp",),
        raised=f"{failures.RAISED}: {', '.join(f'`{name}`' for name in sorted(PROBING))}",
        severity=GRADED,
        next_step="by error: check the service behind the port, NetworkPolicies and routes",
    ),
    Rule(
        slug="udp-drops",
        looks_for="dropped datagrams",
        section=lambda seen: seen.sections.udp,
        check=_drops,
        topics=("udp",),
        tracepoints=frozenset({"udp_fail_queue_rcv_skb"}),
        raised=f"at least {FEW} datagrams are dropped at full socket buffers, and more than "
        f"{units.ratio_threshold(DROP_RATIO)} of those that arrive",
        severity=GRADED,
        next_step="find what keeps the program from reading, or raise its socket's buffer",
    ),
)
