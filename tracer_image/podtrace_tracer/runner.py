"""One trace from the header to the trailer."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from kubectl_podtrace import __version__
from kubectl_podtrace.wire.fields import MAX_TEXT
from kubectl_podtrace.wire.records import Header, Notice, Probe, Record, Trailer
from kubectl_podtrace.wire.request import TraceRequest
from kubectl_podtrace.wire.topics import TOPICS
from kubectl_podtrace.wire.version import WIRE_VERSION
from podtrace_tracer.collectors import base, queries
from podtrace_tracer.collectors.model import ProbeSpec
from podtrace_tracer.collectors.registry import collectors_of
from podtrace_tracer.cost.overhead import Overhead
from podtrace_tracer.cost.probe_groups import groups_of
from podtrace_tracer.cost.run_times import RunTimes
from podtrace_tracer.kernel import kernel_helper, syscalls, trace_events
from podtrace_tracer.kernel.btf import Btf, BtfError
from podtrace_tracer.kernel.host import Host
from podtrace_tracer.programs import headers, kernel_functions, program
from podtrace_tracer.programs.bpf import BpfError, Programs, online_cpus, possible_cpus
from podtrace_tracer.programs.compilation import Cache, CompileError, Compiler
from podtrace_tracer.readers import client_probes
from podtrace_tracer.readers.model import Takers, TraceContext
from podtrace_tracer.readers.paths import Paths
from podtrace_tracer.readers.registry import readers_of
from podtrace_tracer.readers.tables import Tables
from podtrace_tracer.refusal import RefusedError
from podtrace_tracer.stop import Stop
from podtrace_tracer.stream.activity import ActivityReader
from podtrace_tracer.stream.emit import Emitter
from podtrace_tracer.stream.events import Events
from podtrace_tracer.stream.pace import Pace
from podtrace_tracer.stream.snapshot import Snapshots
from podtrace_tracer.symbols.frames import FrameBook
from podtrace_tracer.target import existing, scope
from podtrace_tracer.target.scopes import Scopes

DRAIN_NS: Final = 100_000_000
TURNS_PER_SECOND: Final = 10
SAMPLES_PER_S: Final = 99
"""Not 100: what programs do by the clock would otherwise always or never be met."""


class Runner:
    """Holds the state of one trace."""

    def __init__(self, request: TraceRequest, host: Host, emitter: Emitter, stop: Stop) -> None:
        self._request = request
        self._host = host
        self._emitter = emitter
        self._stop = stop
        self._mode = ""
        self._bcc_version = ""
        self._started_ns = 0
        self._probes: list[Probe] = []
        self._remarks: list[Record] = []
        self._frames = FrameBook(host.proc)

    def run(self) -> None:
        """Traces until the request's end or an order to stop. Raises RefusedError when that is impossible."""
        self._emitter.emit(self._header())
        self._host.check()
        programs, target = self._compile()
        try:
            scopes = Scopes(programs, target)
            self._emitter.emit_all(scopes.records())
            self._stop.wait(0)
            if self._stop.reason:
                return
            self._attach(programs)
            self._meet_existing(programs, scopes, target)
            self._trace(programs, scopes, target)
        finally:
            self._frames.close()
            programs.close()

    def _header(self) -> Header:
        return Header(
            wire_version=WIRE_VERSION,
            tracer_version=__version__,
            node=os.environ.get("NODE_NAME", os.uname().nodename),
            kernel=self._host.release,
            machine=self._host.machine,
            bcc_version=self._bcc_version,
            boot_id=self._host.boot_id(),
            realtime_offset_ns=time.time_ns() - time.monotonic_ns(),
            topics=self._request.topics,
            fs_threshold_ns=self._request.fs_threshold_ns,
            rtt_threshold_ns=self._request.rtt_threshold_ns,
            duration_ns=self._request.duration_ns,
            scope_mode=self._mode,
            started_ns=self._started_ns,
        )

    def _compile(self) -> tuple[Programs, scope.Target]:
        topics, machine = self._request.topics, self._host.machine
        wanted = program.wanted_structs(topics, machine)
        # Made first: the compiler gets ready while the kernel's types are read.
        with closing(Compiler(Cache.of_environment())) as compiler:
            try:
                btf = Btf.load(self._host.btf, wanted={*wanted, "cgroup_subsys_id", *kernel_functions.NAMES})
            except (BtfError, OSError) as error:
                raise RefusedError("no-btf", f"the kernel's type information cannot be read: {error}") from error
            has_helper = kernel_helper.is_allowed(kernel_helper.GET_CURRENT_ANCESTOR_CGROUP_ID)
            target = scope.find(self._request, self._host, btf, has_helper=has_helper)
            self._mode = target.match.mode
            self._note_absent(btf)
            compiled = self._compiled_topics(target)
            with tempfile.TemporaryDirectory(prefix="podtrace-") as directory:
                tree = headers.write_tree(Path(directory), btf, wanted, release=self._host.release, machine=machine)
                return self._programs(compiler, btf, target, tree.path, compiled), target

    def _compiled_topics(self, target: scope.Target) -> tuple[str, ...]:
        """Those asked for; no queries where nobody could send one, since that is a fifth of what is to be compiled."""
        topics, pids = self._request.topics, target.members()
        if not pids or client_probes.is_any_in_sight(self._host, pids):
            return topics
        return tuple(topic for topic in topics if topic != "queries")

    def _programs(
        self, compiler: Compiler, btf: Btf, target: scope.Target, tree: Path, topics: tuple[str, ...]
    ) -> Programs:
        is_new = not _as_older_kernels()
        # The variable is for trying, on other kernels, what those do whose tracepoints are preemptible.
        preemptible = kernel_functions.are_preemptible(btf) or os.environ.get("PODTRACE_CALLS") == "events"
        functions = kernel_functions.find(btf, casts=is_new, preemptible=preemptible)
        events = trace_events.find(base.BY_EVENTS) if preemptible else {}
        values = program.defines(
            replace(self._request, topics=topics),
            target.match,
            btf,
            functions=functions,
            by_events=bool(events),
            task_registers=kernel_helper.task_registers_are_allowed(),
        )
        text, flags = program.source_text(topics), program.compiler_flags(values)
        try:
            compiled = compiler.compile(text, flags, tree)
        except CompileError as error:
            if "bpf map" in str(error) and "not permitted" in str(error):
                raise RefusedError(
                    "no-capability", f"the kernel refuses the tracer's tables: {error}", _TABLES_HINT
                ) from error
            raise RefusedError(
                "compile",
                f"the BPF programs do not compile for this kernel: {error}",
                "please report this text with the kernel's release",
            ) from error
        self._bcc_version = compiled.bcc_version
        try:
            return Programs(
                compiled,
                constants=program.late_constants(values),
                kernel_functions=kernel_functions.replacements(functions),
                events=events,
                copies=program.copies_of(topics),
            )
        except BpfError as error:
            raise RefusedError("attach", f"the kernel refuses the tracer's maps: {error}", _ATTACH_HINT) from error

    def _note_absent(self, btf: Btf) -> None:
        for probe, topic in program.probes_of(self._request.topics).values():
            if not probe.is_missing(btf):
                continue
            if probe.required:
                raise RefusedError(
                    "no-probe", f"this kernel has no {probe.name}: {probe.costs}", "use --filter without it"
                )
            self._add_probe(probe, topic, reason="this kernel does not have it")

    def _add_probe(self, spec: ProbeSpec, topic: str, *, reason: str = "") -> None:
        """Tells of a probe; with a `reason` it is one that is not attached."""
        probe = Probe(
            name=spec.name,
            topic=topic,
            attached=not reason,
            required=spec.required,
            costs=spec.costs,
            reason=reason[:MAX_TEXT],
        )
        self._probes.append(probe)
        self._emitter.emit(probe)

    def _attach(self, programs: Programs) -> None:
        classes = program.syscalls_of(collectors_of(self._request.topics), self._host.machine)
        for number, value in classes.items():
            programs.set_number("syscall_classes", number, value)
        if programs.has("syscall_shapes"):
            for number, value in syscalls.shape_of_numbers(self._host.machine).items():
                programs.set_number("syscall_shapes", number, value)
        try:
            for index, name in enumerate(program.TAILS):
                if programs.defines(name):
                    programs.set_tail("raw_tails" if name in program.RAW_TAILS else "tails", index, name)
        except BpfError as error:
            raise RefusedError("attach", f"the kernel refuses the tracer's programs: {error}", _ATTACH_HINT) from error
        absent = {probe.name for probe in self._probes}
        for probe, topic in program.probes_of(self._request.topics).values():
            if probe.name not in absent:
                self._attach_one(programs, probe, topic)

    def _attach_one(self, programs: Programs, probe: ProbeSpec, topic: str) -> None:
        if not programs.defines(probe.tracepoint):
            # What this way of matching the target does not need is not missing; what it cannot have is.
            if probe.left_out:
                self._add_probe(probe, topic, reason=probe.left_out)
            return
        try:
            if probe.kind == "perf_event":
                programs.attach_clock(probe.tracepoint, SAMPLES_PER_S)
            else:
                programs.attach(probe.tracepoint)
        except BpfError as error:
            if probe.required:
                raise RefusedError("attach", f"{probe.name} cannot be attached: {error}", _ATTACH_HINT) from error
            self._add_probe(probe, topic, reason=str(error))
        else:
            self._add_probe(probe, topic)

    def _meet_existing(self, programs: Programs, scopes: Scopes, target: scope.Target) -> None:
        if target.match.mode == "processes":
            # Twice: a child born between the first reading and its parent's entry is in the second.
            for pid in (*target.members(), *scope.find_again(target, self._host)):
                programs.set_number("members", pid, scope.MEMBER_INSIDE)
                if not self._host.has_process(pid):
                    programs.delete("members", pid.to_bytes(4, "little"))
        if not programs.has("known_sockets"):
            return
        try:
            found = existing.connections_of(target.members(), self._host.proc)
            scope_of = scopes.by_pid()
            for connection in found:
                programs.set_number("known_sockets", connection.cookie, scope_of.get(connection.pid, 0))
        except Exception as error:  # noqa: BLE001  netlink's errors have no common class but this
            text = f"connections from before the trace are not known: {error}"
            self._remark(Notice(slug="existing-connections", text=text[:MAX_TEXT]))
            return
        self._remark(existing.record(found))

    def _remark(self, record: Record) -> None:
        """Tells once, and with every repetition."""
        self._remarks.append(record)
        self._emitter.emit(record)

    def _trace(self, programs: Programs, scopes: Scopes, target: scope.Target) -> None:
        topics, paths, takers = self._request.topics, Paths(), Takers()
        specs = program.probes_of(topics)
        topics_of_probes = {name: topic for name, (_, topic) in specs.items()}
        tables = Tables(programs, paths=paths, topics_of_probes=topics_of_probes)
        events = Events(programs, self._emitter, paths, limited=self._request.events_per_s > 0, takers=takers)
        context = TraceContext(
            programs=programs, host=self._host, target=target, scopes=scopes, takers=takers,
            emit_event=events.emit, frames=self._frames, paths=paths, tell=self._remark,
            is_chosen=set(topics) != set(TOPICS),
        )  # fmt: skip
        snapshots = Snapshots(tables, self._emitter, readers=readers_of(topics, context))
        self._stop.watch(programs.wake_descriptor(program.RING_BYTES), events.drain)
        self._stop.watch(self._frames.wake_descriptor, self._frames.turn)
        programs.set_number("gate", 0, 1)
        self._started_ns = time.monotonic_ns()
        self._emitter.emit(self._header())
        activity = ActivityReader(programs, topics, cpus=possible_cpus(), started_ns=self._started_ns)
        overhead = self._overhead(programs, context.blind)
        pace = Pace(watched=self._request.is_watched or not self._request.duration_ns)
        reason = self._loop(events, snapshots, scopes, pace, activity=activity, overhead=overhead)
        overhead.finish()
        # With the containers that were met last, so that all are looked at.
        self._emitter.emit_all(scopes.look())
        snapshots.last_look()
        programs.set_number("gate", 0, 0)
        ended_ns = time.monotonic_ns()
        tables.note_misses()
        programs.detach()
        events.drain()
        self._emitter.emit_all(scopes.look())
        activity.read(scopes.indices(), ended_ns)
        self._emitter.emit_all(activity.lines())
        self._repeat(scopes, overhead)
        totals = snapshots.final(scopes.indices(), ended_ns)
        self._frames.close()  # what its reader took is then part of the cost
        heartbeat = snapshots.heartbeat()
        self._emitter.emit(Trailer(ended_ns=ended_ns, reason=reason, heartbeat=heartbeat, totals=totals))

    def _overhead(self, programs: Programs, blind: set[str]) -> Overhead:
        names = {name: spec.name for name, (spec, _) in program.probes_of(self._request.topics).items()}
        attached = {probe.name for probe in self._probes if probe.attached}
        return Overhead(
            programs,
            self._emitter,
            groups=groups_of(self._request.topics, [name for name, shown in names.items() if shown in attached]),
            names=names | queries.PROGRAM_NAMES,
            limit_ppm=self._request.max_overhead_ppm,
            cpus=online_cpus(),
            machine=self._host.machine,
            run_times=RunTimes(programs),
            blind=blind,
        )

    def _loop(
        self,
        events: Events,
        snapshots: Snapshots,
        scopes: Scopes,
        pace: Pace,
        *,
        activity: ActivityReader,
        overhead: Overhead,
    ) -> str:
        """Serves the trace until its end; returns why it ended."""
        end_ns = self._started_ns + self._request.duration_ns if self._request.duration_ns else None
        turn = second = 0
        while not self._stop.reason:
            # After a stall (nobody read the stream) the turns that were missed are not made up for.
            turn = max(turn + 1, (time.monotonic_ns() - self._started_ns) // DRAIN_NS)
            due = (self._started_ns + turn * DRAIN_NS) / 1e9
            if end_ns is not None:
                due = min(due, end_ns / 1e9)
            self._stop.wait(due - time.monotonic())
            is_second = turn // TURNS_PER_SECOND > second
            if is_second or pace.is_young:
                # A container that is not known by now has done nothing by the reading before.
                self._emitter.emit_all(scopes.look())
                activity.turn(turn, scopes.indices(), is_young=pace.is_young)
            events.drain()
            self._frames.turn()
            overhead.turn(turn)
            if end_ns is not None and time.monotonic_ns() >= end_ns:
                return "duration"
            if is_second:
                second = turn // TURNS_PER_SECOND
                pace.reach(second)
                self._emitter.emit_all(activity.lines())
                if pace.is_young and pace.refresh_is_due and not pace.repeat_is_due:
                    self._emitter.emit(overhead.cost())
                snapshots.turn(scopes.indices(), pace, lambda: self._repeat(scopes, overhead))
        return self._stop.reason

    def _repeat(self, scopes: Scopes, overhead: Overhead) -> int:
        """Says again what was said once; returns the bytes."""
        said = [*self._probes, *self._remarks, *overhead.records()]
        return self._emitter.emit_all([self._header(), *scopes.records(), *said])


def _as_older_kernels() -> bool:
    """Is a new kernel to do what older ones do? That is for trying it."""
    return os.environ.get("PODTRACE_READS") == "helper"


_TABLES_HINT: Final = "before Linux 5.11 they take CAP_SYS_RESOURCE: does the tracer run privileged?"
_ATTACH_HINT: Final = "does the tracer run privileged, and is the kernel's lockdown mode off?"
