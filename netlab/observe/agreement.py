"""How far each source's clock is from the timeline's, CLOCK_REALTIME, measured: by bracketing what is done in a node.

It reads the clock, makes a call, and reads the clock again: what a source stamps happened in between, so that the stamp is wrong by
no more than the farther of both readings. One clock keeps its distance, so all brackets together hold it closer than any one.
The module refuses to know what a source is for, and never raises because this machine lacks one.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from netlab.errors import HostError, NetlabError
from netlab.lab.lab import LabNode
from netlab.lab.process import PIPE
from netlab.observe.calls import CallObserver
from netlab.observe.packets import LOOPBACK, Capture
from netlab.observe.states import StateObserver
from netlab.observe.strace import StraceObserver, Trace
from netlab.timeline.headers import decode
from netlab.timeline.observations import AnyObservation, SocketState, SystemCall

_WITHIN = 20.0
_ETHERTYPE = 0x88B6  # IEEE 802's second one for local experiments: no protocol takes it, and the canary's is the first
# Beginning to listen is a call and a change of state, and the shortest that there is.
_PROGRAM = """
import json, socket, sys, time
now = time.time_ns
listeners = [socket.socket() for _ in range(int(sys.argv[1]))]
listened = []
for one in listeners:
    before = now()
    one.listen()
    listened.append((before, now()))
print(json.dumps(listened))
"""

Bracket = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How well one source's clock agrees, in ns. ``bound``: it is no farther away than that, by all ``samples`` brackets together.

    ``median`` and ``worst`` are what single brackets allow. ``reason`` says why nothing was measured, "" where it was.
    """

    source: str
    samples: int = 0
    bound: int = 0
    median: int = 0
    worst: int = 0
    reason: str = ""


def agreement(source: str, stamped: Iterable[tuple[int, Bracket]]) -> Agreement:
    """What stamps and the brackets in which they were made say.

    >>> agreement("packets", [(105, (100, 200)), (395, (300, 400))])
    Agreement(source='packets', samples=2, bound=5, median=95, worst=95, reason='')
    """
    # A stamp of something that happened at t is wrong by stamp - t, and t is within the bracket.
    errors = [(stamp - after, stamp - before) for stamp, (before, after) in stamped]
    if not errors:
        return Agreement(source=source, reason="it delivered nothing of what was done")
    each = [max(abs(low), abs(high)) for low, high in errors]
    closest = max(low for low, _ in errors), min(high for _, high in errors)
    return Agreement(
        source=source,
        samples=len(errors),
        bound=max(abs(closest[0]), abs(closest[1])),
        median=round(statistics.median(each)),
        worst=max(each),
    )


def measured(node: LabNode, count: int = 200) -> tuple[Agreement, ...]:
    """Measure packets, states and calls in a node of a running lab, by ``count`` brackets each; some tenths of a second.

    The node should have nothing else to do. Raises LabError when the capture cannot be shown to work.
    """
    try:
        return (_packets(node, count), *_states_and_calls(node, count))
    except HostError as error:
        return tuple(Agreement(source=name, reason=str(error)) for name in ("packets", "states", "calls"))


def _packets(node: LabNode, count: int) -> Agreement:
    """Frames that no protocol takes, each with its number, over lo: little happens with them but that they are stamped."""
    capture = Capture({node.name: node.space.packet_socket()})
    capture.start()
    sent: list[Bracket] = []
    try:
        with node.space.packet_socket() as source:
            for number in range(count):
                frame = bytes(12) + _ETHERTYPE.to_bytes(2, "big") + b"%08d" % number
                before = time.time_ns()
                source.sendto(frame, (LOOPBACK, _ETHERTYPE))
                sent.append((before, time.time_ns()))
    finally:
        seen = [(one.time, decode(one.data)) for one in capture.stop()]
    ours = [(stamp, headers.payload) for stamp, headers in seen if headers.ethertype == _ETHERTYPE]
    return agreement("packets", ((stamp, sent[int(payload)]) for stamp, payload in ours))


def _states_and_calls(node: LabNode, count: int) -> tuple[Agreement, Agreement]:
    states, calls = StateObserver({node.space.cookie: node.name}), CallObserver({node.space.cookie: node.name})
    try:
        states.start()
        calls.start()
        listened = _run(node, count)
    finally:
        changed, made = states.stop(), calls.stop()
    listening = [one.time for one in changed if isinstance(one, SocketState) and one.new == "LISTEN"]
    stamped = zip(listening, listened, strict=True) if len(listening) == len(listened) else ()
    by_state, by_call = states.report(), calls.report()
    return (
        agreement("states", stamped) if by_state.available else Agreement(source="states", reason=by_state.reason),
        agreement("calls", _both(made, listened)) if by_call.available else _traced(node, count, by_call.reason),
    )


def _traced(node: LabNode, count: int, reason: str) -> Agreement:
    """The same of the calls by strace, where BPF is not to be had."""
    observer = StraceObserver()
    observer.start()
    try:
        trace = observer.trace(node.name)
        listened = _run(node, count, trace)
        return agreement("calls", _both(observer.stop(), listened))
    except NetlabError as error:
        return Agreement(source="calls", reason=f"{reason}; {error}")


def _run(node: LabNode, count: int, trace: Trace | None = None) -> list[Bracket]:
    """The brackets around the program's calls of listen()."""
    argv = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(count)]
    program = node.popen(trace.command(argv) if trace is not None else argv, stdout=PIPE, stderr=PIPE, text=True)
    try:
        if trace is not None:
            trace.follow(program.pid)
        output, errors = program.communicate(timeout=_WITHIN)
    finally:
        program.close()
    try:
        return [(before, after) for before, after in json.loads(output)]
    except ValueError:
        said = (errors.strip().splitlines() or ["it said nothing"])[-1]
        raise HostError(f"the program that reads the clock failed in {node.name}: {said}") from None


def _both(seen: Iterable[AnyObservation], listened: Sequence[Bracket]) -> list[tuple[int, Bracket]]:
    """The stamps of each call's entry and of its return."""
    calls = [one for one in seen if isinstance(one, SystemCall) and one.call == "listen"]
    if len(calls) != len(listened):
        return []
    return [(stamp, bracket) for one, bracket in zip(calls, listened, strict=True) for stamp in (one.began, one.time)]
