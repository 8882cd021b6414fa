"""The messages packed by hand are those that pyroute2 packs."""

import struct
from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
from pyroute2 import IPBatch

from netlab.lab import kernel, messages

Attributes = dict[int, bytes]


def taken_apart(message: bytes, header: int) -> tuple[int, bytes, Attributes]:
    """Type, fixed part and attributes; flags differ on purpose (who is to answer), and so may the attributes' order."""
    length, kind = struct.unpack_from("=IH", message)
    assert length <= len(message) < length + 4
    attributes: Attributes = {}
    offset = 16 + header
    while offset < length:
        size, name = struct.unpack_from("=HH", message, offset)
        attributes[name & 0x3FFF] = message[offset + 4 : offset + size]
        offset += (size + 3) & ~3
    return kind, message[16 : 16 + header], attributes


def reference(ask: Callable[[Any], object], header: int) -> tuple[int, bytes, Attributes]:
    batch = IPBatch()
    ask(batch)
    data = bytes(batch.batch)
    batch.close()
    return taken_apart(data, header)


@pytest.mark.parametrize("text", ["10.0.0.1/24", "10.255.1.2/31", "fd00::1/64", "fd00::/127"])
def test_an_address(text: str) -> None:
    wanted = ip_interface(text)
    flags = {"flags": 2} if wanted.version == 6 else {}
    kind, fixed, attributes = taken_apart(messages.address(wanted, 7), 8)
    _, expected, theirs = reference(
        lambda batch: batch.addr("add", index=7, address=str(wanted.ip), prefixlen=wanted.network.prefixlen, **flags), 8
    )
    family, prefix, flags_set, scope, index = struct.unpack("=BBBBI", fixed)
    theirs_set = theirs[8][0] if 8 in theirs else expected[2]  # the library gives flags as an attribute, IFA_FLAGS
    assert (kind, family, prefix, scope, index) == (20, *struct.unpack("=BBxBI", expected))
    assert flags_set == theirs_set == (2 if wanted.version == 6 else 0)
    assert attributes[1] == theirs[1] == wanted.ip.packed


@pytest.mark.parametrize(
    ("destination", "via", "options"),
    [
        ("10.1.0.0/16", "10.0.0.2", {}),
        ("0.0.0.0/0", "10.0.0.2", {}),
        ("fd01::/48", "fd00::2", {}),
        ("::/0", "fd00::2", {"metric": 50}),
        ("10.1.0.0/16", "10.0.0.2", {"table": 100, "metric": 7}),
        ("10.1.0.0/16", "10.0.0.2", {"table": 1000}),
        ("10.1.0.0/16", "10.0.0.2", {"source": "10.0.0.1", "mtu": 1400}),
    ],
)
def test_a_route(destination: str, via: str, options: dict[str, Any]) -> None:
    ours: dict[str, Any] = {name: ip_address(value) if name == "source" else value for name, value in options.items()}
    theirs = {{"metric": "priority", "source": "prefsrc"}.get(name, name): value for name, value in options.items()}
    if "mtu" in theirs:
        theirs["metrics"] = {"mtu": theirs.pop("mtu")}
    made = taken_apart(messages.route(ip_network(destination), ip_address(via), 3, **ours), 12)
    expected = reference(
        lambda batch: batch.route("add", dst=destination, gateway=via, oif=3, family=2 if "." in via else 10, **theirs), 12
    )
    if (
        options.get("table", 0) > 255
    ):  # it does not fit the header: there iproute2 and we write "see the attribute", the library "main"
        made = (made[0], made[1][:4] + b"\xfe" + made[1][5:], made[2])
    # the library names the table in an attribute too where it fits the header, and the default's destination
    expected[2].pop(15, None) if options.get("table", 0) < 256 else None
    if destination in ("0.0.0.0/0", "::/0"):
        expected[2].pop(1, None)
    assert made == expected


@pytest.mark.parametrize("text", ["10.0.0.9", "fd00::9"])
def test_a_permanent_neighbour(text: str) -> None:
    made = taken_apart(messages.neighbour(ip_address(text), bytes.fromhex("020000000109"), 4), 12)
    expected = reference(
        lambda batch: batch.neigh(
            "add", dst=text, lladdr="02:00:00:00:01:09", ifindex=4, state=128, family=2 if "." in text else 10
        ),
        12,
    )
    assert (made[0], made[2]) == (expected[0], expected[2])
    assert made[1][:4] + made[1][4:8] + made[1][8:10] == expected[1][:4] + expected[1][4:8] + expected[1][8:10]


def test_an_interface_up_as_a_bridges_port() -> None:
    kind, fixed, attributes = taken_apart(messages.up(5, 9), 16)
    assert (kind, attributes) == (16, {10: struct.pack("=I", 9)})
    assert struct.unpack("=BxHiII", fixed) == (0, 0, 5, 1, 1)


@pytest.mark.parametrize("text", ["10.0.0.9", "fd00::9"])
def test_to_whom_a_vxlan_device_floods(text: str) -> None:
    made = taken_apart(messages.flooded(7, ip_address(text)), 12)
    assert made == reference(lambda batch: batch.fdb("append", ifindex=7, lladdr="00:00:00:00:00:00", dst=text), 12)


@pytest.mark.parametrize(("vlan", "untagged"), [(10, True), (4094, False)])
def test_a_vlan_of_a_bridges_port(vlan: int, untagged: bool) -> None:
    made = taken_apart(messages.port_vlan(5, vlan, untagged=untagged), 16)
    wanted = {"vid": vlan, "flags": 6 if untagged else 0}
    assert made == reference(lambda batch: batch.vlan_filter("add", index=5, vlan_info=wanted), 16)


@pytest.mark.parametrize("vlans", [False, True])
@pytest.mark.parametrize("name", ["b", "br0", "bridge15letters"])
def test_every_message_ends_where_the_next_may_begin(name: str, vlans: bool) -> None:
    for made in (
        messages.bridge(name, 9, stp=True, vlan_filtering=vlans),
        messages.port_vlan(5, 7, untagged=vlans),
        messages.flooded(7, ip_address("fd00::9")),
        messages.neighbour(ip_address("10.0.0.9"), bytes(6), 4),
        messages.route(ip_network("10.1.0.0/16"), ip_address("fd00::2"), 3, metric=1, table=1000, mtu=1400),
    ):
        assert len(made) % 4 == 0
        assert struct.unpack_from("=I", made) == (len(made),)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (messages.address(ip_interface("10.0.0.1/24"), 2), "address 10.0.0.1/24 on interface 2"),
        (messages.route(ip_network("10.1.0.0/16"), ip_address("10.0.0.2"), 3), "route 10.1.0.0/16 via 10.0.0.2 on interface 3"),
        (messages.route(ip_network("::/0"), ip_address("fd00::2"), 3), "route default via fd00::2 on interface 3"),
        (messages.neighbour(ip_address("10.0.0.9"), bytes(6), 4), "neighbour 10.0.0.9 on interface 4"),
        (messages.bridge("br0", 9, stp=False, vlan_filtering=False), "bridge br0"),
        (messages.up(5), "interface 5 up"),
        (messages.up(5, 9), "interface 5 into interface 9 up"),
        (messages.port_vlan(5, 7, untagged=True), "VLAN 7 on interface 5"),
        (messages.route(ip_network("10.1.0.0/16"), kind="blackhole"), "route blackhole 10.1.0.0/16"),
        (messages.route(ip_network("10.1.0.0/16"), ip_address("fd00::2"), 3), "route 10.1.0.0/16 via fd00::2 on interface 3"),
        (b"\x14\0\0\0" + b"\x07\x00" + bytes(14), "message of type 7"),
    ],
)
def test_a_refused_message_in_words(message: bytes, words: str) -> None:
    assert kernel.described(message) == words


def test_interfaces_are_told_by_name_where_there_is_one() -> None:
    message = messages.address(ip_interface("10.0.0.1/24"), 2)
    assert kernel.described(message, {2: "eth0"}.__getitem__) == "address 10.0.0.1/24 on eth0"
