"""Timelines of programs' calls, written by hand: each call a millisecond after the one before, unless time is let pass."""

from typing import Any

from netlab.check.use.findings import inconclusive, use_findings
from netlab.timeline.kernel_events import PacketDropped, Reset
from netlab.timeline.observation import Observation
from netlab.timeline.observations import Packet, SocketState, SourceReport
from netlab.timeline.process_events import ProcessExecuted, ProcessExited, ProcessForked, SignalDelivered, SystemCall
from netlab.timeline.timeline import Timeline

MS = 1_000_000
SOURCES = ("calls", "states", "events", "packets", "descriptors", "sock_diag")
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 80)
LISTENER, CONNECTION, OTHER = 1001, 1002, 1003


class Story:
    """What processes did on one host. Sockets are their inodes."""

    def __init__(self, host: str = "server") -> None:
        self.host, self.now = host, 1_000_000 * MS
        self.seen: list[Observation] = []

    def wait(self, milliseconds: float) -> None:
        self.now += int(milliseconds * MS)

    def add(self, seen: Observation) -> int:
        """The observation's time, which identifies it: no two have the same."""
        self.seen.append(seen)
        return seen.time

    def process(self, pid: int = 10, program: str = "server") -> "Program":
        return Program(self, pid, program)

    def state(self, old: str, new: str, inode: int, remote: tuple[str, int] = CLIENT, local: tuple[str, int] = SERVER) -> None:
        self.wait(0.01)
        cookie = 5000 + remote[1] if remote[1] else inode
        self.add(
            SocketState(
                time=self.now,
                host=self.host,
                source="tracepoint",
                old=old,
                new=new,
                local=local,
                remote=remote,
                cookie=cookie,
                inode=inode,
            )
        )

    def reset(self, direction: Any, inode: int, reason: str = "") -> None:
        self.wait(0.01)
        self.add(Reset(time=self.now, host=self.host, direction=direction, local=SERVER, remote=CLIENT, reason=reason, inode=inode))

    def drop(self, reason: str, data: bytes) -> None:
        self.wait(0.01)
        self.add(PacketDropped(time=self.now, host=self.host, reason=reason, data=data))

    def packet(self, data: bytes, direction: str) -> None:
        self.wait(0.01)
        self.add(Packet(time=self.now, host=self.host, interface="eth0", direction=direction, data=data, length=len(data)))

    def timeline(self, without: tuple[str, ...] = (), lossy: tuple[str, ...] = (), slack: int = 0) -> Timeline:
        reports = tuple(
            SourceReport(name=name, available=name not in without, reason="not here", lost=7 if name in lossy else 0)
            for name in SOURCES
        )
        observations: Any = tuple(sorted(self.seen, key=lambda one: one.time))
        return Timeline(observations=observations, sources=reports, slack=slack)

    def found(self, **how: Any) -> list[tuple[str, str]]:
        """Ids and severities of what is found."""
        return [(one.id, one.severity) for one in use_findings(self.timeline(**how))]

    def says(self) -> str:
        """What the only finding says."""
        (only,) = use_findings(self.timeline())
        return only.says

    def undecided(self, **how: Any) -> set[str]:
        return {rule for rule, _ in inconclusive(self.timeline(**how))}


class Program:
    """A process of a story."""

    def __init__(self, story: Story, pid: int, program: str) -> None:
        self.story, self.pid, self.program, self.tid = story, pid, program, pid

    def call(
        self,
        name: str,
        fd: int = -1,
        inode: int = 0,
        result: int = 0,
        took: float = 0.02,
        made: int = 0,
        errno: str = "",
        **more: Any,
    ) -> None:
        story = self.story
        returned = more.pop("returned", True)
        if "target_inode" in more:
            more["inode"] = more.pop("target_inode")
        story.wait(1)
        began = story.now
        story.wait(took)
        story.add(
            SystemCall(
                time=story.now,
                host=story.host,
                pid=self.pid,
                tid=more.pop("tid", self.tid),
                program=self.program,
                call=name,
                source="bpf",
                began=began,
                fd=fd,
                inode=inode,
                made=made,
                arguments=more,
                result=-1 if errno else result,
                errno=errno,
                returned=returned,
            )
        )

    def socket(self, fd: int = 3, inode: int = LISTENER, kind: str = "SOCK_STREAM", flags: tuple[str, ...] = ()) -> None:
        self.call("socket", result=fd, made=inode, domain="AF_INET", type=kind, flags=list(flags), protocol="IPPROTO_TCP")

    def listen(self, fd: int = 3, inode: int = LISTENER, backlog: int = 8, reuse: bool = True, flags: tuple[str, ...] = ()) -> None:
        self.socket(fd, inode, flags=flags)
        if reuse:
            self.call("setsockopt", fd, inode, level="SOL_SOCKET", option="SO_REUSEADDR", value=1)
        self.call("bind", fd, inode, address=["0.0.0.0", 80])
        self.call("listen", fd, inode, backlog=backlog)
        self.story.state("CLOSE", "LISTEN", inode, ("0.0.0.0", 0), ("0.0.0.0", 80))

    def established(self, remote: tuple[str, int] = CLIENT) -> None:
        """The kernel makes a connection for the listener, which nobody has accepted yet."""
        self.story.state("LISTEN", "SYN_RECV", 0, remote)
        self.story.state("SYN_RECV", "ESTABLISHED", 0, remote)

    def accept(self, fd: int = 4, inode: int = CONNECTION, remote: tuple[str, int] = CLIENT, listener: int = LISTENER) -> None:
        self.established(remote)
        self.accepted(fd, inode, remote, listener)

    def accepted(self, fd: int = 4, inode: int = CONNECTION, remote: tuple[str, int] = CLIENT, listener: int = LISTENER) -> None:
        self.call("accept", 3, listener, result=fd, made=inode, address=list(remote))

    def connect(self, fd: int = 4, inode: int = CONNECTION) -> None:
        self.socket(fd, inode)
        self.call("connect", fd, inode, address=list(SERVER), took=0.1)

    def recv(self, result: int = 5, fd: int = 4, inode: int = CONNECTION, **more: Any) -> None:
        self.call("recvfrom", fd, inode, result=result, **{"length": 4096, **more})

    def send(self, result: int = 5, fd: int = 4, inode: int = CONNECTION, **more: Any) -> None:
        self.call("sendto", fd, inode, result=result, **{"length": 5, **more})

    def close(self, fd: int = 4, inode: int = CONNECTION, **more: Any) -> None:
        self.call("close", fd, inode, **more)

    def poll(self, result: int = 1, took: float = 5, **more: Any) -> None:
        self.call("poll", result=result, took=took, **more)

    def fork(self, pid: int = 11) -> "Program":
        story = self.story
        story.wait(0.1)
        story.add(ProcessForked(time=story.now, host=story.host, parent=self.pid, pid=pid, tid=pid, program=self.program))
        return Program(story, pid, self.program)

    def executes(self, path: str) -> None:
        self.story.wait(0.1)
        self.program = path.rpartition("/")[2]
        self.story.add(ProcessExecuted(time=self.story.now, host=self.story.host, pid=self.pid, program=self.program, path=path))

    def signal(self, name: str, handled: bool = True) -> None:
        self.story.wait(0.01)
        self.story.add(
            SignalDelivered(
                time=self.story.now,
                host=self.story.host,
                pid=self.pid,
                tid=self.tid,
                program=self.program,
                signal=name,
                handled=handled,
            )
        )

    def exits(self, status: int = 0) -> None:
        self.story.wait(0.1)
        self.story.add(ProcessExited(time=self.story.now, host=self.story.host, pid=self.pid, program=self.program, status=status))
