"""The oracle itself: worlds are values, calls overlap, what is not modelled is not judged, an inconsistency tells its reasons."""

from model.sockets.worlds import after, allowed, call, done, one_host

from netlab.model.sockets.objects import Unknown
from netlab.model.sockets.outcomes import Seen
from netlab.model.sockets.tables import all_rules, table


def test_a_call_that_is_explained_moves_the_world_on() -> None:
    oracle = one_host()
    before = oracle.worlds
    step = oracle.returned(oracle.start("host", call("s = socket(AF_INET, SOCK_STREAM, 0)")), Seen(result=3))
    assert [rule.id for rule in step.rules] == ["socket.made"]
    assert oracle.worlds[0].processes["host"].names == {"s": 3}
    assert before[0].processes["host"].names == {}, "the world before is as it was"


def test_an_inconsistency_says_what_was_seen_and_what_was_allowed() -> None:
    oracle = one_host()
    step = oracle.returned(oracle.start("host", call("socket(AF_INET, SOCK_STREAM, 0)")), Seen(result=7))
    assert step.inconsistency is not None
    assert step.inconsistency.seen == Seen(result=7)
    assert [one.rule.id for one in step.inconsistency.possible] == ["socket.made"]
    assert "POSIX.1-2024 socket()" in step.inconsistency.sentence()


def test_it_goes_on_after_an_inconsistency_without_the_call() -> None:
    oracle = one_host()
    oracle.returned(oracle.start("host", call("socket(AF_INET, SOCK_STREAM, 0)")), Seen(result=7))
    assert oracle.returned(oracle.start("host", call("socket(AF_INET, SOCK_STREAM, 0)")), Seen(result=3)).inconsistency is None


def test_two_calls_at_a_time_take_effect_in_either_order() -> None:
    for first, second in ((3, 4), (4, 3)):
        oracle = one_host()
        one = oracle.start("host", call("a = socket(AF_INET, SOCK_STREAM, 0)"))
        other = oracle.start("host", call("b = socket(AF_UNIX, SOCK_STREAM, 0)"))
        assert oracle.returned(one, Seen(result=first)).inconsistency is None
        assert oracle.returned(other, Seen(result=second)).inconsistency is None
        assert len(oracle.worlds) == 1
        assert oracle.worlds[0].processes["host"].names == {"a": first, "b": second}


def test_two_calls_at_a_time_do_not_get_the_same_number() -> None:
    oracle = one_host()
    one = oracle.start("host", call("a = socket(AF_INET, SOCK_STREAM, 0)"))
    other = oracle.start("host", call("b = socket(AF_UNIX, SOCK_STREAM, 0)"))
    assert oracle.returned(one, Seen(result=3)).inconsistency is None
    assert oracle.returned(other, Seen(result=3)).inconsistency is not None


def test_one_after_the_other_they_take_effect_in_that_order() -> None:
    oracle = after(one_host(), "a = socket(AF_INET, SOCK_STREAM, 0)")
    step = oracle.returned(oracle.start("host", call("b = socket(AF_INET, SOCK_STREAM, 0)")), Seen(result=3))
    assert step.inconsistency is not None


def test_what_is_not_modelled_is_not_judged_and_leaves_something_unknown() -> None:
    oracle = one_host()
    assert allowed(oracle, "s = socket(AF_NETLINK, SOCK_RAW, 0)") is None
    step = oracle.returned(oracle.start("host", call("s = socket(AF_NETLINK, SOCK_RAW, 0)")), Seen(result=3))
    assert (step.judged, step.inconsistency) == (False, None)
    world = oracle.worlds[0]
    number = world.descriptions[world.processes["host"].table[3].description].object
    assert isinstance(world.objects[number], Unknown)
    assert allowed(oracle, "bind(s, 127.0.0.1:80)") is None


def test_a_pair_binds_both_names() -> None:
    oracle = one_host()
    done(oracle, "(a, b) = socketpair(AF_UNIX, SOCK_STREAM, 0)")
    assert oracle.worlds[0].processes["host"].names == {"a": 3, "b": 4}


def test_every_rule_says_where_it_stands() -> None:
    for rule in all_rules().values():
        assert rule.id.startswith(rule.call + "."), rule.id
        assert rule.says, rule.id
        assert rule.source or rule.category == "unmodelled", rule.id
        assert rule.category != "fails" or rule.errno, rule.id


def test_rules_are_asked_in_the_order_of_their_tables() -> None:
    ids = [rule.id for rule in table("socket", "none")]
    assert ids.index("socket.no-family") < ids.index("socket.protocol") < ids.index("socket.made")
