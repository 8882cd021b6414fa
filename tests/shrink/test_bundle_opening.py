"""A bundle's scenario stands alone as plain data: the claim out of its file, the topology with all that it includes and sets."""

from pathlib import Path

import msgspec
import pytest
from bundles import HOST, bundle, files

from netlab.bundle.loading import loaded
from netlab.bundle.spec import Bundle, Failed
from netlab.errors import SpecError
from netlab.shrink.opening import FILE, Data, alike, closed, named, named_topology, opened

HOSTS: Data = {"nodes": {"client": {}, "server": {}}}
CLAIMS = """\
group: names
claims:
  - id: one
    statement: Nothing happens.
    sources: [RFC 793]
    topology: {nodes: {a: {}}}
    steps: [a: close(7) -> EBADF]
  - id: two
    statement: A client has a server.
    sources: [RFC 9293 §3.5]
    exclusive: true
    topology: pair
    set: {mtu: 1400}
    timeout: 2s
    steps: [client: close(7) -> EBADF]
"""
PAIR = "vars: {mtu: 1500, idle: 9000}\nnodes: {client: {}, server: {}}\nlinks: [{endpoints: [client, server], mtu: '${mtu}'}]\n"


def of_claims(**options: object) -> Bundle:
    made = Bundle(
        files={"claims.yaml": CLAIMS, "pair.yaml": PAIR},
        file="claims.yaml",
        scenario="two",
        seed=0,
        decisions=(),
        failed=Failed(claim="two"),
        host=HOST,
        netlab="0",
    )
    return msgspec.structs.replace(made, **options)


def test_what_a_topology_includes_and_what_its_nodes_copy_is_written_out(tmp_path: Path) -> None:
    made = bundle(files(tmp_path), mtu="1280")
    data = opened(made)
    assert data["topology"] == {
        "nodes": {"client": {}, "server": {"files": {"/etc/motd": {"text": "hello\n"}}}},
        "links": [{"endpoints": ["client", "server"], "mtu": 1280}],
    }
    assert list(data) == ["name", "topology", "impair", "steps"]
    alone = closed(made, data)
    assert (list(alone.files), alone.file, alone.settings, alone.decisions) == ([FILE], FILE, {}, ())
    with loaded(made) as before, loaded(alone) as after:
        assert [link.mtu for link in after.topology.links] == [1280]
        assert [(file.path, file.text) for node in after.topology.nodes for file in node.files] == [("/etc/motd", "hello\n")]
        assert [step.text for step in after.steps] == [step.text for step in before.steps]


def test_a_claim_comes_out_of_its_file() -> None:
    assert opened(of_claims()) == {
        "name": "two",
        "group": "names",
        "statement": "A client has a server.",
        "sources": ["RFC 9293 §3.5"],
        "exclusive": True,
        "topology": {**HOSTS, "links": [{"endpoints": ["client", "server"], "mtu": 1400}]},
        "timeout": "2s",
        "steps": [{"client": "close(7) -> EBADF"}],
    }
    assert named_topology(of_claims()) == "pair"
    assert named_topology(of_claims(scenario="one")) == ""
    with loaded(closed(of_claims(), opened(of_claims()))) as scenario:
        assert (scenario.name, scenario.claim and scenario.claim.group) == ("two", "names")


def test_what_was_set_goes_before_what_a_claim_sets() -> None:
    assert opened(of_claims(settings={"mtu": "1300"}))["topology"]["links"][0]["mtu"] == 1300


@pytest.mark.parametrize(("changed", "told"), [({"scenario": "three"}, "three"), ({"files": {"claims.yaml": "- no"}}, "mapping")])
def test_what_is_wrong_with_a_bundle_is_told(changed: dict[str, object], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        opened(of_claims(**changed))


def test_a_topology_that_ships_goes_by_its_name() -> None:
    link: Data = {"endpoints": ["client", "server"], "subnets": ["10.0.0.0/24", "fd00::/64"]}
    same = {"topology": {"name": "whatever", **HOSTS, "links": [link]}, "steps": []}
    assert named(same, "")["topology"] == "two-hosts"
    other = {"topology": {**HOSTS, "links": [{"endpoints": ["server", "client"], "mtu": 1400}]}, "steps": []}
    assert named(other, "") == other
    (instead,) = alike(other, "")
    assert named(instead, "")["topology"] == "two-hosts"


@pytest.mark.parametrize(
    "topology",
    [
        {"nodes": {"client": {}, "other": {}}, "links": [{"endpoints": ["client", "other"]}]},
        {**HOSTS, "links": [{"endpoints": ["client", "server"], "impair": {"both": {"delay": "1ms"}}}]},
        {**HOSTS, "links": [{"endpoints": ["client", "server"]}] * 2},
        HOSTS,
    ],
)
def test_no_other_topology_stands_in_for_one_with_other_links_or_with_impairments(topology: Data) -> None:
    assert not list(alike({"topology": topology, "steps": []}, ""))


def test_the_topology_that_it_had_is_tried_before_the_smallest() -> None:
    sides = {"topology": {"nodes": {"host": {"sysctls": {}}}}, "steps": []}
    assert [named(each, "one-host")["topology"] for each in alike(sides, "one-host")] == ["one-host"]
