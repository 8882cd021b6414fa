"""What is written as YAML reads back as the same data, and looks like the files that ship."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from netlab.document import Document
from netlab.shrink.written import WIDTH, written

_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r\x85\u2028\u2029\ufeff")
_TEXTS = st.one_of(
    st.text(_CHARACTERS, max_size=12),
    st.sampled_from(
        ["...", "S.", "a: b", "a #b", "on", "1", "0x1", "-", "- a", "? b", "->", "client->server", "a,b", "a\nb", "a\n", "~", "'"]
    ),
    st.text("ab \"\\\n#:{}[],'->", max_size=12),
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False), _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)),
    max_leaves=12,
)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


@given(st.dictionaries(st.one_of(st.sampled_from(["nodes", "links", "steps", "impair"]), _TEXTS), _VALUES, min_size=1, max_size=5))
def test_what_is_written_reads_back_the_same(data: dict[str, Any]) -> None:
    assert plain(Document.parse(written(data), "drawn.yaml").data) == data


@given(st.text(_CHARACTERS, max_size=300))
def test_no_intent_becomes_data(intent: str) -> None:
    assert plain(Document.parse(written({"a": 1}, intent), "drawn.yaml").data) == {"a": 1}


def test_a_scenario_looks_like_those_that_ship() -> None:
    data = {
        "name": "lost",
        "topology": {
            "name": "pair",
            "nodes": {"client": {}, "server": {"sysctls": {"net.ipv4.tcp_sack": 0}}},
            "links": [{"endpoints": ["client", "server"], "subnets": ["10.0.0.0/24", "fd00::/64"]}],
        },
        "impair": {"server->client": [{"match": "server > client S.", "nth": 2, "action": "drop"}]},
        "steps": [
            {"server": "bind(s, 0.0.0.0:8080)"},
            {"client": 'send(c, "hello", 0)'},
            {"client": 'send(c, "a: b", 0)'},
            {"client": "listen(c, 1)", "document": "EINVAL"},
            {"expect": {"packets": ["client > server S <mss 1460, sackOK>", "..."], "states": {"server:8080": "LISTEN"}}},
            {"repeat": {"times": 3, "steps": [{"client": "close(c)"}, {"expect": {"fds": {"client": {3: "socket"}}}}]}},
        ],
    }
    assert (
        written(data, "Fails exactly when the 2nd SYN-ACK is lost.")
        == """# Fails exactly when the 2nd SYN-ACK is lost.
name: lost
topology:
  name: pair
  nodes:
    client: {}
    server: {sysctls: {net.ipv4.tcp_sack: 0}}
  links:
    - endpoints: [client, server]
      subnets: [10.0.0.0/24, "fd00::/64"]
impair:
  server->client: [{match: server > client S., nth: 2, action: drop}]
steps:
  - server: bind(s, 0.0.0.0:8080)
  - client: send(c, "hello", 0)
  - client: 'send(c, "a: b", 0)'
  - client: listen(c, 1)
    document: EINVAL
  - expect: {packets: ["client > server S <mss 1460, sackOK>", ...], states: {"server:8080": LISTEN}}
  - repeat:
      times: 3
      steps:
        - client: close(c)
        - expect: {fds: {client: {3: socket}}}
"""
    )


def test_lines_stay_within_the_width() -> None:
    lines = written({"steps": [{"expect": {"packets": [f"client > server S seq {number}" for number in range(20)]}}]}).splitlines()
    assert len(lines) == 23
    assert max(map(len, lines)) <= WIDTH
