"""TCP's calls: timelines of calls on one host and between two, and all that may come of the last one."""

import pytest
from model.sockets.tcp_sequences import sequences
from model.sockets.worlds import after, allowed, call, determined, one_host, two_hosts

from netlab.model.sockets.arriving import arrivals
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.oracle import Oracle, lasting
from netlab.model.sockets.outcomes import Seen
from netlab.model.sockets.tables import table

_OPEN = ("full",)
"""How much a full buffer takes is bounds."""


@pytest.mark.parametrize("name", [name for name in sequences() if name not in _OPEN])
def test_on_one_host_everything_is_determined(name: str) -> None:
    determined(sequences()[name])


def pair() -> Oracle:
    """c at the client, connected to a at the server, both known to be established."""
    return after(
        two_hosts(),
        "server: l = socket(AF_INET, SOCK_STREAM)",
        "server: bind(l, 0.0.0.0:4000)",
        "server: listen(l, 5)",
        "client: c = socket(AF_INET, SOCK_STREAM)",
        "client: connect(c, server:4000)",
        "server: a = accept4(l, SOCK_NONBLOCK)",
    )


def states(oracle: Oracle, process: str, name: str) -> set[str]:
    """The states that a socket may be in, whatever of what is under way has come."""
    found = set()
    for world in oracle.worlds:
        owner = world.processes[process]
        number = world.descriptions[owner.table[owner.names[name]].description].object
        for after_it in arrivals(world, (number,)):
            one = after_it.objects[number]
            assert isinstance(one, Socket)
            found.add(one.state)
    return found


def test_between_hosts_the_last_acknowledgement_may_be_under_way() -> None:
    oracle = after(
        two_hosts(),
        "server: l = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK)",
        "server: bind(l, 0.0.0.0:4000)",
        "server: listen(l, 5)",
        "client: c = socket(AF_INET, SOCK_STREAM)",
        "client: connect(c, server:4000)",
    )
    assert allowed(oracle, "accept(l)", "server") == {"EAGAIN", "fd out 10.0.0.1:*"}
    assert states(oracle, "client", "c") == {"ESTABLISHED"}


def test_a_syn_may_come_before_or_after_the_listener() -> None:
    oracle = after(
        two_hosts(),
        "server: l = socket(AF_INET, SOCK_STREAM)",
        "server: bind(l, 0.0.0.0:4000)",
        "client: c = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK)",
        "client: connect(c, server:4000)",
        "server: listen(l, 5)",
    )
    assert allowed(oracle, "send(c, buf(1), 0)", "client") == {"EAGAIN", "1", "ECONNREFUSED"}


def test_between_hosts_data_may_be_under_way_but_never_more_than_was_sent() -> None:
    oracle = after(pair(), 'client: send(c, "hello", 0)')
    assert allowed(oracle, "recv(a, buf(9), 0)", "server") == {"EAGAIN", "1..5 out *"}


def test_what_was_read_is_gone_and_the_rest_is_known() -> None:
    oracle = after(pair(), 'client: send(c, "hello", 0)')
    number = oracle.start("server", call("recv(a, buf(2), 0)"))
    assert oracle.returned(number, Seen(result=2, out='"he"')).inconsistency is None
    assert allowed(oracle, "recv(a, buf(1), 0)", "server") == {"EAGAIN", '1 out "l"'}


def test_other_bytes_than_were_sent_are_not_allowed() -> None:
    oracle = after(pair(), 'client: send(c, "hello", 0)')
    number = oracle.start("server", call("recv(a, buf(9), 0)"))
    assert oracle.returned(number, Seen(result=2, out='"xx"')).inconsistency is not None


def test_a_close_may_not_have_come_yet() -> None:
    oracle = after(pair(), "client: close(c)")
    assert states(oracle, "server", "a") == {"ESTABLISHED", "CLOSE-WAIT"}
    assert allowed(oracle, "recv(a, buf(9), 0)", "server") == {"EAGAIN", '0 out ""'}


def test_the_states_of_both_ends_on_loopback() -> None:
    oracle = after(
        one_host(),
        *sequences()["half closed"][:6],
        "shutdown(c, SHUT_WR)",
    )
    # The peer delays the acknowledgement of a FIN.
    assert states(oracle, "host", "c") == {"FIN-WAIT-1", "FIN-WAIT-2"}
    assert states(oracle, "host", "a") == {"CLOSE-WAIT"}
    after(oracle, "shutdown(a, SHUT_WR)")
    assert states(oracle, "host", "a") == {"CLOSED"}
    assert states(oracle, "host", "c") == {"CLOSED"}
    waiting = [one.state for one in oracle.worlds[0].objects.values() if isinstance(one, Socket) and one.note.get("orphan")]
    assert waiting == ["TIME-WAIT"]


def test_who_closes_first_leaves_the_connection_in_time_wait() -> None:
    oracle = after(one_host(), *sequences()["half closed"][:6], "close(a)", "close(c)", "close(l)")
    orphans = [one for one in oracle.worlds[0].objects.values() if isinstance(one, Socket)]
    assert [(one.state, one.note["orphan"]) for one in orphans] == [("TIME-WAIT", True)]


@pytest.mark.parametrize(
    ("steps", "last", "blocks"),
    [
        (6, "recv(c, buf(1), 0)", True),
        (6, "recv(a, buf(1), 0)", False),
        (3, "accept(l)", True),
        (6, "send(c, buf(100), 0)", False),
    ],
)
def test_what_stays_blocked(steps: int, last: str, blocks: bool) -> None:
    oracle = after(one_host(), *sequences()["data"][:steps])
    assert lasting(oracle.worlds[0], "host", call(last)) is blocks


def test_nothing_known_is_changed_by_asking() -> None:
    oracle = after(one_host(), *sequences()["data"][:6])
    world = oracle.worlds[0]
    before = (dict(world.objects), dict(world.connections), dict(world.descriptions), dict(world.processes))
    for text in ("send(c, buf(10), 0)", "close(c)", "shutdown(c, SHUT_RDWR)", "connect(c, unspec)", "close(l)", "accept(l)"):
        allowed(oracle, text)
    assert (world.objects, world.connections, world.descriptions, world.processes) == before


def test_every_rule_says_what_and_where() -> None:
    calls = ("connect", "listen", "accept", "accept4", "shutdown", "send", "sendto", "sendmsg", "write", "recv", "recvfrom", "read")
    rules = [rule for name in calls for rule in table(name, "tcp")]
    assert all(rule.says and (rule.source or rule.category == "unmodelled") for rule in rules)
