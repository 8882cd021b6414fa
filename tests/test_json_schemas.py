"""The published schemas are those of the code, accept every file that ships, and refuse what a schema can refuse."""

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pictures import WRITTEN

from netlab.document import Document
from netlab.errors import SpecError
from netlab.json_schemas import KINDS, schema_of, schema_text

ROOT = Path(__file__).parent.parent
SCHEMAS = ROOT / "netlab" / "schemas"
MALFORMED = ROOT / "tests" / "malformed"
TOPOLOGIES = sorted((ROOT / "topologies").glob("*.yaml"))
CLAIMS = sorted((ROOT / "netlab" / "model" / "claims").glob("*.yaml"))
REFUSED = (
    "bad-kind.yaml",
    "bad-steps.scenario.yaml",
    "bad-subnets.yaml",
    "bad-sysctl.yaml",
    "budget.scenario.yaml",
    "claims.yaml",
    "expectations.scenario.yaml",
    "impair.yaml",
    "link-steps.scenario.yaml",
    "list-on-top.yaml",
    "missing-nodes.yaml",
    "mtu.yaml",
    "no-steps.scenario.yaml",
    "no-topology.scenario.yaml",
    "rules.yaml",
    "self-link.yaml",
    "unknown-keys.yaml",
    "wrong-types.yaml",
)
EVERY_KEY = """\
name: everything
include: base.yaml
vars: {hosts: 5, delay: 10ms, subnets: [10.0.0.0/24]}
neighbours: [h1]
nodes:
  h: {count: "${hosts}", name: "h{n}", first: 1}
  nothing:
  web:
    kind: host
    sysctls: {net.ipv4.tcp_syn_retries: 1}
    routes: [auto, {to: 10.9.0.0/16, via: 10.0.0.2, metric: "${hosts}", table: main, source: 10.0.0.1, mtu: 1400}]
    rules: [{from: 10.0.0.0/24, table: 100, priority: 1000}, {mark: 7, interface: eth0, table: 5}]
    vrfs: {red: {table: 10, interfaces: [eth0]}}
    firewall: {input: [accept established, drop]}
    names: {printer.example: 10.0.0.77}
    resolv: {nameservers: [10.0.0.1], search: [example]}
    env: {LANG: C}
    files: {/etc/motd: hello, /etc/run.sh: {text: x, mode: "0755"}}
    loopback: 10.99.0.1/32
    start:
      - ip link set lo mtu 1400
      - {run: [python3, -m, http.server], ready: {port: "${hosts}"}}
      - {run: daemon, ready: {log: listening}, within: "${delay}"}
      - {shell: "echo $HOME", background: true}
  home: {kind: nat, nat: {outside: isp, behaviour: symmetric, forwards: [tcp 8080 -> web:80]}}
  s1: {kind: switch, stp: true, subnets: "${subnets}"}
  s2: {kind: switch, vlans: {10: {subnets: [10.1.0.0/24]}, 20: {}}}
links:
  - {endpoints: [web, s1], subnets: [10.0.0.0/24, "fd00::/64"], addresses: {web: 10.0.0.7/24}, mtu: "${hosts}00"}
  - {endpoints: [web, home], mac: {web: "02:00:00:00:00:01"}, state: down, offloads: all}
  - {endpoints: [web, s2], vlans: {s2: [10, 20]}, offloads: [tx]}
  - {endpoints: [web, s2], vlans: {s2: 10}}
  - endpoints: [h, web]
    impair:
      both: {delay: "${delay}", loss: 0.1%, rate: 10mbit, limit: 100, seed: 7}
  - {endpoints: [h, web], impair: {web->h1: [{match: S, action: drop, nth: 1}, {delay: 1ms}]}}
  - {ring: [h], mtu: 1500}
  - {mesh: [h, web]}
  - {endpoints: [h, web, home], name: shared}
overlays:
  - {name: blue, kind: vxlan, vni: 42, port: 4789, nodes: [h, web], over: 4, mtu: 1450}
  - {name: red, vni: 43, nodes: [h, web], subnets: [192.168.0.0/24], addresses: {web: 192.168.0.9/24}}
"""


def validator(kind: str) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema_of(kind))
    return Draft202012Validator(schema_of(kind))


def wrong(kind: str, data: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in validator(kind).iter_errors(data)]


def kind_of(name: str, data: Any) -> str:
    if isinstance(data, dict) and "claims" in data:
        return "claims"
    return "scenario" if ".scenario." in name or (isinstance(data, dict) and "steps" in data) else "topology"


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_schema_is_that_of_the_code(kind: str) -> None:
    assert (SCHEMAS / f"{kind}.schema.json").read_text() == schema_text(kind), f"netlab-ns schema {kind} -o netlab/schemas/..."


def test_a_topology_with_every_key_is_accepted() -> None:
    assert wrong("topology", Document.parse(EVERY_KEY, "f.yaml").data) == []


@pytest.mark.parametrize(
    "path", [*TOPOLOGIES, *CLAIMS, *sorted((ROOT / "tests" / "broken").glob("*.yaml"))], ids=lambda path: path.name
)
def test_every_file_that_ships_is_accepted(path: Path) -> None:
    data = Document.read(path).data
    assert wrong(kind_of(path.name, data), data) == []


@pytest.mark.parametrize("name", WRITTEN)
def test_what_the_loader_takes_the_schema_takes(name: str) -> None:
    assert wrong("topology", Document.parse(WRITTEN[name], "f.yaml").data) == []


@pytest.mark.parametrize("page", ["README.md", "docs/replay.md", "docs/scenarios.md", "docs/topologies.md"])
def test_every_example_is_accepted(page: str) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert examples
    for example in examples:
        data = Document.parse(example, page).data
        assert wrong(kind_of("", data), data) == [], example


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_schema_can_know_to_be_wrong_it_refuses(name: str) -> None:
    data = Document.read(MALFORMED / name).data
    assert wrong(kind_of(name, data), data)


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("nodes: {a: {knid: host}}", "$.nodes.a"),
        ("nodes: {a: {count: many}}", "$.nodes.a.count"),
        ("nodes: {a: {name: x}}", "$.nodes.a"),
        ("nodes: {a: {stp: 1}}", "$.nodes.a.stp"),
        ("nodes: {a: {}}\nlinks: [{endpoints: [a, b], ring: [a]}]", "$.links[0]"),
        ("nodes: {a: {}}\nlinks: [{mtu: 1500}]", "$.links[0]"),
        ("nodes: {a: {}}\nlinks: [{endpoints: [a, b], mtu: high}]", "$.links[0].mtu"),
        ("nodes: {a: {}}\noverlays: [{name: x, nodes: [a, b]}]", "$.overlays[0]"),
        ("links: []", "$"),
    ],
)
def test_what_is_wrong_is_refused_where_it_stands(line: str, where: str) -> None:
    told = wrong("topology", Document.parse(line, "f.yaml").data)
    assert any(each.startswith(where) for each in told), told


def test_a_scenario_without_steps_or_with_two_in_one_is_refused() -> None:
    good = {"topology": "two-hosts", "steps": [{"client": "close(s)", "document": "EBADF"}]}
    assert wrong("scenario", good) == []
    assert wrong("scenario", good | {"steps": [{"client": "close(s)", "server": "close(s)"}]})
    assert wrong("scenario", good | {"steps": [{"expect": {"pakets": []}}]})
    assert wrong("scenario", good | {"steps": []})
    assert wrong("scenario", {"topology": {"nodes": {"a": {"knid": "x"}}}, "steps": good["steps"]})
    assert wrong("scenario", {"topology": {"nodes": {"a": {}}}, "steps": good["steps"]}) == []


@pytest.mark.parametrize("path", [*TOPOLOGIES, *CLAIMS], ids=lambda path: path.name)
def test_every_file_names_its_schema_for_editors_and_keeps_its_intent(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named is not None, first
    kind = "claims" if path in CLAIMS else "topology"
    assert (path.parent / named[1]).resolve() == SCHEMAS / f"{kind}.schema.json"
    assert "yaml-language-server" not in Document.read(path).intent


def test_readable_malformed_files_are_mostly_refused() -> None:
    readable = refused = 0
    for path in sorted(MALFORMED.glob("*.yaml")):
        try:
            data = Document.read(path).data
        except SpecError:
            continue
        readable += 1
        refused += bool(wrong(kind_of(path.name, data), data))
    assert refused > readable / 3
