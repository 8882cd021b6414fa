"""A plan as JSON has all of it, and is as small as it can be."""

import json
from dataclasses import fields

from pictures import EVERYTHING, star
from written import topology

from netlab.report.plan_json import plans_as_json
from netlab.topology.plan import plan
from netlab.topology.planned import InterfacePlan, NodePlan, WirePlan

PLAIN = """\
nodes: {a: {files: {/etc/motd: hello}, start: [{run: "sleep inf", ready: {port: 80}, within: 5s}]}, b: {}}
links: [{endpoints: [a, b], subnets: [10.0.0.0/24], impair: {a->b: {delay: 10ms, loss: 1%}}, offloads: all}]
"""


def test_a_plan_is_there_to_the_last_address() -> None:
    told = json.loads("\n".join(plans_as_json([("plain", plan(topology(PLAIN)))])))
    assert told["schema"] == 1
    (only,) = told["plans"]
    assert only["topology"] == "plain"
    a, b = only["nodes"]
    assert a["interfaces"][0]["addresses"] == ["10.0.0.1/24"]
    assert a["interfaces"][0]["offloads"] == ["gro", "gso", "rx", "sg", "tso", "tx"]
    assert a["files"] == [{"path": "/etc/motd", "text": "hello", "mode": 0o644}]
    assert a["start"][0]["ready"] == {"port": 80, "protocol": "tcp", "log": "", "within": "5s"}
    assert only["hosts_files"][b["hosts"]] == [["a", "10.0.0.1"], ["b", "10.0.0.2"]]
    (wire,) = only["wires"]
    there, back = wire["shapes"]
    assert (there["delay"], there["loss"], back) == ("10ms", 0.01, None)


def test_every_field_is_told() -> None:
    (only,) = json.loads("\n".join(plans_as_json([("all", plan(topology(EVERYTHING)))])))["plans"]
    for values, kind in (
        (only["nodes"], NodePlan),
        (only["wires"], WirePlan),
        ([each for node in only["nodes"] for each in node["interfaces"]], InterfacePlan),
    ):
        assert values
        assert all(set(value) == {field.name for field in fields(kind)} for value in values)


def test_a_hosts_file_that_many_nodes_share_is_told_once() -> None:
    (only,) = json.loads("\n".join(plans_as_json([("star", plan(topology(star(50))))])))["plans"]
    assert len(only["hosts_files"]) < 5
