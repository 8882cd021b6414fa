"""Checks that what a scenario's steps refer to exists when they refer to it: nodes, processes, names, jobs, barriers.

It walks the steps in their order, as the run will, but knows only what the steps say. A step that could not be read makes it
lenient about the names of that process: they may have been bound there.
"""

import re
from collections.abc import Iterable, Iterator

from netlab.errors import Place, Problem
from netlab.notation.calls import Call, JoinText, Result
from netlab.notation.packets import PacketPattern
from netlab.notation.values import Name, Rights, SocketAddress
from netlab.scenario.spec import CallStep, ExpectStep, ImpairStep, JoinStep, PeerStep, ReleaseStep, RunStep
from netlab.scenario.steps import Read
from netlab.topology.reading.one_rule import Mention
from netlab.topology.spec import Rule, Topology
from netlab.validate import Problems, did_you_mean, named
from netlab.yaml_nodes import Node

_WORDS = ("BUF", "NONE", "errno", "str", "len")
"""Names that say what is passed, or how what comes back is read, and so are nobody's."""

_NODE_IN_PATTERN = re.compile(r"([a-z][a-z0-9-]*)(?:\.([A-Za-z0-9_-]+))?(?::.*)?")
_ENDPOINT_IN_PATTERN = r"(?<![\w.:-]){}(?![\w-])"


def check_references(topology: Topology, reads: Iterable[Read], mentions: Iterable[Mention] = ()) -> list[Problem]:
    """Everything that the steps, and the scenario's rules by their ``mentions``, refer to and that is not there."""
    walk = _Walk(topology)
    walk.steps(reads)
    walk.rules(mentions)
    return list(dict.fromkeys(walk.problems))


class _Walk:
    def __init__(self, topology: Topology) -> None:
        self.problems = Problems()
        self._kinds = {node.name: node.kind for node in topology.nodes}
        ends = [end for link in topology.links for end in link.endpoints]
        self._interfaces = {name: [end.interface for end in ends if end.node == name] for name in self._kinds}
        rules = [rule for link in topology.links for _, rules in link.impair for rule in rules]
        self._barriers: set[str] = set()
        self._holding: set[str] = set()
        self._released: set[str] = set()
        self._rules(rules)
        self._names: dict[str, set[str]] = {name: set() for name, kind in self._kinds.items() if kind in ("host", "router")}
        self._lenient: set[str] = set()
        self._running: dict[str, str] = {}
        self._joined: set[str] = set()

    def steps(self, reads: Iterable[Read]) -> None:
        for read in reads:
            if read.body:
                # twice is enough to see what the second time finds left over from the first
                for _ in range(min(read.times, 2)):
                    self.steps(read.body)
            elif read.step is None:
                self._lenient.add(read.process)
            else:
                self._step(read)

    def rules(self, mentions: Iterable[Mention]) -> None:
        """After the last step: the sockets that rules mention are made by some step, the barriers that they wait for released."""
        for mention in mentions:
            process, _, name = mention.text.rpartition(".")
            names = self._names.get(process, set())
            lenient = any(process == each or process.startswith(f"{each}/") for each in self._lenient)
            if mention.kind == "socket" and name not in names and not lenient:
                if process not in self._names:
                    message = f'no process "{process}" makes sockets here'
                    fix = did_you_mean(process, self._names)
                else:
                    message = f'{process} never has anything called "{name}"'
                    fix = did_you_mean(name, names) or f"a step binds it: {process}: {name} = socket(...)"
                self._say(mention.place, message, fix)
            elif mention.kind == "before" and mention.text not in self._holding | self._released:
                known = self._holding | self._released
                fix = did_you_mean(mention.text, known) or f"a step lets it go: release: {mention.text}"
                self._say(mention.place, f'no step releases a barrier "{mention.text}"', fix)

    def _rules(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            self._holding |= {rule.barrier} if rule.barrier else set()
            self._barriers |= {barrier for barrier in (rule.barrier, rule.before) if barrier}

    def _step(self, read: Read) -> None:
        step = read.step
        if isinstance(step, CallStep | JoinStep | RunStep) and not self._process(read.process, read.head):
            return
        match step:
            case CallStep():
                self._call(read, step.what.call)
                self._result(read, step.what.result, read.said)
                self._start(read, step.what.job)
                self._bind(read.process, step.what.call)
            case RunStep():
                self._start(read, step.what.job)
            case JoinStep():
                self._join(read, step.what)
                self._result(read, step.what.result, read.said)
            case PeerStep():
                self._pattern(step.packet, read.said)
            case ImpairStep():
                self._rules(rule for each in step.disturbances for rule in each.rules)
            case ReleaseStep():
                self._released.add(step.barrier)
                if step.barrier not in self._barriers:
                    fix = did_you_mean(step.barrier, self._barriers) or "a rule with action: hold names its barrier"
                    self._say(read.said.place(), f'no rule holds packets at a barrier "{step.barrier}"', fix)
            case ExpectStep():
                self._expect(step, read.said)
                if read.document is not None:
                    self._expect(step, read.document)
        if isinstance(step, CallStep | JoinStep) and step.document is not None and read.document is not None:
            self._result(read, step.document, read.document)

    def _process(self, process: str, place: Place) -> bool:
        if process in self._names:
            return True
        if not any(process.startswith(f"{other}/") for other in self._lenient):
            name = process.rpartition("/")[2]
            fix = did_you_mean(process, self._names.keys() - self._lenient) or f"{name} = fork() makes it"
            self._say(place, f'no process "{process}" by now', fix)
        self._names[process] = set()
        self._lenient.add(process)
        return True

    def _call(self, read: Read, call: Call) -> None:
        for value in (*call.arguments, *(value for _, value in call.keywords)):
            match value:
                case Name(name) if name not in _WORDS:
                    self._known(read, name)
                case Call():
                    self._call(read, value)
                case Rights(names) if not call.name.startswith("recv"):
                    for name in names:
                        self._known(read, name)
                case SocketAddress(form="node", host=host, interface=interface):
                    self._node(read.said, host, interface)
                case SocketAddress(form="name", host=name):
                    self._known(read, name)
            if isinstance(value, SocketAddress) and value.port_of:
                self._known(read, value.port_of, anywhere=True)

    def _bind(self, process: str, call: Call) -> None:
        names = self._names[process]
        received = [name for _, value in call.keywords if isinstance(value, Rights) for name in value.names]
        received += [name for value in call.arguments if isinstance(value, Rights) for name in value.names]
        if call.name.startswith("recv"):
            names.update(received)
        if call.name == "fork":
            for child in call.binds:
                self._names[f"{process}/{child}"] = set(names)
                if process in self._lenient:
                    self._lenient.add(f"{process}/{child}")
        if call.name == "after" and call.inner is not None:
            self._bind(process, call.inner)
        names.update(call.binds)

    def _known(self, read: Read, name: str, *, anywhere: bool = False) -> None:
        process = read.process
        if name in self._names[process] or process in self._lenient:
            return
        if anywhere and (self._lenient or any(name in names for names in self._names.values())):
            return
        others = [other for other, names in self._names.items() if name in names]
        fix = did_you_mean(name, self._names[process])
        if not fix:
            fix = f"it is a name of {others[0]}" if others else "bind it first: NAME = socket(...)"
        self._say(_within(read.said, rf"\b{re.escape(name)}\b"), f'{process} has nothing called "{name}" by now', fix)

    def _result(self, read: Read, result: Result, said: Node) -> None:
        if result.form == "same" and result.name:
            names = self._names[read.process]
            if result.name not in names and read.process not in self._lenient:
                place = _within(said, rf"=\s*{re.escape(result.name)}\b")
                fix = did_you_mean(result.name, names)
                self._say(place, f'{read.process} has nothing called "{result.name}" by now', fix)

    def _start(self, read: Read, job: str) -> None:
        if not job:
            return
        if job in self._running:
            place = _within(read.said, rf"\b{re.escape(job)}\b(?=[^&]*$)")
            self._say(place, f'a job "{job}" is running already', f"join {job} first, or call this one otherwise")
        self._running[job] = read.process

    def _join(self, read: Read, what: JoinText) -> None:
        job = what.job
        place = _within(read.said, rf"(?<=join\s){re.escape(job)}\b")
        owner = self._running.pop(job, None)
        if owner is None:
            if job in self._joined:
                self._say(place, f'the job "{job}" was joined before', "a job ends once")
            elif not self._lenient:
                fix = did_you_mean(job, self._running) or f"a step starts it with & as {job}"
                self._say(place, f'no job "{job}" by now', fix)
        elif owner != read.process:
            self._say(place, f"the job \"{job}\" is {owner}'s, not {read.process}'s", f"write {owner}: join {job}")
        elif what.result.form == "blocks":
            self._running[job] = owner  # it goes on, and can be joined again
        self._joined.add(job)

    def _node(self, said: Node, name: str, interface: str) -> None:
        if name not in self._kinds:
            fix = did_you_mean(name, self._kinds) or f"the nodes are {named(self._kinds)}"
            self._say(_within(said, _ENDPOINT_IN_PATTERN.format(re.escape(name))), f'no node "{name}"', fix)
        elif interface and interface not in self._interfaces[name]:
            fix = did_you_mean(interface, self._interfaces[name]) or f"it has {named(self._interfaces[name])}"
            place = _within(said, rf"(?<={re.escape(name)}\.){re.escape(interface)}\b")
            self._say(place, f'{name} has no interface "{interface}"', fix)

    def _pattern(self, pattern: PacketPattern, said: Node) -> None:
        for text in (pattern.source, pattern.target):
            found = _NODE_IN_PATTERN.fullmatch(text)
            if found is not None:
                self._node(said, found[1], found[2] or "")

    def _expect(self, step: ExpectStep, said: Node) -> None:
        for key in ("packets", "unordered"):
            patterns = {pattern.text: pattern for one in (step.expect, step.document) for pattern in _patterns(one)}
            for item in said.at(key).items or () if said.child(key) is not None else ():
                if item.text in patterns:
                    self._pattern(patterns[item.text], item)
        if said.child("at") is not None:
            self._at(said.at("at"))
        for key in ("states", "path", "queue", "listed", "tcp_info", "timers"):
            for name, place in _keys_of(said, key):
                self._socket(name, place, port=key in ("states", "queue"))
        for key in ("distinct", "same"):
            for item in said.at(key).items or () if said.child(key) is not None else ():
                self._socket(item.text or "", item.place(), port=False)
        for key in ("fds", "memory"):
            for name, place in _keys_of(said, key):
                self._owner(name, place)
        for key in ("sockets", "counters", "drops", "initial_numbers"):
            for name, place in _keys_of(said, key):
                if name not in self._kinds:
                    fix = did_you_mean(name, self._kinds) or f"the nodes are {named(self._kinds)}"
                    self._say(place, f'no node "{name}"', fix)

    def _at(self, said: Node) -> None:
        node, colon, interface = (said.text or "").partition(":")
        if not colon:
            self._say(said.place(), f'"{said.text}" is no node:interface', f"write for example {said.text}:eth0")
        elif node not in self._kinds:
            self._say(said.place(), f'no node "{node}"', did_you_mean(node, self._kinds))
        elif interface not in (*self._interfaces[node], "lo"):
            fix = did_you_mean(interface, self._interfaces[node]) or f"it has {named(self._interfaces[node])}"
            self._say(said.place(offset=len(node) + 1), f'{node} has no interface "{interface}"', fix)

    def _owner(self, process: str, place: Place) -> bool:
        if process in self._names:
            return True
        if not any(process.startswith(f"{other}/") for other in self._lenient):
            fix = did_you_mean(process, self._names.keys() - self._lenient) or f"there is {named(self._names)}"
            self._say(place, f'no process "{process}" by now', fix)
        return False

    def _socket(self, text: str, place: Place, *, port: bool) -> None:
        node, colon, number = text.partition(":")
        if colon and port:
            if node not in self._kinds:
                self._say(place, f'no node "{node}"', did_you_mean(node, self._kinds))
            elif not number.isdecimal() or not 0 < int(number) < 65536:
                self._say(place, f'"{number}" is no port', "write for example server:8080")
            return
        process, dot, name = text.rpartition(".")
        if not dot or colon:
            self._say(place, f'"{text}" is no socket', "write PROCESS.NAME, such as client.s")
        elif self._owner(process, place) and name not in self._names[process] and process not in self._lenient:
            fix = did_you_mean(name, self._names[process]) or f"it has {named(sorted(self._names[process]))}"
            self._say(place, f'{process} has nothing called "{name}" by now', fix)

    def _say(self, place: Place, message: str, fix: str = "") -> None:
        self.problems.append(Problem(place, message, fix))


def _keys_of(said: Node, key: str) -> Iterator[tuple[str, Place]]:
    under = said.child(key)
    for name, (at, _) in (under.fields or {}).items() if under is not None else ():
        yield name, at.place()


def _patterns(expectation: object) -> tuple[PacketPattern, ...]:
    packets = getattr(expectation, "packets", None)
    return packets.patterns if packets is not None else ()


def _within(said: Node, pattern: str) -> Place:
    """Where a word stands within a step's text."""
    found = re.search(pattern, said.text or "")
    return said.place(offset=found.start() if found else 0)
