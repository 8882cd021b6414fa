"""Worlds to try rules in, and a driver that plays calls written in the notation: pure, no kernel."""

from collections.abc import Iterable
from ipaddress import ip_network

from netlab.model.sockets.beginning import with_process
from netlab.model.sockets.oracle import Oracle, show
from netlab.model.sockets.outcomes import Seen, candidates
from netlab.model.sockets.tables import Allowed
from netlab.model.sockets.world import Host, World
from netlab.notation.calls import Call, CallText
from netlab.notation.parse import parse_step


def one_host(*, certain: bool = True) -> Oracle:
    """One process "host" on one host that has nothing but its loopback."""
    return Oracle(with_process(World(hosts={"host": Host(name="host")}, certain=certain), "host", "host"))


def two_hosts(*, certain: bool = True) -> Oracle:
    """A process "client" at 10.0.0.1 and fd00::1, and one "server" at 10.0.0.2 and fd00::2, on one wire."""
    networks = (ip_network("10.0.0.0/24"), ip_network("fd00::/64"))
    hosts = {
        name: Host(
            name=name,
            addresses=("127.0.0.1", "::1", f"10.0.0.{number}", f"fd00::{number}"),
            networks=networks,
            interfaces={"lo": 1, "eth0": 2},
        )
        for number, name in ((1, "client"), (2, "server"))
    }
    world = World(hosts=hosts, certain=certain)
    for name in hosts:
        world = with_process(world, name, name)
    return Oracle(world)


def call(text: str) -> Call:
    """A call by its text: "s = socket(AF_INET, SOCK_STREAM, 0)"."""
    said = parse_step(text)
    assert isinstance(said, CallText)
    return said.call


def allowed(oracle: Oracle, text: str, process: str = "") -> set[str] | None:
    """What may come of a call, as results are written ("EBADF", "0 out 5"); None where that is not modelled."""
    found = oracle.allowed(process or _only(oracle), call(text))
    return None if found is None else {show(one.outcome.shown()) for one in found}


def done(oracle: Oracle, text: str, process: str = "") -> Allowed:
    """Make a call, and take it to have given the one thing that is allowed; "server: s = ..." says which process makes it."""
    who, _, rest = text.partition(": ")
    if who in oracle.worlds[0].processes:
        process, text = who, rest
    found = oracle.allowed(process or _only(oracle), call(text))
    assert found, f"{text} is not modelled"
    final = [one for one in found if one.outcome.kind != "blocks"]
    assert final, f"{text} blocks"
    outcome = final[0].outcome
    if outcome.kind == "returns":
        seen = Seen(result=candidates(outcome.value)[0], partial=True)
    else:
        seen = Seen(result=-1, errno=outcome.errno, signal=outcome.signal)
    number = oracle.start(process or _only(oracle), call(text))
    step = oracle.returned(number, seen)
    assert step.inconsistency is None, step.inconsistency.sentence()
    return final[0]


def after(oracle: Oracle, *calls: str) -> Oracle:
    """The oracle after these calls."""
    for text in calls:
        done(oracle, text)
    return oracle


def determined(steps: Iterable[str]) -> None:
    """One outcome a call on one host, up to the first that blocks or waits for another: so any other is found wrong."""
    oracle = one_host()
    for step in steps:
        if "&" in step:
            break
        found = allowed(oracle, step)
        assert found is not None, step
        several = {one for one in found if one != "blocks"}
        assert len(several) == 1, (step, found)
        done(oracle, step)


def _only(oracle: Oracle) -> str:
    (name,) = oracle.worlds[0].processes
    return name
