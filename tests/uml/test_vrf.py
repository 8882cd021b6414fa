"""vrf, the shipped topology: two customers with the same addresses on one router, on a kernel that has VRF devices."""

import errno
import json

import pytest
from topologies_help import SHIPPED
from uml.apart import vrf
from uml.guest import Guest

from netlab.errors import HostError
from netlab.topology.load import load_topology
from netlab.topology.plan import plan

# What the VRFs' last routes answer (unreachable): in IPv4 host unreachable, in IPv6 no route.
NO_ROUTE = {4: [errno.EHOSTUNREACH, 3, 1, True], 6: [errno.ENETUNREACH, 1, 0, True]}
EXPECTED = {
    f"IPv{family}": {
        "red1 and blue1 have the same address": True,
        "routers between": [1, 1],
        "connections from": [True, True],
        "see what red2 and blue2 send to that address": {
            "red": ["red1", "red2", "router"],
            "blue": ["blue1", "blue2", "router"],
        },
        "red1 to blue2": NO_ROUTE[family],
        "blue1 to red2": NO_ROUTE[family],
    }
    for family in (4, 6)
}

pytestmark = pytest.mark.proof


def test_what_is_planned() -> None:
    router = plan(load_topology(SHIPPED / "vrf.yaml")).node("router")
    assert [(device.name, device.table) for device in router.vrf_devices] == [("red", 10), ("blue", 20)]
    assert [interface.master for interface in router.interfaces] == ["red", "red", "blue", "blue"]
    assert router.interfaces[0].addresses == router.interfaces[2].addresses


def test_vrfs_are_apart_in_a_guest(guest: Guest) -> None:
    assert guest.answer("import json\nfrom uml.apart import vrf\nprint(json.dumps(vrf()))") == EXPECTED


@pytest.mark.netns
def test_vrfs_are_apart_here() -> None:
    try:
        found = vrf()
    except HostError as lacking:
        pytest.skip(f"no VRFs on this kernel: {str(lacking).splitlines()[0]}")
    assert json.loads(json.dumps(found)) == EXPECTED
