"""VLAN devices that are down or in a VRF, on a kernel that has them."""

import pytest
from uml.guest import Guest

pytestmark = pytest.mark.proof


def test_a_vlan_on_a_trunk_that_is_down(guest: Guest) -> None:
    assert guest.answer("import json\nfrom uml.stacked import down\nprint(json.dumps(down()))") == {"eth0": [], "eth0.10": []}


def test_a_vlan_in_a_vrf(guest: Guest) -> None:
    assert guest.answer("import json\nfrom uml.stacked import in_vrf\nprint(json.dumps(in_vrf()))") == {
        "master": "red",
        "addresses": ["10.0.10.1", "fd00:0:0:10::1"],
        "connects": [[True, False], [True, False]],
    }
