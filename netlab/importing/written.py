"""An imported scenario as the two files it becomes: a topology and a scenario, in YAML that a person can go on with.

It refuses to know where the steps came from.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from netlab.notation.printing import print_bytes

_WIDTH = 120
_SHORT = 240
_PLAIN = re.compile(r"[\w./:~-][^\n]*")
_NEEDS_QUOTES = re.compile(r": |:$| #|^[&*!|>%@`\"'{\[?,.-]|[\"'\\]$|\\")
_PRINTED = frozenset(b"\t\r\n") | frozenset(range(32, 127))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a scenario's steps: ``text`` at ``host`` ("" for a comment, "wait" and "expect" for these), or packets expected.

    ``within`` is how long an expect waits at most, as written ("3s"); "" for what it does unless told.
    """

    host: str = ""
    text: str = ""
    packets: tuple[str, ...] = ()
    within: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A node of the topology with its ``addresses``; a ``peer`` has no stack. ``sysctls`` are set over those that netlab pins."""

    name: str
    addresses: tuple[str, ...] = ()
    peer: bool = False
    sysctls: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A scenario and its network. ``about`` is told on top of both; ``notes`` say what is not reproduced."""

    name: str
    about: tuple[str, ...]
    hosts: tuple[Host, ...]
    subnets: tuple[str, ...] = ()
    mtu: int = 1500
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def topology(self) -> str:
        """The topology's file."""
        lines = [*_comments(self.about), f"name: {self.name}", "nodes:"]
        for host in self.hosts:
            lines.append(f"  {host.name}: {_node(host)}")
        if len(self.hosts) > 1:
            addresses = ", ".join(
                f"{host.name}: [{', '.join(map(_scalar, host.addresses))}]" for host in self.hosts if host.addresses
            )
            lines += ["links:", f"  - endpoints: [{', '.join(host.name for host in self.hosts)}]"]
            lines += ["    name: lan"] if len(self.hosts) > 2 else []
            lines += [f"    subnets: [{', '.join(map(_scalar, self.subnets))}]"] if self.subnets else []
            lines += [f"    addresses: {{{addresses}}}"] if addresses else []
            lines += [f"    mtu: {self.mtu}"] if self.mtu != 1500 else []
        return "\n".join(lines) + "\n"

    def scenario(self) -> str:
        """The scenario's file, which names the topology that lies beside it."""
        notes = [f"Not reproduced: {note}" for note in self.notes]
        lines = [*_comments(self.about), f"topology: {self.name}", *_comments(notes), "steps:"]
        for step in self.steps:
            lines += _step(step)
        return "\n".join(lines) + "\n"


def named(stem: str) -> str:
    """A name as topologies have them, from a file's: small letters, digits and -."""
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    return name if name[:1].isalpha() else f"import-{name}".rstrip("-")


def payload(data: bytes, length: int) -> str:
    """Bytes as a step has them: a string where they are short and printable, else ``buf(n)``, as also where the file lacks some."""
    if len(data) == length and length <= _SHORT and set(data) <= _PRINTED:
        return print_bytes(data)
    return f"buf({length})"


def _comments(sentences: Sequence[str]) -> list[str]:
    return [f"# {line}" for sentence in sentences for line in wrap(sentence, _WIDTH, break_long_words=False) or [""]]


def _node(host: Host) -> str:
    parts = ["kind: peer"] if host.peer else []
    if host.sysctls:
        parts.append("sysctls: {" + ", ".join(f"{name}: {value}" for name, value in host.sysctls) + "}")
    return "{" + ", ".join(parts) + "}"


def _scalar(text: str) -> str:
    """A plain YAML scalar where it may be one; in single quotes, which need no escapes, else."""
    if _PLAIN.fullmatch(text) and not _NEEDS_QUOTES.search(text) and ":" not in text[:-1].replace("::", ":", 1):
        return text
    return "'" + text.replace("'", "''") + "'"


def _step(step: Step) -> list[str]:
    if step.packets:
        within = [f"      within: {step.within}"] if step.within else []
        return ["  - expect:", *within, "      packets:", *(f"        - {_text(one)}" for one in step.packets)]
    if not step.host:
        return [f"  # {line}" for line in wrap(step.text, _WIDTH - 2, break_long_words=False)]
    return [f"  - {step.host}: {_text(step.text)}"]


def _text(text: str) -> str:
    if _NEEDS_QUOTES.search(text):
        return "'" + text.replace("'", "''") + "'"
    return text
