"""vlan, the shipped topology: two VLANs on a switch, and a router on a trunk, on a kernel that has them."""

import json

import pytest
from topologies_help import SHIPPED
from uml.apart import vlan
from uml.guest import Guest

from netlab.errors import HostError
from netlab.topology.load import load_topology
from netlab.topology.plan import plan
from netlab.topology.spec import Port

EXPECTED = {
    "routers between": {
        f"{a} {b} IPv{family}": int(a[1:] != b[1:]) for a in ("a10", "a20") for b in ("b10", "b20") for family in (4, 6)
    },
    "router's answer": ["10.0.10.3", "fd00:0:0:10::3"],
    "connections from": ["10.0.10.1", "fd00:0:0:10::1"],
    "hear a broadcast of a10": ["b10:eth0", "router:eth0", "router:eth0.10"],
    "tags on the trunk": {"a10": 10, "b20": 20},
    "see a frame of a10 with the tag 20": [],
}

pytestmark = pytest.mark.proof


def test_what_is_planned() -> None:
    planned = plan(load_topology(SHIPPED / "vlan.yaml"))
    ports = [interface.port for interface in planned.node("switch").interfaces]
    assert ports == [Port(access=10), Port(access=10), Port(access=20), Port(access=20), Port(trunk=(10, 20))]
    assert [(device.name, device.vlan) for device in planned.node("router").vlan_devices] == [("eth0.10", 10), ("eth0.20", 20)]


def test_vlans_are_apart_in_a_guest(guest: Guest) -> None:
    assert guest.answer("import json\nfrom uml.apart import vlan\nprint(json.dumps(vlan()))") == EXPECTED


@pytest.mark.netns
def test_vlans_are_apart_here() -> None:
    try:
        found = vlan()
    except HostError as lacking:
        pytest.skip(f"no VLANs on this kernel: {str(lacking).splitlines()[0]}")
    assert json.loads(json.dumps(found)) == EXPECTED
