"""Reads one rule of impairment: which packets, which of those, what becomes of them; and tells what in it makes no sense together.

It does not know how a rule is carried out, nor which sockets and barriers a scenario has: of those it gives what is mentioned.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from netlab.errors import Place, Problem
from netlab.topology.reading.rule_patterns import Nodes, problems_of_pattern
from netlab.topology.schema.link import RuleFile
from netlab.topology.spec import PARAMETERS, Rule
from netlab.units import Duration
from netlab.validate import did_you_mean, named

if TYPE_CHECKING:
    from netlab.notation.packets import PacketPattern

_NEEDED: Mapping[str, tuple[str, str, str]] = {
    "hold": ("barrier", "a held packet needs a barrier to wait at", "add barrier: NAME, and later a step release: NAME"),
    "delay": ("delay", "a packet that is delayed needs to be told by how much", "add delay: 100ms"),
    "truncate": ("length", "a packet that is cut short needs a length", "add length: 40, in bytes from its IP header on"),
    "icmp": ("icmp", "a packet that is answered needs an error to be answered with", "add icmp: host-unreachable"),
}
_ALL = tuple(dict.fromkeys(key for keys in PARAMETERS.values() for key in keys))
_NO_HEADER: Mapping[str, tuple[str, ...]] = {
    "tcp": ("udp", "icmp"),
    "udp": ("tcp", "icmp"),
    "icmp": ("tcp", "udp"),
    "icmp6": ("tcp", "udp"),
    "igmp": ("tcp", "udp", "icmp"),
    "arp": ("ip", "tcp", "udp", "icmp"),
}
"""The headers that a packet of a protocol cannot have."""

_NONE = Duration(0)


class Mention(NamedTuple):
    """What a rule says of a scenario: ``kind`` is "socket" ("client.c") or "before" (a barrier)."""

    kind: str
    text: str
    place: Place


def mentions_of(file: RuleFile) -> Iterator[Mention]:
    """What a rule names that only a scenario has."""
    for socket in file.during:
        yield Mention("socket", socket, file.place("during", socket, key=True))
    if file.before is not None:
        yield Mention("before", file.before, file.place("before"))


def rule_of(file: RuleFile, nodes: Nodes, problems: list[Problem], way: tuple[str, str] | None = None) -> Rule | None:
    """The rule that a mapping stands for, None when it is wrong. ``way`` is its direction, if it is for one only."""
    from netlab.notation.lexer import NotationError  # most networks have no rule, and need not wait for these
    from netlab.notation.parse import parse_packet

    try:
        pattern = parse_packet(file.match)
    except NotationError as error:
        problems.append(file.node.problem("match", message=error.message, fix=error.fix, offset=error.offset))
        return None
    if (file.node.fields or {}).keys() - file.model_fields_set:
        return None  # some key could not be read: what the rest lacks may be that
    found = [
        *problems_of_pattern(file, pattern, nodes, way),
        *_parameters(file),
        *_selection(file, nodes),
        *_of_protocol(file, pattern),
        *_effect(file),
    ]
    problems += found
    if found:
        return None
    first, last = file.range or (1, 0)
    since, until = file.window or (None, None)
    return Rule(
        match=pattern,
        action=file.action,
        filter=file.filter or "",
        occurrences=frozenset(file.nth),
        every=file.every or 0,
        first=first,
        last=last,
        byte=file.byte,
        chance=1.0 if file.chance is None else file.chance,
        seed=file.seed,
        since=since,
        until=until,
        before=file.before or "",
        during=tuple(file.during.items()),
        barrier=file.barrier or "",
        delay=file.delay or _NONE,
        jitter=file.jitter or _NONE,
        distribution=file.distribution or "uniform",
        copies=file.copies or 1,
        by=file.by or 1,
        field=file.field or "",
        value=file.value,
        length=file.length or 0,
        mark=file.mark or "ce",
        toward=file.toward or "both",
        icmp=file.icmp or "",
        mtu=file.mtu or 0,
        place=file.place(),
    )


def _parameters(file: RuleFile) -> Iterator[Problem]:
    """The keys of other actions, and those of this one that are missing."""
    own = PARAMETERS[file.action]
    for key in _ALL:
        if getattr(file, key) is not None and key not in own:
            theirs = " or ".join(action for action, keys in PARAMETERS.items() if key in keys)
            message = f"{key} belongs to action: {theirs}, and this action is {file.action}"
            yield file.node.problem(key, message=message, fix=f"leave {key} out, or write action: {theirs}", key=True)
    key, message, fix = _NEEDED.get(file.action, ("", "", ""))
    if key and getattr(file, key) is None:
        yield file.node.problem("action", message=message, fix=fix)


def _selection(file: RuleFile, nodes: Nodes) -> Iterator[Problem]:
    """What is wrong with which of the matching packets it is."""
    for key in ("nth", "during"):
        if key in file.model_fields_set and file.node.at(key).data in ([], {}):
            yield file.node.problem(key, message="nothing is named here", fix=f"leave {key} out: then it is any packet")
    first, last = file.range or (1, 0)
    able = [nth for nth in file.nth if nth >= first and not (last and nth > last) and not (file.every and nth % file.every)]
    if file.nth and not able:
        what = " and ".join(
            [f"range: {file.node.at('range').text}"] * (file.range is not None) + [f"every: {file.every}"] * bool(file.every)
        )
        yield file.node.problem(
            "nth", message=f"none of these is in {what} too, so the rule never acts", fix="all that is written must hold at once"
        )
    elif file.every and last and last // file.every == (first - 1) // file.every:
        message = f"no multiple of {file.every} is in range: {file.node.at('range').text}, so the rule never acts"
        yield file.node.problem("every", message=message, fix="all that is written must hold at once")
    if file.before is not None and file.before == file.barrier:
        message = f'what waits at the barrier "{file.barrier}" is held until its release anyhow'
        yield file.node.problem("before", message=message, fix="leave before out", key=True)
    for socket in file.during:
        process, dot, name = socket.rpartition(".")
        node = process.partition("/")[0]
        if not dot or not name or not node:
            message = f'"{socket}" is no socket'
            yield file.node.problem("during", socket, message=message, fix="write PROCESS.NAME, such as client.c", key=True)
        elif node not in nodes:
            fix = did_you_mean(node, nodes) or f"the nodes are {named(sorted(nodes))}"
            yield file.node.problem("during", socket, message=f'no node "{node}"', fix=fix, key=True)
    random = bool(file.jitter) or file.chance not in (None, 1.0) or (file.action == "corrupt" and file.field is None)
    if file.seed is not None and not random:
        fix = "leave it out, or add chance: 1%"
        yield file.node.problem("seed", message="a seed is for what is random, and nothing here is", fix=fix, key=True)


def _of_protocol(file: RuleFile, pattern: "PacketPattern") -> Iterator[Problem]:
    """What a packet of the pattern's protocol cannot have."""
    protocol = pattern.protocol
    header = (file.field or "").partition(".")[0]
    if (protocol == "arp" and header == "ip") or (
        protocol and header in ("tcp", "udp", "icmp") and not protocol.startswith(header)
    ):
        fix = 'name a bit, as in "bit 56"' if protocol == "arp" else f"name a field of {protocol.removesuffix('6')}"
        message = f"a packet of {protocol} has no {file.field}"
        yield file.node.problem("field", message=message, fix=f"leave the pattern's protocol out, or {fix}")
    if protocol in ("", "tcp"):
        return
    if file.byte is not None:
        message = f"byte counts a TCP stream, and these packets are of {protocol}"
        yield file.node.problem("byte", message=message, fix="leave byte out; nth counts packets", key=True)
    if file.action == "reset":
        message = f"only TCP has resets, and these packets are of {protocol}"
        yield file.node.problem("action", message=message, fix="action: icmp answers with an error")
    if protocol == "arp" and file.action in ("mark", "icmp"):
        message = f"only IP has {'an ECN field' if file.action == 'mark' else 'errors'}, and these packets are of arp"
        yield file.node.problem("action", message=message, fix="action: drop loses them")


def _effect(file: RuleFile) -> Iterator[Problem]:
    """What is wrong with the values of its action's own keys, among themselves."""
    match file.action:
        case "delay":
            yield from _delay(file)
        case "corrupt":
            yield from _corrupt(file)
        case "icmp":
            yield from _icmp(file)


def _delay(file: RuleFile) -> Iterator[Problem]:
    if file.jitter and file.delay and file.jitter > file.delay:
        message = f"a delay varies by at most {file.delay}, so not by {file.jitter}"
        yield file.node.problem("jitter", message=message, fix="give a delay at least as long")
    if file.distribution is not None and not file.jitter:
        message = "a delay that does not vary has no distribution"
        yield file.node.problem("distribution", message=message, fix="add jitter: 2ms", key=True)


def _corrupt(file: RuleFile) -> Iterator[Problem]:
    from netlab.notation.header_fields import FIELDS, width_of

    if file.field is None:
        if file.value is not None:
            fix = "add field: tcp.checksum, or another one"
            yield file.node.problem("value", message="a value needs a field that it is for", fix=fix, key=True)
        return
    width = width_of(file.field)
    if width is None:
        fix = did_you_mean(file.field, FIELDS) or f'write "bit 160", or one of {named(FIELDS)}'
        yield file.node.problem("field", message=f'"{file.field}" is no field of a header', fix=fix)
    elif file.value is not None and file.value >= 1 << width:
        message = f"{file.field} has {width} bit{'s' * (width > 1)}, so at most the value {(1 << width) - 1}"
        yield file.node.problem("value", message=f"{message}, not {file.value}", fix="give a smaller one")


def _icmp(file: RuleFile) -> Iterator[Problem]:
    if file.icmp == "fragmentation-needed" and file.mtu is None:
        yield file.node.problem("icmp", message="fragmentation-needed tells its sender an MTU", fix="add mtu: 1280")
    elif file.icmp not in (None, "fragmentation-needed") and file.mtu is not None:
        message = f"{file.icmp} tells no MTU"
        yield file.node.problem("mtu", message=message, fix="leave mtu out, or write icmp: fragmentation-needed", key=True)
