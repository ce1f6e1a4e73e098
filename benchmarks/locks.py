"""What a wait for a futex costs: two threads that hand over to each other, with and without the topic locks.

`python -m benchmarks.locks` (root). The numbers stand as text in docs/overhead.md.
"""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from statistics import median

from benchmarks.calls import CallLoad, compiled
from benchmarks.cgroups import cgroup, unified_root
from benchmarks.rounds import order_of, ratio
from benchmarks.tracing import Footprint, Processors, tracing
from kubectl_podtrace.wire.request import CgroupTarget, TraceRequest

ROUNDS = 7
HANDOVERS = 100_000
WAYS: dict[str, tuple[str, ...]] = {"untraced": (), "cpu": ("cpu",), "cpu and locks": ("cpu", "locks")}


def main() -> None:
    """Measures in turns, so that what else happens on the machine meets all alike."""
    processors = Processors.of_this_process()
    root = unified_root(Path("/proc/self/mounts").read_text(encoding="ascii"))
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as directory, cgroup(root, "podtrace-locks") as own:
        load = CallLoad(
            name="handover",
            command=(str(compiled("handover", Path(directory))), str(HANDOVERS)),
            operations=2 * HANDOVERS,
            cgroup=own,
            processors=processors,
        )
        load.run()
        for number in range(ROUNDS):
            for way in order_of(WAYS, number):
                target = CgroupTarget(path=str(own.path))
                request = TraceRequest(target=target, topics=WAYS[way], max_overhead_ppm=0)
                with tracing(request, processors, Footprint()) if WAYS[way] else nullcontext():
                    found[way].append(load.run()[0].cpu_ns)
    plain = median(found["untraced"])
    for way, times in found.items():
        of_untraced = ratio(times, found["untraced"])
        print(
            f"{way}: {median(times):.0f} ns a handover, {median(times) - plain:.0f} more; "
            f"{of_untraced.median:.2f} of untraced ({of_untraced.least:.2f} to {of_untraced.most:.2f})"
        )


if __name__ == "__main__":
    main()
