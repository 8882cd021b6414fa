"""The keys of scenario and claim files and their types, as pydantic models. What steps and names mean is not known here."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from netlab.topology.schema.link import Impair
from netlab.topology.schema.values import OneOrMore, State
from netlab.units import Duration
from netlab.validate import Piece, shown

_CHANGE = re.compile(r"(>=|<=|>|<|=)?\s*[+-]?\d+")
_BOUND = re.compile(r"(>=|<=|>|<|=)?\s*\d+")
_NAME = "^(?!xfail$)[A-Za-z_][A-Za-z0-9_]*$"


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"this must be a duration, not {shown(value)}; write a number with its unit, such as 200ms")
    try:
        return Duration.parse(value).ns
    except ValueError:
        raise ValueError(f'"{value}" is no duration; write a number with its unit (ns, us, ms, s, min), such as 200ms') from None


def _change(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:+d}"  # YAML reads a plain +1 as the number 1
    if isinstance(value, str) and _CHANGE.fullmatch(value.strip()):
        return value.strip()
    raise ValueError(f"{shown(value)} is no change; write for example +1, 0 or >=1")


def _bound(value: Any) -> Any:
    written = value.strip() if isinstance(value, str) else value
    if (isinstance(written, int) and not isinstance(written, bool) and written >= 0) or (
        isinstance(written, str) and _BOUND.fullmatch(written)
    ):
        return str(written)
    raise ValueError(f"{shown(value)} is no value; write for example 200000 or >=1")


def _descriptors(value: Any) -> Any:
    """The wanted table by number, or the wanted change as text."""
    if isinstance(value, dict):
        for number, kind in value.items():
            if not str(number).isdecimal():
                raise ValueError(f"{shown(number)} is no descriptor's number; write for example {{3: socket, 4: closed}}")
            if not isinstance(kind, str):
                raise ValueError(f"descriptor {number} must be text, such as socket or closed, not {shown(kind)}")
        return {int(number): kind for number, kind in value.items()}
    if value == "unchanged" or (isinstance(value, int) and not isinstance(value, bool)):
        return value if isinstance(value, str) else f"{value:+d}"
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return f"{int(value):+d}"
    raise ValueError(f"{shown(value)} says nothing of descriptors; write a change (+2, unchanged) or a table ({{3: socket}})")


def _mark(value: Any) -> Any:
    """A mark's name, or its name and what it is called with: one value, a list of them, or names with values."""
    name, given = (
        (value, None) if isinstance(value, str) else next(iter(value.items()), ("", None)) if _is_one(value) else ("", None)
    )
    if not (isinstance(name, str) and name.isidentifier()) or name == "xfail":
        fix = (
            "say it by the key xfail: REASON"
            if name == "xfail"
            else "write a name, such as slow, or one with a value: {timeout: 30}"
        )
        raise ValueError(f"{shown(value)} is no mark here; {fix}")
    return name, given


def _listed_mark(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _is_one(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1


def _id(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", text):
        raise ValueError(f'"{text}" is no id; small letters, digits, - and . only')
    return text


Id = Annotated[str, AfterValidator(_id)]
Time = Annotated[int, BeforeValidator(_duration), WithJsonSchema({"type": "string", "description": "a duration, such as 200ms"})]
Change = Annotated[str, BeforeValidator(_change), WithJsonSchema({"type": ["string", "integer"]})]
Bound = Annotated[str, BeforeValidator(_bound), WithJsonSchema({"type": ["string", "integer"]})]
Count = Annotated[int, Field(ge=0)]
DropReason = Annotated[
    str,
    Field(pattern=r"^[A-Z][A-Z0-9_]*$", description="a name of the kernel's, such as NO_SOCKET (include/net/dropreason-core.h)"),
]
Names = OneOrMore[str]
Mark = Annotated[
    Any,
    BeforeValidator(_mark),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _NAME},
                {"type": "object", "propertyNames": {"pattern": _NAME}, "minProperties": 1, "maxProperties": 1},
            ]
        }
    ),
]
Marks = Annotated[OneOrMore[Mark], BeforeValidator(_listed_mark)]


class TimerFile(Piece):
    """The timer of a TCP socket: which it is, as ss -o writes it, how often it has gone off, and how many ms it has left."""

    timer: Literal["none", "on", "keepalive", "timewait", "persist"] | None = None
    repeats: Bound | None = None
    left: Bound | None = Field(default=None, description="in milliseconds")


class ExpectFile(Piece):
    """One expectation. Only what is written is asked."""

    packets: list[str] | None = Field(default=None, description="exactly these since the expect before, in order")
    unordered: list[str] | None = Field(default=None, description="exactly these, in any order")
    at: str | None = Field(default=None, description="node:interface, to look there instead of at the senders")
    arrived: bool = Field(default=False, description="look at the receivers instead of at the senders")
    including: OneOrMore[Literal["arp", "nd", "mld"]] = Field(default=[])
    states: dict[str, State] = Field(default={})
    path: dict[str, list[State]] = Field(default={})
    fds: dict[str, Annotated[Any, BeforeValidator(_descriptors)]] = Field(default={})
    distinct: list[str] = Field(default=[])
    same: list[str] = Field(default=[])
    sockets: dict[str, dict[str, int | Change]] = Field(default={})
    listed: dict[str, bool] = Field(default={})
    queue: dict[str, dict[Literal["send", "receive"], Count]] = Field(default={})
    counters: dict[str, dict[str, Change]] = Field(default={})
    memory: dict[str, dict[str, dict[Literal["allocated", "live", "size"], int | Bound]]] = Field(default={})
    drops: dict[str, dict[DropReason, Change]] = Field(default={})
    tcp_info: dict[str, dict[str, Bound]] = Field(default={})
    timers: dict[str, TimerFile] = Field(default={})
    initial_numbers: dict[str, dict[Literal["count", "distinct", "spread", "rises", "falls"], Bound]] = Field(
        default={}, description="of the SYNs that arrived at a node since the expect before, how many, and how far apart"
    )
    within: Time = 1_000_000_000
    watch: Time = Field(default=0, alias="for")


class RepeatFile(Piece):
    """Steps done several times."""

    times: int = Field(ge=1)
    steps: list[Any] = Field(min_length=1)


class ScenarioFile(Piece):
    """A scenario: a file of its own."""

    name: str | None = Field(default=None, min_length=1)
    group: str = ""
    statement: str = ""
    sources: Names = Field(default=[])
    note: str = ""
    from_notes: bool = False
    core: bool = Field(default=False, description="one of the few that a quick look at a machine runs")
    slow: bool = Field(default=False, description="it takes a minute or more: run only when asked for")
    exclusive: bool = Field(default=False, description="it runs alone, since it rests on what the whole machine does")
    topology: Any = Field(default=None, description="a name, a path, or a topology itself")
    settings: dict[str, Any] = Field(default={}, alias="set", description="values for the topology's variables")
    impair: Impair = Field(default={}, description='quantities or rules by direction, "a->b", over those of the topology')
    timeout: Time = 5_000_000_000
    requires: Names = Field(default=[], description="programs and files without which the machine cannot try it")
    marks: Marks = Field(default=[], description="pytest's: slow, or with a value: {timeout: 30}, {flaky: {reruns: 2}}")
    xfail: Annotated[str, Field(min_length=1)] | None = Field(default=None, description="why a FAIL is expected under pytest")
    steps: list[Any] = Field(min_length=1)


class ClaimFile(Piece):
    """One claim of a file of claims."""

    id: Id
    statement: str = Field(min_length=1)
    sources: Annotated[OneOrMore[str], Field(min_length=1)]
    note: str = ""
    from_notes: bool = False
    core: bool = Field(default=False, description="one of the few that a quick look at a machine runs")
    slow: bool = Field(default=False, description="it takes a minute or more: run only when asked for")
    exclusive: bool = Field(default=False, description="it runs alone, since it rests on what the whole machine does")
    topology: Any = Field(default=None, description="a name, a path, or a topology itself")
    settings: dict[str, Any] = Field(default={}, alias="set", description="values for the topology's variables")
    impair: Impair = Field(default={}, description='quantities or rules by direction, "a->b", over those of the topology')
    timeout: Time = 5_000_000_000
    requires: Names = Field(default=[], description="programs and files without which the machine cannot try it")
    marks: Marks = Field(default=[], description="pytest's: slow, or with a value: {timeout: 30}, {flaky: {reruns: 2}}")
    xfail: Annotated[str, Field(min_length=1)] | None = Field(default=None, description="why a FAIL is expected under pytest")
    steps: list[Any] = Field(min_length=1)


class NotTestedFile(Piece):
    """One statement that is not tested."""

    id: Id
    statement: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    sources: Names = Field(default=[])


class ClaimsFile(Piece):
    """A file of claims of one group."""

    group: str = Field(min_length=1)
    claims: list[ClaimFile] = Field(default=[])
    not_tested: list[NotTestedFile] = Field(default=[])
