"""A log of strace's as a topology and a scenario: each process' calls about sockets as steps, in their order, with their results.

It refuses to know how lines of a log are read, and touches no kernel.
"""

from collections.abc import Iterable
from ipaddress import ip_address

from netlab.errors import Place, Problem, SpecError
from netlab.importing.hosts import settled
from netlab.importing.strace_log import Log, read_log
from netlab.importing.strace_others import Others
from netlab.importing.strace_sockets import RECEIVES, SENDS, Call, Socket, Sockets, sockets_of
from netlab.importing.strace_words import is_unspecified, written
from netlab.importing.written import Host, Imported, Step

_HOST, _OTHER = "host", "other"
_ROLES = {"listen": "s", "accept": "a", "connect": "c"}
_NOTICED, _LONGEST, _MILLISECOND = 100_000_000, 1_000_000_000, 1_000_000
_GOES_ON = frozenset({"", "EINPROGRESS"})


def from_log(lines: Iterable[str], name: str, file: str) -> Imported:
    """What reproduces a log. Raises SpecError where no process in it has an internet socket."""
    log = read_log(lines)
    found = sockets_of(log.calls)
    if not found.sockets:
        message = "no process in it makes a socket of AF_INET or AF_INET6" if log.calls else "this is no log of strace's"
        raise SpecError(Problem(Place(file, 1, 1), message, "strace -f -tt -s 1000 -o FILE PROGRAM writes one"))
    playing = _Playing(found, log)
    steps = playing.steps()
    sockets, processes = _many(len(found.sockets), "socket", "s"), _many(playing.count, "process", "es")
    return Imported(
        name=name,
        about=(f"{sockets} of {processes}, as in the log {file.rpartition('/')[2]} of strace.",),
        hosts=playing.hosts,
        subnets=playing.subnets,
        steps=tuple(steps),
        notes=tuple(_notes(found, log)),
    )


def _many(count: int, what: str, plural: str) -> str:
    return f"{count} {what}{plural if count != 1 else ''}"


def _notes(found: Sockets, log: Log) -> list[str]:
    notes = [f"{what} ({count})" for what, count in sorted(found.left.items())]
    notes += [f"{log.unread} lines that are none of strace's"] if log.unread else []
    return notes + ([f"{log.unfinished} calls that never returned"] if log.unfinished else [])


class _Playing:
    def __init__(self, found: Sockets, log: Log) -> None:
        self._found = found
        self._steps: list[Step] = []
        self._actors: dict[int, str] = {}
        self._refused = [one.socket for one in found.calls if one.made.name == "connect" and one.made.errno == "ECONNREFUSED"]
        self._name()
        self._external = self._unseen()
        self._ours = {one.local[0] for one in found.sockets if one.local}
        self._others = Others(self._write, _HOST, _OTHER)
        self._supplied: list[Call] = []
        self._time = 0
        # A string that strace cut is sent as another: then nothing is asserted of what arrives.
        self._whole = all(
            len(one.bytes) == one.size for one in found.calls if one.made.name in SENDS and one.socket and not one.made.errno
        )
        self.hosts, self.subnets = self._network()

    @property
    def count(self) -> int:
        """How many processes there are."""
        return len({one.made.process for one in self._found.calls if one.socket or one.makes})

    def steps(self) -> list[Step]:
        """All of them."""
        if self._external:
            connecting = [one for one in self._found.sockets if one in self._external and one.role == "connect"]
            if connecting:
                self._comment("Whom the log's processes met, and it does not show.")
            self._others.listen(connecting, [one for one in self._refused if one])
        events = sorted(
            [(one.made.begin, 0, one) for one in self._kept()] + [(one.made.end, 1, one) for one in self._kept()],
            key=lambda event: event[:2],
        )
        for at, (_, ends, call) in enumerate(events):
            if not ends:
                alone = events[at + 1][2] is call
                self._begin(call, None if alone else f"j{call.made.begin}")
            elif events[at - 1][2] is not call:
                self._join(call, f"j{call.made.begin}")
        return self._steps

    def _kept(self) -> list[Call]:
        relevant = self._relevant()
        return [
            one
            for one in self._found.calls
            if one.socket or one.makes or one.left_open or (one.made.forked and one.made.forked in relevant)
        ]

    def _relevant(self) -> set[int]:
        """Processes that do anything with a socket, and those that they were forked from."""
        parents = {one.made.forked: one.made.process for one in self._found.calls if one.made.forked}
        found: set[int] = set()
        for one in self._found.calls:
            process = one.made.process
            while (one.socket or one.makes) and process not in found:
                found.add(process)
                if process not in parents:
                    break
                process = parents[process]
        return found

    def _begin(self, call: Call, job: str | None) -> None:
        made = call.made
        actor = self._actor(made.process)
        if made.forked:
            child = f"p{sum(one.count('/') > 0 for one in self._actors.values()) + 1}"
            self._actors[made.forked] = f"{actor}/{child}"
            self._write(actor, f"{child} = fork()")
            return
        if not made.name:
            self._comment(f"Line {made.begin}: {actor} ends.")
            for one in call.left_open:
                self._write(actor, f"close({one.name})")
            return
        text = written(call, self._address, outs=self._whole or call.socket in self._external)
        if text is None:
            self._found.left[made.name] += 1
            return
        self._wait(call)
        self._before(call)
        words, result = text
        ending = f" -> {result}" if result else ""
        if job is not None:
            self._write(actor, f"{words} & as {job}{ending}")
        else:
            self._write(actor, words + ending)
            self._after(call)

    def _join(self, call: Call, job: str) -> None:
        if call.made.forked or not call.made.name:
            return
        if any(step.text.find(f"& as {job}") > 0 for step in reversed(self._steps)):
            self._write(self._actor(call.made.process), f"join {job}")
            self._after(call)

    def _before(self, call: Call) -> None:
        if call.made.name.startswith("accept") and call.makes in self._external and call.makes is not None:
            self._others.connect(call.makes)
        elif call.socket is not None and call.socket in self._external:
            receives = self._told_of(call)
            if receives is not None and receives not in self._supplied:
                self._supplied.append(receives)
                self._others.sends(call.socket, receives)

    def _told_of(self, call: Call) -> Call | None:
        """The call that receives what this one receives, or says to be there."""
        if call.made.name in RECEIVES:
            return call
        if call.made.name not in ("poll", "ppoll") or "POLLIN" not in call.made.outcome.text or not call.size:
            return None
        later = self._found.calls[self._found.calls.index(call) :]
        return next((one for one in later if one.socket is call.socket and one.made.name in RECEIVES), None)

    def _after(self, call: Call) -> None:
        one = call.socket
        if one is None or one not in self._external:
            return
        if call.made.name == "connect" and call.made.errno in _GOES_ON:
            self._others.connected(one)
        elif call.made.name in SENDS and not call.made.errno:
            self._others.sent(one, call)

    def _wait(self, call: Call) -> None:
        time, before = call.made.time, self._time
        self._time = max(self._time, time)
        if before and time - before >= _NOTICED:
            gap = time - before
            if gap > _LONGEST:
                self._comment(f"{gap / 1e9:.1f} s passed here in the log.")
            self._steps.append(Step(host="wait", text=f"{min(gap, _LONGEST) // _MILLISECOND}ms"))

    def _write(self, host: str, text: str) -> None:
        self._steps.append(Step(host=host, text=text))

    def _comment(self, text: str) -> None:
        self._steps.append(Step(text=text))

    def _actor(self, process: int) -> str:
        if process not in self._actors:
            if self._actors:
                child = f"p{len(self._actors)}"
                self._write(_HOST, f"{child} = fork()")
                self._actors[process] = f"{_HOST}/{child}"
            else:
                self._actors[process] = _HOST
        return self._actors[process]

    def _name(self) -> None:
        """Names by what the sockets are."""
        counts: dict[str, int] = {}
        for one in self._found.sockets:
            letter = "u" if one.kind == "SOCK_DGRAM" else _ROLES.get(one.role, "n")
            counts[letter] = counts.get(letter, 0) + 1
            one.name = letter + (str(counts[letter]) if counts[letter] > 1 else "")
        for call in self._found.calls:
            # A datagram socket need not connect() for the other side to be there.
            sender = call.socket
            if sender is not None and sender.kind == "SOCK_DGRAM" and call.made.name in SENDS and call.address and not sender.role:
                sender.role, sender.remote = "connect", call.address

    def _unseen(self) -> set[Socket]:
        """The sockets whose other side is not in the log."""
        bound = {(one.kind, one.local[1]) for one in self._found.sockets if one.local and one.role in ("listen", "")}
        bound |= {(one.kind, one.local[1]) for one in self._found.sockets if one.local and one.kind == "SOCK_DGRAM"}
        outgoing = [one for one in self._found.sockets if one.role == "connect"]
        found = {one for one in outgoing if one.remote and (one.kind, one.remote[1]) not in bound}
        inside = [one for one in outgoing if one not in found]
        for one in self._found.sockets:
            if one.role == "accept" and one.local:
                match = next((other for other in inside if other.remote and other.remote[1] == one.local[1]), None)
                if match is None:
                    found.add(one)
                else:
                    inside.remove(match)
        return found

    def _network(self) -> tuple[tuple[Host, ...], tuple[str, ...]]:
        if not self._external:
            return (Host(name=_HOST),), ()
        remote = sorted({one.remote[0] for one in self._external if one.remote})
        local = sorted(address for address in self._ours if not is_unspecified(address) and address not in remote)
        if len(remote) == 1 and len(local) == 1 and not ip_address(remote[0]).is_loopback and not ip_address(local[0]).is_loopback:
            addresses, subnets = settled({(local[0], ""): _HOST, (remote[0], ""): _OTHER})
            if len(subnets) == 1:
                return tuple(Host(name=name, addresses=(addresses[name],)) for name in (_HOST, _OTHER)), subnets
        return (Host(name=_HOST), Host(name=_OTHER)), ()

    def _address(self, end: tuple[str, int], remote: bool) -> str:
        host, port = end
        six = ":" in host
        if is_unspecified(host):
            return f"[::]:{port}" if six else f"0.0.0.0:{port}"
        if remote:
            outside = any(one.remote == end for one in self._external)
            if outside or (self._external and not ip_address(host).is_loopback and host not in self._ours):
                return f"{_OTHER}:{port}"
        elif self._external:
            # The other host has to reach what was bound to a loopback's address, too.
            return f"[::]:{port}" if six else f"0.0.0.0:{port}"
        if ip_address(host).is_loopback or not self._external:
            return ("[::1]" if six else "127.0.0.1") + f":{port}"
        return f"{_HOST}:{port}"
