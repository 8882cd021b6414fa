"""Steps go with what they gave; what is left always stands by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlab.document import Document
from netlab.scenario.load import load_scenarios
from netlab.shrink.steps import Path, Step, at, kept, paths, plainer_repeats, text_of, texts
from netlab.shrink.written import written

TCP: list[Step] = [
    {"server": "s = socket(AF_INET, SOCK_STREAM, 0)"},
    {"server": "bind(s, 0.0.0.0:8080)"},
    {"server": "listen(s, 8)"},
    {"client": "c = socket(AF_INET, SOCK_STREAM, 0)"},
    {"server": "a = accept(s) & as j"},
    {"client": "connect(c, server:8080)"},
    {"server": "join j -> fd"},
    {"expect": {"states": {"client.c": "ESTABLISHED", "server.a": "ESTABLISHED"}}},
    {"client": "p = fork()"},
    {"client/p": "send(c, \"hello\", 0)"},
    {"release": "syns"},
    {"repeat": {"times": 4, "steps": [{"client": "d = socket(AF_INET, SOCK_DGRAM, 0)"}, {"client": "close(d)"}]}},
    {"expect": {"fds": {"client/p": {"3": "socket"}}}},
    {"client": "getsockname(c)"},
    {"client": "u = socket(AF_INET, SOCK_DGRAM, 0)"},
    {"client": "bind(u, 0.0.0.0:9)"},
    {"server": "w = socket(AF_INET, SOCK_DGRAM, 0)"},
    {"server": "sendto(w, \"x\", 0, client:@u)"},
]  # fmt: skip

OF_S = ("server: bind(s, 0.0.0.0:8080)", "server: listen(s, 8)")


def without(*gone: str) -> list[str]:
    wanted = [path for path in paths(TCP) if text_of(at(TCP, path)) not in gone]
    return [text for text in texts(TCP) if text not in list(texts(kept(TCP, wanted, {"syns"})[0]))]


@pytest.mark.parametrize(
    ("gone", "with_it"),
    [
        ("server: listen(s, 8)", []),
        (
            "server: s = socket(AF_INET, SOCK_STREAM, 0)",
            [*OF_S, "server: a = accept(s) & as j", "server: join j -> fd", "expect: states"],
        ),
        ("server: a = accept(s) & as j", ["server: join j -> fd", "expect: states"]),
        ("server: join j -> fd", []),
        ("client: p = fork()", ['client/p: send(c, "hello", 0)', "expect: fds"]),
        ("client: d = socket(AF_INET, SOCK_DGRAM, 0)", ["client: close(d)"]),
        ("client: u = socket(AF_INET, SOCK_DGRAM, 0)", ["client: bind(u, 0.0.0.0:9)", 'server: sendto(w, "x", 0, client:@u)']),
    ],
)  # fmt: skip
def test_a_step_takes_along_what_needs_it(gone: str, with_it: list[str]) -> None:
    assert without(gone) == [text for text in texts(TCP) if text in (gone, *with_it)]


def test_a_release_goes_with_the_rules_of_its_barrier() -> None:
    left, places = kept(TCP, paths(TCP), barriers=())
    assert [text for text in texts(TCP) if text not in list(texts(left))] == ["release: syns"]
    assert len(places) == len(paths(TCP)) - 1


def test_a_barrier_may_come_with_a_step() -> None:
    steps: list[Step] = [{"impair": {"client->server": {"match": "S", "action": "hold", "barrier": "syns"}}}, {"release": "syns"}]
    assert kept(steps, paths(steps))[0] == steps
    assert kept(steps, [(1,)])[0] == []


def test_a_repeat_is_made_plainer() -> None:
    body = [{"client": "close(1)"}]
    steps: list[Step] = [{"repeat": {"times": 8, "steps": body}}, {"wait": "1s"}]
    assert list(plainer_repeats(steps)) == [[*body, {"wait": "1s"}], [{"repeat": {"times": 4, "steps": body}}, {"wait": "1s"}]]


@given(st.sets(st.sampled_from(paths(TCP))))
def test_whatever_is_taken_away_the_rest_is_a_scenario(wanted: set[Path]) -> None:
    left, places = kept(TCP, wanted)
    assert set(places) <= wanted
    assert kept(left, paths(left))[0] == left
    if left:
        text = written({"topology": "two-hosts", "steps": left})
        assert Document.parse(text, "left.yaml").data["steps"] == left


def test_what_is_left_loads(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("left") / "left.yaml"
    for first in range(len(TCP)):
        for second in range(first, len(TCP)):
            left, _ = kept(TCP, [path for path in paths(TCP) if path[0] not in (first, second)])
            file.write_text(written({"topology": "two-hosts", "steps": left}))
            load_scenarios(file)
