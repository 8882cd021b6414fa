"""`Lab` as a Python user sees it: a network from YAML, real sockets and programs in its hosts, and what was seen of them.

It joins lab, workload and observers; it judges nothing.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from netlab.check.packet_view import view
from netlab.impair.shaping import shape
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab as _Lab
from netlab.lab.lab import LabNode
from netlab.observe.observers import Observers
from netlab.scenario.spec import CallStep, PacketsExpected
from netlab.timeline.headers import decode
from netlab.timeline.observations import CallReturned, Packet, SocketState, SystemCall
from netlab.timeline.streams import flags_text, packets_of
from netlab.timeline.timeline import Timeline
from netlab.units import milliseconds
from netlab.workload.peer import ScriptedPeer
from netlab.workload.player import Player

__all__ = ["Called", "Lab", "LabNode", "Seen"]


class Seen:
    """What was observed inside a ``with lab.observe()`` block. Complete once the block is left."""

    def __init__(self) -> None:
        self.timeline = Timeline()

    @property
    def packets(self) -> tuple[Packet, ...]:
        """The IP packets, each once, as stamped at its sender's interface, in the order of time."""
        seen = packets_of(self.timeline.observations)
        return tuple(one.packet for one in view(PacketsExpected(patterns=()), seen, self.timeline.nodes))

    @property
    def flags(self) -> list[str]:
        """The TCP flags of those packets as tcpdump writes them: ["S", "S.", "."]."""
        headers = [decode(packet.data) for packet in self.packets]
        return [flags_text(one.flags) for one in headers if one.protocol == "tcp"]

    @property
    def states(self) -> tuple[SocketState, ...]:
        """The changes of the state of TCP sockets, in the order of time (none without a source for them: netlab-ns doctor)."""
        return tuple(one for one in self.timeline.observations if isinstance(one, SocketState))

    @property
    def calls(self) -> tuple[CallReturned | SystemCall, ...]:
        """The calls that returned: those of a host's agent, and with ``calls=True`` those of every program in the lab."""
        return tuple(one for one in self.timeline.observations if isinstance(one, CallReturned | SystemCall))

    @property
    def lost(self) -> int:
        """How many observations the sources lost; nothing is known to be absent unless this is 0."""
        return sum(source.lost for source in self.timeline.sources)


class Observation:
    """A running observation; gives ``Seen``."""

    def __init__(self, lab: "Lab", options: Mapping[str, Any]) -> None:
        self._lab, self._options = lab, options
        self.seen = Seen()

    def __enter__(self) -> Seen:
        self._observers = Observers(self._lab, **self._options).start()
        return self.seen

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._observers.stop()
        self.seen.timeline = self._observers.whole()


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What a raw call gave: its value, errno's name ("" on success), and its out-parameter decoded."""

    result: int
    errno: str
    out: Any


class Lab(_Lab):
    """A running network. Use it in a ``with`` statement.

    Raises SpecError for a bad file when loaded, HostError on entry when this machine lets us make no namespaces.
    """

    @classmethod
    def load(cls, topology: str | Path, **settings: object) -> Self:
        """A lab of a topology file, by its path, or by the name of one in ./topologies or in the package.

        ``settings`` are values for the file's ``vars``: ``Lab.load("star", hosts=50)``.
        """
        from netlab.topology.load import find_topology, load_topology

        return cls(load_topology(find_topology(str(topology), None), _texts(settings)))

    @classmethod
    def parse(cls, text: str, name: str = "<topology>", **settings: object) -> Self:
        """A lab of a topology written out as YAML text; ``settings`` as for ``load``."""
        from netlab.document import Document
        from netlab.topology.load import parse_topology

        return cls(parse_topology(Document.parse(text, name), settings=_texts(settings)))

    def __enter__(self) -> Self:
        super().__enter__()
        self._running = ExitStack()
        try:
            self.noted += shape(self)
            self._wires = Wire.of(self)
            self._wires.start()
            self._running.callback(self._wires.stop)
            self.peers = {name: ScriptedPeer(node, nodes=self.nodes) for name, node in self.nodes.items() if node.kind == "peer"}
            for peer in self.peers.values():
                peer.start()
                self._running.callback(peer.stop)
            self.start()
            self._records: list[Any] = []
            self._player = self._running.enter_context(
                Player(self, self._records.append, milliseconds(5000), peers=self.peers, barriers=self._wires)
            )
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._running.close()
        finally:
            super().__exit__(kind, error, trace)

    def observe(self, **options: Any) -> Observation:
        """Watch the whole lab from now on until the block is left."""
        return Observation(self, options)

    def call(self, host: str, text: str) -> Called:
        """Make one raw call in a host's agent, as a step writes it: ``lab.call("client", "s = socket(AF_INET, SOCK_STREAM, 0)")``.

        Descriptors and errno are visible; names stay bound from call to call. Raises NotationError (a ValueError) for a bad
        text, TimeoutError when the call does not return within 5 s.
        """
        from netlab.errors import Place
        from netlab.notation.calls import CallText
        from netlab.notation.parse import parse_step

        what = parse_step(text)
        if not isinstance(what, CallText) or what.job:
            raise ValueError(f"{text!r} is not a plain call")
        first = len(self._records)
        step = CallStep(text=text, place=Place("<call>", 1, 1), host=host, process=host, what=what)
        if not self._player.play(step, first):
            raise TimeoutError(f"{host}: {text} did not return within 5 s")
        returned = next(record for record in self._records[first:] if isinstance(record, CallReturned))
        return Called(result=returned.result, errno=returned.errno or returned.signal, out=returned.out)

    def release(self, barrier: str) -> None:
        """Let go of the packets that a rule holds at a barrier."""
        self._wires.release(barrier)

    def run(self, host: str, args: Sequence[str], **options: Any) -> Any:
        """Run a program in a host; as subprocess.run."""
        return self.nodes[host].run(args, **options)


def _texts(settings: Mapping[str, object]) -> dict[str, str]:
    """Values as YAML writes them: True is true, None is null."""
    words = {True: "true", False: "false", None: "null"}
    return {name: words[value] if value is None or isinstance(value, bool) else str(value) for name, value in settings.items()}
