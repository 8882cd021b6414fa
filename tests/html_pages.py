"""Results for tests of the HTML report, and a page taken apart into what a reader of it meets."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import msgspec
from results import (
    CLIENT,
    EVERYTHING,
    FAILED,
    MS,
    PASSED,
    SERVER,
    START,
    SYN,
    refused_timeline,
    result,
    segment,
)

from netlab.check.result import RunResult, ScenarioResult
from netlab.check.verdicts import Mismatch, Verdict
from netlab.report.html import dumps
from netlab.timeline.observations import (
    AnyObservation,
    CallReturned,
    CallStarted,
    Decision,
    Named,
    Packet,
    ProgramEnded,
    SocketState,
)
from netlab.timeline.timeline import Timeline

VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})
LINK = {"name": "two-hosts", "nodes": {"client": "host", "server": "host"}, "links": ["client:eth0-server:eth0"]}
HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e\x1b[31m"


def packet(at: int, host: str, direction: str, data: bytes) -> Packet:
    return Packet(time=START + at, host=host, interface="eth0", direction=direction, data=data, length=len(data))


def crossing(at: int, data: bytes, took: int = 10_000, *, back: bool = False) -> list[AnyObservation]:
    """A packet that leaves the client and arrives at the server, or back."""
    source, target = ("server", "client") if back else ("client", "server")
    return [packet(at, source, "out", data), packet(at + took, target, "in", data)]


def drop(at: int, packet_text: str, *, action: str = "drop", **more: object) -> Decision:
    return Decision(
        time=START + at,
        link="client:eth0-server:eth0",
        rule="S",
        action=action,
        occurrence=1,
        packet=packet_text,
        direction="client->server",
        key="client>server:8080 #1 S 1",
        **more,  # type: ignore[arg-type]
    )


SYN_TEXT = "client:40000 > server:8080 S seq 0 win 65535 <mss 1460> len 0"


def timeline(*observations: AnyObservation) -> Timeline:
    ordered = tuple(sorted(observations, key=lambda one: one.time))
    return msgspec.structs.replace(refused_timeline(), observations=ordered)


def scenario(
    *observations: AnyObservation, verdicts: tuple[Verdict, ...] = PASSED.verdicts[:1], name: str = "one"
) -> ScenarioResult:
    bare = tuple(msgspec.structs.replace(verdict, evidence=()) for verdict in verdicts)
    return ScenarioResult(file=f"{name}.yaml", name=name, verdicts=bare, timeline=timeline(*observations), topology=LINK)


def bulk(number: int, *, every: int = 0) -> list[AnyObservation]:
    """So many segments to the server with data and without, each two answered; a SYN every so often."""
    found: list[AnyObservation] = []
    for i in range(number):
        flags = 0x02 if every and i % every == 0 else 0x10
        if i % 3:
            found += crossing(MS + i * 20_000, segment(CLIENT, SERVER, 40000, 8080, flags, 7001 + i, 9))
        else:
            found += crossing(MS + i * 20_000, segment(SERVER, CLIENT, 8080, 40000, 0x10, 9 + i, 7001), back=True)
    return found


def busy() -> ScenarioResult:
    """A bit of everything that a ladder can show: a drop, a hold, a state, a call that never returns, a run, a program's end."""
    return scenario(
        CallStarted(
            time=START, host="client", id=1, process="client", call="socket", text="c = socket(AF_INET, SOCK_STREAM, 0)", step=0
        ),
        CallReturned(time=START + 10_000, host="client", id=1, process="client", call="socket", result=3, began=START + 1),
        Named(time=START + 10_001, host="client", process="client", name="c", fd=3, inode=77),
        CallStarted(time=START + MS, host="client", id=2, process="client", call="connect", text="connect(c, server:8080)", step=1),
        SocketState(
            time=START + MS + 1,
            host="client",
            source="tracepoint",
            old="CLOSE",
            new="SYN_SENT",
            local=(CLIENT, 40000),
            remote=(SERVER, 8080),
            inode=77,
        ),
        packet(MS + 2, "client", "out", SYN),
        drop(MS + 50_000, SYN_TEXT),
        *crossing(1000 * MS, SYN, took=300 * MS),
        drop(1001 * MS, SYN_TEXT, action="hold", barrier="b"),
        drop(1299 * MS, SYN_TEXT, action="release", barrier="b"),
        *[msgspec.structs.replace(one, time=one.time + 1400 * MS) for one in bulk(40)],
        ProgramEnded(time=START + 1500 * MS, host="server", step=2, argv=("curl", HOSTILE), status=7, stderr=HOSTILE),
        name="busy",
    )


def hostile() -> RunResult:
    """Every text that somebody else chose is markup, controls and quotes."""
    verdict = Verdict(
        id=HOSTILE,
        outcome="FAIL",
        statement=HOSTILE,
        source=HOSTILE,
        reason=HOSTILE,
        rule=HOSTILE,
        mismatches=(Mismatch(field=HOSTILE, expected=HOSTILE, actual=HOSTILE, place=HOSTILE, step=HOSTILE),),
        slice=(0, 1),
        evidence=(0, 1),
    )
    evil = msgspec.structs.replace(
        busy(),
        name=HOSTILE,
        file=HOSTILE,
        group=HOSTILE,
        verdicts=(verdict, msgspec.structs.replace(verdict, outcome="INCONCLUSIVE", mismatches=())),
        topology={"name": HOSTILE, "nodes": {HOSTILE: HOSTILE, "client": "host"}, "links": [HOSTILE]},
        played_again=(HOSTILE,),
    )
    said = (
        CallStarted(time=START, host=HOSTILE, id=1, process=HOSTILE, call=HOSTILE, text=HOSTILE, step=0),
        CallReturned(time=START + 1, host=HOSTILE, id=1, process=HOSTILE, call=HOSTILE, result=1, errno=HOSTILE, out=HOSTILE),
        Named(time=START + 2, host=HOSTILE, process=HOSTILE, name=HOSTILE, fd=3, inode=1),
    )
    other = msgspec.structs.replace(evil, timeline=Timeline(observations=said, nodes={HOSTILE: refused_timeline().nodes["client"]}))
    whole = result(evil, other)
    host = msgspec.structs.replace(whole.host, kernel=HOSTILE, capabilities={HOSTILE: HOSTILE}, pinned={HOSTILE: HOSTILE})
    told = ({"id": HOSTILE, "statement": HOSTILE, "reason": HOSTILE},)
    return msgspec.structs.replace(whole, netlab=HOSTILE, host=host, not_tested=told)


def all_kinds() -> RunResult:
    return msgspec.structs.replace(EVERYTHING, scenarios=(*EVERYTHING.scenarios, busy(), failing_in_the_middle()))


def failing_in_the_middle() -> ScenarioResult:
    one = busy()
    at = next(i for i, seen in enumerate(one.timeline.observations) if isinstance(seen, CallStarted) and seen.call == "connect")
    verdict = msgspec.structs.replace(FAILED.verdicts[0], evidence=(at,), slice=(at - 1, at, at + 1))
    return msgspec.structs.replace(one, name="stuck", verdicts=(verdict,))


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    inside: "list[Element | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.inside)

    def every(self, tag: str = "", style: str = "") -> "list[Element]":
        found = [] if (tag and self.tag != tag) or (style and style not in self.attributes.get("class", "").split()) else [self]
        return found + [each for one in self.inside if isinstance(one, Element) for each in one.every(tag, style)]


class _Reader(HTMLParser):
    """Builds the tree, and takes nothing that is not closed as it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("#root", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].inside.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> where <{self._open[-1].tag}> is open at {self.getpos()}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].inside.append(data)

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], f"<{self._open[-1].tag}> is never closed"


def parsed(page: bytes) -> Element:
    reader = _Reader()
    reader.feed(page.decode())
    reader.close()
    return reader.root


def page_of(*scenarios: ScenarioResult) -> Element:
    return parsed(dumps(result(*scenarios)))
