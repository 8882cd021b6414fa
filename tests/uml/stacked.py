"""VLAN devices on a kernel that has them, together with what else an interface can be: down, or in a VRF."""

import json
import socket
from ipaddress import ip_interface
from typing import Any

from networks import HERE, end, node

from netlab.lab.lab import Lab
from netlab.topology.spec import Endpoint, Link, Subinterface, Topology, Vrf


def trunk(*, up: bool = True, vrfs: tuple[Vrf, ...] = ()) -> Topology:
    """Two routers with VLAN 10 between them, on an interface that has an address too."""
    ends = [_end(name, number) for number, name in enumerate(("a", "b"), 1)]
    nodes = [_with(vrfs, name) for name in ("a", "b")]
    return Topology(
        name="trunk", nodes=tuple(nodes), links=(Link(endpoints=(ends[0], ends[1]), subnets=(), up=up, place=HERE),), place=HERE
    )


def _end(name: str, number: int) -> Endpoint:
    inner = (ip_interface(f"10.0.10.{number}/24"), ip_interface(f"fd00:0:0:10::{number}/64"))
    plain = end(name, f"10.0.0.{number}/24")
    return Endpoint(
        node=name,
        interface="eth0",
        addresses=plain.addresses,
        subinterfaces=(Subinterface(name="eth0.10", vlan=10, addresses=inner),),
    )


def _with(vrfs: tuple[Vrf, ...], name: str) -> Any:
    from dataclasses import replace

    return replace(node(name), vrfs=vrfs)


def down() -> dict[str, Any]:
    """A trunk that is down: its VLAN device is there, and is down as well."""
    with Lab(trunk(up=False)) as lab:
        return {name: _flags(lab, name) for name in ("eth0", "eth0.10")}


def in_vrf() -> dict[str, Any]:
    """A VLAN device in a VRF keeps both its addresses, and answers there and nowhere else."""
    with Lab(trunk(vrfs=(Vrf(name="red", table=10, interfaces=("eth0.10",), place=HERE),))) as lab:
        return {
            "master": _device(lab, "eth0.10").get("master"),
            "addresses": [one["local"] for one in _address(lab) if one["scope"] == "global"],
            "connects": [_connects(lab, family, to) for family, to in ((2, "10.0.10.2"), (10, "fd00:0:0:10::2"))],
        }


def _device(lab: Lab, name: str) -> dict[str, Any]:
    done = lab["a"].run(["ip", "-j", "-d", "link", "show", "dev", name], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout)[0])


def _flags(lab: Lab, name: str) -> list[str]:
    return sorted(set(_device(lab, name)["flags"]) & {"UP", "LOWER_UP"})


def _address(lab: Lab) -> list[dict[str, Any]]:
    done = lab["a"].run(["ip", "-j", "address", "show", "dev", "eth0.10"], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout)[0]["addr_info"])


def _connects(lab: Lab, family: int, to: str) -> list[bool]:
    """In the VRF, and outside of it."""
    found = []
    for device in (b"red", b""):
        with lab["b"].socket(family) as server, lab["a"].socket(family) as client:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"red")
            server.bind((to, 80))
            server.listen()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
            client.settimeout(2)
            found.append(client.connect_ex((to, 80)) == 0)
    return found
