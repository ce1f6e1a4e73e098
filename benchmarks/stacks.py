"""What a stack costs its operation: the read/write loop where no operation is slow, and where each one is.

`python -m benchmarks.stacks` (root). The numbers stand as text in docs/overhead.md.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.calls import READ_WRITE, CallLoad, call_loads
from benchmarks.cgroups import cgroup, unified_root
from benchmarks.tracing import Footprint, Processors, tracing
from kubectl_podtrace.wire.request import CgroupTarget, TraceRequest

ROUNDS = 7
NEVER_NS, ALWAYS_NS = 10**12, 0


def _slow_from(load: CallLoad, threshold_ns: int) -> TraceRequest:
    target = CgroupTarget(path=str(load.cgroup.path))
    return TraceRequest(target=target, topics=("files",), fs_threshold_ns=threshold_ns, max_overhead_ppm=0)


def main() -> None:
    """Measures in turns, so that what else happens on the machine meets both alike."""
    processors = Processors.of_this_process()
    found: dict[int, list[float]] = {NEVER_NS: [], ALWAYS_NS: []}
    untraced: list[float] = []
    root = unified_root(Path("/proc/self/mounts").read_text(encoding="ascii"))
    with (
        tempfile.TemporaryDirectory() as directory,
        cgroup(root, "podtrace-stacks") as parent,
        call_loads(Path(directory), parent.path, processors) as loads,
    ):
        load = next(each for each in loads if each.name == READ_WRITE)
        load.run()
        for _ in range(ROUNDS):
            untraced.append(load.run()[0].cpu_ns)
            for threshold_ns, times in found.items():
                with tracing(_slow_from(load, threshold_ns), processors, Footprint()):
                    times.append(load.run()[0].cpu_ns)
    plain, never, always = median(untraced), median(found[NEVER_NS]), median(found[ALWAYS_NS])
    print(f"a call: {plain:.0f} ns untraced, {never:.0f} traced, {always:.0f} with a stack each")
    print(f"a stack: {always - never:.0f} ns; traced/untraced {never / plain:.2f}, with stacks {always / plain:.2f}")


if __name__ == "__main__":
    main()
