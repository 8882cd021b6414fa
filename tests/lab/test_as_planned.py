"""What the kernel has is what was asked for: each kind of thing in a topology, read back from a running lab."""

import array
import errno
import fcntl
import json
import shutil
import socket
import struct
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
from networks import HERE, end, node, two_hosts

from netlab.lab.lab import Lab
from netlab.topology.spec import Endpoint, Link, Overlay, PolicyRule, Route, Topology

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(shutil.which("ip") is None, reason="no program ip on the PATH (apt-get install iproute2)"),
]

SIOCETHTOOL = 0x8946
OFFLOADS = {"rx": 0x14, "tx": 0x16, "sg": 0x18, "tso": 0x1E, "gso": 0x23, "gro": 0x2B}  # ETHTOOL_GRXCSUM ... of linux/ethtool.h


@pytest.fixture(params=[False, True], ids=["held", "kept"])
def stay(request: pytest.FixtureRequest) -> bool:
    """Whether the keeper builds the lab, as it does without root, or this process where it may."""
    return bool(request.param)


def ip(lab: Lab, name: str, *words: str) -> list[dict[str, Any]]:
    done = lab[name].run(["ip", "-j", *words], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout or "[]"))


def device(lab: Lab, name: str, interface: str) -> dict[str, Any]:
    return ip(lab, name, "-d", "link", "show", "dev", interface)[0]


def addresses(lab: Lab, name: str, interface: str) -> list[str]:
    (found,) = ip(lab, name, "address", "show", "dev", interface)
    texts = [f"{one['local']}/{one['prefixlen']}" for one in found["addr_info"]]
    return [text for text in texts if not text.startswith(("fe80", "127.", "::1"))]


def offloads(lab: Lab, name: str, interface: str) -> set[str]:
    """Those that are on, as ethtool(8) calls them."""
    found = set()
    with lab[name].socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        for short, command in OFFLOADS.items():
            value = array.array("I", [command, 0])
            fcntl.ioctl(made, SIOCETHTOOL, struct.pack("16sP16x", interface.encode(), value.buffer_info()[0]))
            found |= {short} if value[1] else set()
    return found


def network(*links: Link, **nodes: dict[str, Any]) -> Topology:
    made = [replace(node(name, fields.pop("kind", "host")), **fields) for name, fields in nodes.items()]
    return Topology(name="test", nodes=tuple(made), links=links, place=HERE)


def link(*ends: Endpoint, **fields: Any) -> Link:
    return Link(endpoints=(ends[0], ends[1]), subnets=(), place=HERE, **fields)


def pair(**fields: Any) -> Topology:
    topology = two_hosts()
    return replace(topology, links=(replace(topology.links[0], **fields),))


def test_a_link_that_is_down_is_there_and_has_no_carrier(stay: bool) -> None:
    with Lab(pair(up=False), stay=stay) as lab:
        for name in ("client", "server"):
            assert not {"UP", "LOWER_UP"} & set(device(lab, name, "eth0")["flags"])
        with lab["client"].socket() as client, pytest.raises(OSError, match="unreachable") as refused:
            client.connect(("10.0.0.2", 80))
        assert refused.value.errno == errno.ENETUNREACH


@pytest.mark.parametrize("user_space", [False, True], ids=["bridged", "wired"])
def test_a_link_that_is_down_may_have_impairments(stay: bool, user_space: bool) -> None:
    from netlab.notation.parse import parse_packet
    from netlab.topology.spec import Rule, Shape
    from netlab.units import milliseconds

    way = ("client", "server")
    rule = Rule(match=parse_packet("client > server udp"), action="drop", place=HERE)
    shape = Shape(delay=milliseconds(0), jitter=milliseconds(0), rate=1_000_000, place=HERE)
    wanted = {"impair": ((way, (rule,)),)} if user_space else {"shapes": ((way, shape),)}
    with Lab(pair(up=False, **wanted), stay=stay) as lab:
        assert "UP" not in device(lab, "client", "eth0")["flags"]


def test_several_links_between_two_nodes_each_carry_their_own(stay: bool) -> None:
    links = [
        link(
            end("a", f"10.0.{number}.1/24", interface=f"eth{number}"),
            end("b", f"10.0.{number}.2/24", interface=f"eth{number}"),
        )
        for number in range(3)
    ]
    with Lab(network(*links, a={}, b={}), stay=stay) as lab:
        for number in range(3):
            with (
                lab["a"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
                lab["b"].socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving,
                lab["b"].space.packet_socket(f"eth{number}", ignore_outgoing=True) as seeing,
            ):
                receiving.settimeout(5)
                seeing.settimeout(5)
                receiving.bind((f"10.0.{number}.2", 5001))
                sending.sendto(b"which?", (f"10.0.{number}.2", 5001))
                assert receiving.recvfrom(100) == (b"which?", (f"10.0.{number}.1", sending.getsockname()[1]))
                while not seeing.recv(2000).endswith(b"which?"):
                    pass


@pytest.mark.parametrize("mtu", [68, 1280, 1500, 9000, 65535])
def test_the_mtu_is_the_links_at_both_ends(stay: bool, mtu: int) -> None:
    ends = (end("client", "10.0.0.1/24"), end("server", "10.0.0.2/24"))
    with Lab(pair(mtu=mtu, endpoints=ends), stay=stay) as lab:
        assert [device(lab, name, "eth0")["mtu"] for name in ("client", "server")] == [mtu, mtu]
        with (
            lab["client"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
            lab["server"].socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving,
        ):
            receiving.settimeout(5)
            receiving.bind(("10.0.0.2", 5001))
            sending.connect(("10.0.0.2", 5001))
            sending.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
            largest = min(mtu - 28, 65507)
            sending.send(bytes(largest))
            assert len(receiving.recv(1 << 16)) == largest
            with pytest.raises(OSError, match="too long"):
                sending.send(bytes(largest + 1))


def test_jumbo_frames_pass_a_switch_and_a_middle(stay: bool) -> None:
    """A bridge's ports decide what passes, whatever its own MTU was when it was made."""
    from netlab.topology.spec import Shape
    from netlab.units import milliseconds

    shape = Shape(delay=milliseconds(0), jitter=milliseconds(0), limit=100, rate=10**9, place=HERE)
    a = link(end("a", "10.0.0.1/24"), end("s", interface="eth1"), mtu=9000, shapes=((("a", "s"), shape),))
    b = link(end("b", "10.0.0.2/24"), end("s", interface="eth2"), mtu=9000)
    with (
        Lab(network(a, b, a={}, b={}, s={"kind": "switch"}), stay=stay) as lab,
        lab["a"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
        lab["b"].socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving,
    ):
        receiving.settimeout(5)
        receiving.bind(("10.0.0.2", 5001))
        sending.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
        sending.sendto(bytes(8972), ("10.0.0.2", 5001))
        assert len(receiving.recv(1 << 16)) == 8972


def test_mac_addresses_are_those_asked_for_or_planned(stay: bool) -> None:
    chosen = replace(end("client", "10.0.0.1/24"), hardware="02:aa:bb:cc:dd:ee")
    with Lab(pair(endpoints=(chosen, end("server", "10.0.0.2/24"))), stay=stay) as lab:
        assert device(lab, "client", "eth0")["address"] == "02:aa:bb:cc:dd:ee"
        for name in ("client", "server"):
            assert device(lab, name, "eth0")["address"] == lab[name].interfaces["eth0"].hardware
            assert device(lab, name, "eth0")["ifindex"] == lab[name].interfaces["eth0"].index


@pytest.mark.parametrize("kept", [set(), {"tx"}, {"tx", "sg", "tso"}, {"gro", "rx"}, {"tx", "sg", "gso"}, set(OFFLOADS)])
def test_of_the_offloads_just_those_asked_for_are_on(stay: bool, kept: set[str]) -> None:
    with Lab(pair(offloads=frozenset(kept)), stay=stay) as lab:
        assert [offloads(lab, name, "eth0") for name in ("client", "server")] == [kept, kept]


@pytest.mark.parametrize("stp", [False, True])
def test_a_switch_is_a_bridge_with_the_spanning_tree_protocol_where_asked(stay: bool, stp: bool) -> None:
    links = [link(end(name, f"10.0.0.{i}/24"), end("s", interface=f"eth{i}")) for i, name in enumerate(("a", "b"), 1)]
    with Lab(network(*links, a={}, b={}, s={"kind": "switch", "stp": stp}), stay=stay) as lab:
        bridge = device(lab, "s", "br0")
        assert bridge["linkinfo"]["info_data"]["stp_state"] == int(stp)
        assert bridge["linkinfo"]["info_data"]["mcast_snooping"] == 0
        ports = [device(lab, "s", f"eth{number}") for number in (1, 2)]
        assert [port["master"] for port in ports] == ["br0", "br0"]
        if not stp:
            assert {port["linkinfo"]["info_slave_data"]["state"] for port in ports} == {"forwarding"}
        assert addresses(lab, "s", "eth1") == addresses(lab, "s", "br0") == []


def test_further_addresses_of_the_loopback_interface(stay: bool) -> None:
    wanted = (ip_interface("192.0.2.1/32"), ip_interface("2001:db8::1/128"))
    with Lab(network(a={"loopback": wanted}), stay=stay) as lab:
        assert addresses(lab, "a", "lo") == [str(one) for one in wanted]
        for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
            with lab["a"].socket(family) as made:
                made.bind((address, 0))


ROUTES = (
    Route(destination=ip_network("10.1.0.0/16"), via=ip_address("10.0.0.2"), interface="eth0", metric=7, place=HERE),
    Route(destination=ip_network("10.2.0.0/16"), via=ip_address("10.0.0.2"), interface="eth0", table=100, place=HERE),
    Route(destination=ip_network("10.3.0.0/16"), via=ip_address("10.0.0.2"), interface="eth0", table=1000, place=HERE),
    Route(
        destination=ip_network("10.4.0.0/16"),
        via=ip_address("10.0.0.2"),
        interface="eth0",
        source=ip_address("10.0.0.1"),
        mtu=1400,
        place=HERE,
    ),
    Route(destination=ip_network("10.5.0.0/16"), interface="eth0", place=HERE),
    Route(destination=ip_network("10.6.0.0/16"), kind="blackhole", place=HERE),
    Route(destination=ip_network("10.7.0.0/16"), kind="unreachable", place=HERE),
    Route(destination=ip_network("10.8.0.0/16"), kind="prohibit", table=100, place=HERE),
    Route(destination=ip_network("0.0.0.0/0"), via=ip_address("10.0.0.2"), interface="eth0", place=HERE),
    Route(destination=ip_network("10.9.0.0/16"), via=ip_address("fd00::2"), interface="eth0", place=HERE),
    Route(destination=ip_network("2001:db8:1::/48"), via=ip_address("fd00::2"), interface="eth0", metric=9, place=HERE),
    Route(destination=ip_network("2001:db8:2::/48"), kind="blackhole", place=HERE),
    Route(destination=ip_network("::/0"), via=ip_address("fd00::2"), interface="eth0", mtu=1300, place=HERE),
)


def routes(lab: Lab, name: str, family: str, table: str) -> dict[str, dict[str, Any]]:
    """The static routes of a table, by destination, without what every one of them has."""
    found = {}
    for one in ip(lab, name, family, "-d", "route", "show", "table", table):
        if one["protocol"] == "static":
            plain = {key: value for key, value in one.items() if key not in ("dst", "protocol", "flags", "pref", "dev", "scope")}
            found[one["dst"]] = {key: value for key, value in plain.items() if (key, value) != ("type", "unicast")}
    return found


def test_static_routes_of_every_kind(stay: bool) -> None:
    topology = two_hosts()
    client = replace(topology.nodes[0], routes=ROUTES, auto_routes=False)
    with Lab(replace(topology, nodes=(client, topology.nodes[1])), stay=stay) as lab:
        main4, main6 = routes(lab, "client", "-4", "main"), routes(lab, "client", "-6", "main")
        assert main4 == {
            "default": {"gateway": "10.0.0.2"},
            "10.1.0.0/16": {"gateway": "10.0.0.2", "metric": 7},
            "10.4.0.0/16": {"gateway": "10.0.0.2", "prefsrc": "10.0.0.1", "metrics": [{"mtu": 1400}]},
            "10.5.0.0/16": {},
            "10.6.0.0/16": {"type": "blackhole"},
            "10.7.0.0/16": {"type": "unreachable"},
            "10.9.0.0/16": {"via": {"family": "inet6", "host": "fd00::2"}},
        }
        assert routes(lab, "client", "-4", "100") == {"10.2.0.0/16": {"gateway": "10.0.0.2"}, "10.8.0.0/16": {"type": "prohibit"}}
        assert routes(lab, "client", "-4", "1000") == {"10.3.0.0/16": {"gateway": "10.0.0.2"}}
        assert {name: fields.get("metric") for name, fields in main6.items()} == {
            "default": 1024,
            "2001:db8:1::/48": 9,
            "2001:db8:2::/48": 1024,
        }
        assert (main6["default"]["metrics"], main6["2001:db8:2::/48"]["type"]) == ([{"mtu": 1300}], "blackhole")


def test_routing_rules(stay: bool) -> None:
    rules = (
        PolicyRule(family=4, priority=100, table=100, source=ip_network("10.0.0.0/24"), place=HERE),
        PolicyRule(family=4, priority=101, table=1000, destination=ip_network("10.3.0.0/16"), mark=7, place=HERE),
        PolicyRule(family=6, priority=102, table=100, interface="eth0", place=HERE),
    )
    topology = two_hosts()
    client = replace(topology.nodes[0], rules=rules)
    with Lab(replace(topology, nodes=(client, topology.nodes[1])), stay=stay) as lab:
        own4 = [one for one in ip(lab, "client", "-4", "rule") if 100 <= one["priority"] < 200]
        own6 = [one for one in ip(lab, "client", "-6", "rule") if 100 <= one["priority"] < 200]
        assert own4 == [
            {"priority": 100, "src": "10.0.0.0", "srclen": 24, "table": "100"},
            {"priority": 101, "src": "all", "dst": "10.3.0.0", "dstlen": 16, "fwmark": "0x7", "table": "1000"},
        ]
        assert own6 == [{"priority": 102, "src": "all", "iif": "eth0", "table": "100"}]


def test_a_vxlan_device_and_to_whom_it_floods(stay: bool) -> None:
    members = tuple(end(name, f"192.168.0.{i}/24", interface="blue") for i, name in enumerate(("client", "server"), 1))
    overlay = Overlay(name="blue", vni=42, port=4790, endpoints=members, subnets=(), mtu=1450, place=HERE)
    with Lab(replace(two_hosts(), overlays=(overlay,)), stay=stay) as lab:
        found = device(lab, "client", "blue")
        data = found["linkinfo"]["info_data"]
        assert (found["mtu"], data["id"], data["port"], data["local"]) == (1450, 42, 4790, "10.0.0.1")
        assert found["address"] == lab["client"].interfaces["blue"].hardware
        assert addresses(lab, "client", "blue") == ["192.168.0.1/24"]
        done = lab["client"].run(["bridge", "-j", "fdb", "show", "dev", "blue"], capture_output=True, text=True, check=True)
        flooded = [one for one in json.loads(done.stdout) if one["mac"] == "00:00:00:00:00:00"]  # others it has learnt
        assert [(one["dst"], one["state"]) for one in flooded] == [("10.0.0.2", "permanent")]
        with lab["client"].socket() as client, lab["server"].socket() as server:
            server.bind(("192.168.0.2", 80))
            server.listen()
            client.settimeout(5)
            client.connect(("192.168.0.2", 80))


def test_permanent_neighbours_are_in_the_kernels_table(stay: bool) -> None:
    with Lab(replace(two_hosts(), neighbours="all"), stay=stay) as lab:
        for name, other in (("client", "server"), ("server", "client")):
            found = ip(lab, name, "neighbour", "show", "nud", "permanent")
            hardware = lab[other].interfaces["eth0"].hardware
            wanted = {(address, hardware) for address in lab[other].addresses["eth0"]}
            assert {(one["dst"], one["lladdr"]) for one in found} == wanted


def test_every_node_knows_every_name_and_only_there(stay: bool) -> None:
    topology = two_hosts()
    client = replace(topology.nodes[0], names=(("printer.example", ip_address("10.0.0.77")),))
    own = Path("/etc/hosts")
    before = own.read_text() if own.exists() else ""
    with Lab(replace(topology, nodes=(client, topology.nodes[1])), stay=stay) as lab:
        shown = {name: lab[name].run(["cat", "/etc/hosts"], capture_output=True, text=True).stdout for name in lab.nodes}
        for name in ("client", "server"):
            lines = shown[name].splitlines()
            assert {"127.0.0.1 localhost", "10.0.0.1 client", "10.0.0.2 server", "fd00::1 client", "fd00::2 server"} <= set(lines)
            assert ("10.0.0.77 printer.example" in lines) == (name == "client")
    assert (own.read_text() if own.exists() else "") == before
