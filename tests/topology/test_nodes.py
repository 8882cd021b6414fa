"""What may be said of a node: every key read as a whole value, and every mistake told with its place and its fix."""

import os
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest

from netlab.document import Document
from netlab.errors import Place, SpecError
from netlab.topology.load import parse_topology
from netlab.topology.nft import firewall
from netlab.topology.schema.node import NodeFile
from netlab.topology.spec import Command, File, Forward, Nat, Node, PolicyRule, Ready, Route, Topology, Vrf
from netlab.units import Duration, milliseconds

LINKS = """\
  b: {kind: router}
  c: {}
  d: {}
  s: {kind: switch}
links:
  - {endpoints: [a, b], subnets: [10.0.0.0/24, "fd00::/64"]}
  - {endpoints: [a, s], subnets: [10.1.0.0/24]}
  - {endpoints: [c, s]}
  - {endpoints: [b, d], subnets: [10.2.0.0/24, "fd00:2::/64"]}
  - {endpoints: [a, c], subnets: [10.3.0.0/24], state: down}
"""
TEN = Duration(10**10)


def topology(text: str) -> Topology:
    return parse_topology(Document.parse(text, "f.yaml"))


def network(keys: str) -> str:
    """A network around node a: eth0 to router b, eth1 to switch s (and c), eth2 to c, down. The keys begin at 2:7."""
    return f"nodes:\n  a: {{{keys}}}\n{LINKS}"


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        topology(text)
    return [str(problem).removeprefix("f.yaml:") for problem in caught.value.problems]


def at(column: int) -> Place:
    return Place("f.yaml", 2, column)


def route(to: str, column: int, **more: Any) -> Route:
    more = {key: ip_address(value) if key in ("via", "source") else value for key, value in more.items()}
    return Route(destination=ip_network(to), place=at(column), **more)


def rule(column: int, **more: Any) -> PolicyRule:
    more = {key: ip_network(value) if key in ("source", "destination") else value for key, value in more.items()}
    return PolicyRule(place=at(column), **more)


def command(column: int, *argv: str, within: Duration = TEN, **more: Any) -> Command:
    return Command(argv=argv, within=within, place=at(column), **more)


GOOD: dict[str, dict[str, Any]] = {
    "": {},
    "kind: router": {"kind": "router"},
    "kind: peer, sysctls: {net.core.somaxconn: 9}": {"kind": "peer", "sysctls": (("net.core.somaxconn", "9"),)},
    # a dot within a name is a slash, as for sysctl(8); lo and default are everywhere
    "sysctls: {net.ipv4.conf.eth0.rp_filter: 1, net/ipv4/conf/lo/x: 2, net.ipv6.neigh.default.y: z}": {
        "sysctls": (("net.ipv4.conf.eth0.rp_filter", "1"), ("net.ipv4.conf.lo.x", "2"), ("net.ipv6.neigh.default.y", "z"))
    },
    "loopback: [10.99.0.1/32]": {"loopback": (ip_interface("10.99.0.1/32"),)},
    # routes: computed ones and given ones
    "routes: auto": {},
    "routes: [auto]": {},
    "routes: []": {"auto_routes": False},
    "routes: [{to: 10.9.0.0/16, via: 10.0.0.2, metric: 5, table: 100, source: 10.1.0.1, mtu: 1400}]": {
        "auto_routes": False,
        "routes": (route("10.9.0.0/16", 16, via="10.0.0.2", interface="eth0", metric=5, table=100, source="10.1.0.1", mtu=1400),),
    },
    "routes: [auto, {to: default, via: b}]": {
        "routes": (
            route("0.0.0.0/0", 22, via="10.0.0.2", interface="eth0"),
            route("::/0", 22, via="fd00::2", interface="eth0"),
        )
    },
    "routes: [auto, {to: default, via: b, source: fd00::1}]": {
        "routes": (route("::/0", 22, via="fd00::2", interface="eth0", source="fd00::1"),)
    },
    "routes: [auto, {to: default, via: c, table: main}]": {"routes": (route("0.0.0.0/0", 22, via="10.1.0.2", interface="eth1"),)},
    "routes: [auto, {to: default, interface: eth1}, {to: '::/0', interface: eth1}]": {
        "routes": (route("0.0.0.0/0", 22, interface="eth1"), route("::/0", 54, interface="eth1"))
    },
    "routes: [auto, {to: default, kind: blackhole, metric: 7}, {to: 10.8.0.0/16, kind: prohibit}]": {
        "routes": (
            route("0.0.0.0/0", 22, kind="blackhole", metric=7),
            route("::/0", 22, kind="blackhole", metric=7),
            route("10.8.0.0/16", 65, kind="prohibit"),
        )
    },
    # a router that no subnet reaches, behind a route through an interface; and a link-local one
    "routes: [auto, {to: 10.7.0.1/32, interface: eth1}, {to: 10.6.0.0/16, via: 10.7.0.1}]": {
        "routes": (route("10.7.0.1/32", 22, interface="eth1"), route("10.6.0.0/16", 58, via="10.7.0.1", interface="eth1"))
    },
    "routes: [auto, {to: 'fd09::/16', via: fe80::1, interface: eth1}]": {
        "routes": (route("fd09::/16", 22, via="fe80::1", interface="eth1"),)
    },
    # IPv4's own route has metric 0, so another with a metric stands beside it
    "routes: [auto, {to: 10.0.0.0/24, via: 10.1.0.2, metric: 1}]": {
        "routes": (route("10.0.0.0/24", 22, via="10.1.0.2", interface="eth1", metric=1),)
    },
    # rules: of the family that they name, or of both; priorities count on
    "rules: [{from: 10.0.0.0/24, table: 100, priority: 7}, {to: 'fd00::/64', table: main}]": {
        "rules": (
            rule(15, family=4, priority=7, table=100, source="10.0.0.0/24"),
            rule(61, family=6, priority=8, table=254, destination="fd00::/64"),
        )
    },
    "rules: [{mark: 0xffffffff, table: 4294967295}, {interface: lo, table: 1}]": {
        "rules": (
            rule(15, family=4, priority=10000, table=2**32 - 1, mark=2**32 - 1),
            rule(15, family=6, priority=10000, table=2**32 - 1, mark=2**32 - 1),
            rule(54, family=4, priority=10001, table=1, interface="lo"),
            rule(54, family=6, priority=10001, table=1, interface="lo"),
        )
    },
    "vrfs: {red: {table: 10, interfaces: [eth0, eth1]}, blue: {table: 256, interfaces: eth2}}": {
        "vrfs": (
            Vrf(name="red", table=10, interfaces=("eth0", "eth1"), place=at(14)),
            Vrf(name="blue", table=256, interfaces=("eth2",), place=at(58)),
        ),
    },
    "vrfs: {red: {table: 10}}, rules: [{interface: red, table: 1}]": {
        "vrfs": (Vrf(name="red", table=10, interfaces=(), place=at(14)),),
        "rules": (
            rule(41, family=4, priority=10000, table=1, interface="red"),
            rule(41, family=6, priority=10000, table=1, interface="red"),
        ),
    },
    # the kernel's route to an interface's subnet is in its VRF's table
    "vrfs: {red: {table: 10, interfaces: eth0}}, routes: [auto, {to: 10.0.0.0/24, via: 10.1.0.2}]": {
        "vrfs": (Vrf(name="red", table=10, interfaces=("eth0",), place=at(14)),),
        "routes": (route("10.0.0.0/24", 66, via="10.1.0.2", interface="eth1"),),
    },
    # translation: outside is where the router is, an interface, or a neighbour
    "kind: nat": {"kind": "nat", "nat": Nat(outside=("eth0",), place=at(3))},
    "kind: nat, nat: {outside: [b, eth1], behaviour: symmetric}": {
        "kind": "nat",
        "nat": Nat(outside=("eth0", "eth1"), behaviour="symmetric", place=at(18)),
    },
    "kind: nat, nat: {outside: s}": {"kind": "nat", "nat": Nat(outside=("eth1",), place=at(18))},
    "kind: nat, nat: {outside: c}": {"kind": "nat", "nat": Nat(outside=("eth1", "eth2"), place=at(18))},
    "kind: nat, nat: {forwards: [tcp 8080 -> c:80, 'udp 53->10.1.0.9:53', 'udp 53 -> [fd00::9]:54']}": {
        "kind": "nat",
        "nat": Nat(
            outside=("eth0",),
            forwards=(
                Forward(protocol="tcp", port=8080, to=ip_address("10.1.0.2"), to_port=80, place=at(35)),
                Forward(protocol="udp", port=53, to=ip_address("10.1.0.9"), to_port=53, place=at(53)),
                Forward(protocol="udp", port=53, to=ip_address("fd00::9"), to_port=54, place=at(76)),
            ),
            place=at(18),
        ),
    },
    # both families at once, where both the target and the outside have them
    "kind: nat, nat: {outside: b, forwards: tcp 80 -> d:80}": {
        "kind": "nat",
        "nat": Nat(
            outside=("eth0",),
            forwards=tuple(
                Forward(protocol="tcp", port=80, to=ip_address(to), to_port=80, place=at(46)) for to in ("10.2.0.2", "fd00:2::2")
            ),
            place=at(18),
        ),
    },
    "firewall: 'table inet t {}'": {"firewall": "table inet t {}", "firewall_place": at(17)},
    "firewall: {output: [], input: [accept established, drop]}": {
        "firewall": firewall({"input": ["accept established", "drop"], "output": []}),
        "firewall_place": at(17),
    },
    "names: {printer.example: 10.0.0.77, Two: [10.0.0.78, fd00::78]}": {
        "names": (
            ("printer.example", ip_address("10.0.0.77")),
            ("Two", ip_address("10.0.0.78")),
            ("Two", ip_address("fd00::78")),
        )
    },
    "resolv: {nameservers: [10.0.0.1, fd00::1], search: [example, lan]}": {
        "resolv": "nameserver 10.0.0.1\nnameserver fd00::1\nsearch example lan\n"
    },
    "resolv: 'options ndots:3'": {"resolv": "options ndots:3\n"},
    "resolv: ''": {"resolv": ""},
    "env: {LANG: C, N_1: 3, EMPTY: ''}": {"env": (("LANG", "C"), ("N_1", "3"), ("EMPTY", ""))},
    'files: {/etc/motd: "hi\\n", /run.sh: {text: "x", mode: "0755"}, /suid: {text: "", mode: "4711"}}': {
        "files": (
            File(path="/etc/motd", text="hi\n", place=at(15)),
            File(path="/run.sh", text="x", mode=0o755, place=at(34)),
            File(path="/suid", text="", mode=0o4711, place=at(70)),
        )
    },
    "start: [ip link set lo mtu 1400, \"echo 'a b' c#d $x\"]": {
        "start": (command(15, "ip", "link", "set", "lo", "mtu", "1400"), command(40, "echo", "a b", "c#d", "$x"))
    },
    "start: [{run: [a, '', '80'], ready: {port: 80}}, {run: b -v, ready: {port: 53, protocol: udp}, within: 5s}]": {
        "start": (
            command(15, "a", "", "80", ready=Ready(port=80, within=TEN)),
            command(56, "b", "-v", ready=Ready(port=53, protocol="udp", within=milliseconds(5000)), within=milliseconds(5000)),
        )
    },
    "start: [{run: a, ready: {log: 'on [0-9]+$'}}, {run: b, background: true}, {shell: 'x | y', within: 1min}]": {
        "start": (
            command(15, "a", ready=Ready(log="on [0-9]+$", within=TEN)),
            command(53, "b", background=True),
            command(81, "sh", "-c", "x | y", within=Duration(60 * 10**9)),
        )
    },
}


@pytest.mark.parametrize("keys", GOOD)
def test_what_is_said_of_a_node_as_a_whole(keys: str) -> None:
    said: dict[str, Any] = {"name": "a", "kind": "host", "place": at(3), **GOOD[keys]}
    assert topology(network(keys)).node("a") == Node(**said)


BAD: dict[str, tuple[str, ...]] = {
    # kinds, and what they cannot have
    "kind: hub, stp: true": ('2:13: "hub" is none of host, router, nat, switch, peer',),
    "stp: true": ("2:7: only a switch has stp, and a is a host; make it a switch, or leave this out",),
    "kind: router, nat: {outside: b}": (
        "2:21: only a nat translates addresses, and a is a router; make it a nat, or leave this out",
    ),
    "kind: peer, routes: [], start: [x], names: {x: 10.0.0.1}": tuple(
        f"2:{column}: a peer has no {key}; it has no kernel of its own, and what it sends is written by hand"
        for column, key in ((19, "routes"), (31, "start"), (43, "names"))
    ),
    "knid: host": ('2:7: unknown key "knid"; did you mean "kind"?',),
    # sysctls
    "sysctls: {net.ipv4.conf.eht0.rp_filter: 1}": ('2:17: a has no interface "eht0"; did you mean "eth0"?',),
    "sysctls: {net/ipv4/conf/eth0.10/rp_filter: 1}": ('2:17: a has no interface "eth0.10"; did you mean "eth1"?',),
    "sysctls: {net.ipv4.conf.all: 1}": (
        '2:17: "net.ipv4.conf.all" is a folder of sysctls; '
        "write for example net.ipv4.conf.default, and then what of it is to be set",
    ),
    "sysctls: {net/../kernel/panic: 1, net.ipv4: 1}": tuple(
        f'2:{column}: "{key}" is no sysctl of a network namespace; they are written like net.ipv4.tcp_syn_retries'
        for column, key in ((17, "net/../kernel/panic"), (41, "net.ipv4"))
    ),
    # routes: what is written
    "routes: none": ('2:15: "none" is neither auto nor a list of routes; write auto',),
    "routes: {to: default}": ("2:15: this must be auto or a list of routes, not a mapping",),
    "routes: [auto, aut, 7, auto]": (
        '2:22: "aut" is neither auto nor a route such as {to: default, via: 10.0.0.1}; did you mean "auto"?',
        "2:27: this must be a route such as {to: default, via: 10.0.0.1}, or the word auto, not 7 (a number)",
        "2:30: auto stands in this list already; leave it out",
    ),
    "routes: [{via: b}]": ('2:16: the key "to" is missing; add "to:"',),
    "routes: [{to: 10.9.0.0/16, vai: b}]": ('2:34: unknown key "vai"; did you mean "via"?',),
    "routes: [{to: 10.9.0.1/16, via: b}]": (
        "2:21: 10.9.0.1/16 is an address within its subnet, not the subnet; did you mean 10.9.0.0/16?",
    ),
    "routes: [{to: fd00::9, via: b}]": ("2:21: fd00::9 has no prefix length; write fd00::9/128 for this address alone",),
    "routes: [{to: defualt, via: b}]": ('2:21: "defualt" is no subnet; did you mean "default"?',),
    "routes: [{to: 10.9.0.0/16}]": ("2:16: this route does not say which way; add via: or interface:, or kind: blackhole",),
    "routes: [{to: 10.9.0.0/16, kind: blakhole}]": (
        '2:40: "blakhole" is none of unicast, blackhole, unreachable, prohibit; did you mean "blackhole"?',
    ),
    "routes: [{to: 10.9.0.0/16, kind: blackhole, via: b, mtu: 1400}]": (
        "2:51: a route of kind blackhole leads nowhere, so it has no via; leave it out",
        "2:59: a route of kind blackhole leads nowhere, so it has no mtu; leave it out",
    ),
    "routes: [{to: default, via: b, table: 254}, {to: default, via: b, table: 253}, {to: default, via: b, table: 0}]": (
        "2:45: the kernel calls the table 254 main, and keeps it for itself; write main",
        "2:80: the kernel calls the table 253 default, and keeps it for itself; choose another number",
        "2:115: 0 (a number) is no routing table; a number from 1 to 4294967295, or main",
    ),
    "routes: [{to: default, via: b, metric: -1, mtu: 70000}]": (
        "2:46: -1 is too small: it must be at least 0",
        "2:55: 70000 is too large: it must be at most 65520",
    ),
    "routes: [{to: default, via: b, mtu: 1000}]": ("2:43: 1000 is too small: IPv6 needs at least 1280",),
    # routes: where they lead
    "routes: [{to: 10.9.0.0/16, via: 10.77.0.2}]": (
        "2:39: 10.77.0.2 is in no subnet of a; they are: 10.0.0.0/24, 10.1.0.0/24, 10.3.0.0/24",
    ),
    "routes: [{to: 10.9.0.0/16, via: 10.0.0.2, interface: eth1}]": (
        "2:39: 10.0.0.2 is in no subnet of a:eth1; they are: 10.1.0.0/24",
    ),
    "routes: [{to: 10.9.0.0/16, via: fd00::2}]": (
        "2:39: fd00::2 is of IPv6, and 10.9.0.0/16 is not; give an address of the same family",
    ),
    "routes: [{to: default, source: 10.0.0.1, via: fd00::2}]": (
        "2:53: fd00::2 is of IPv6, and 10.0.0.1 is not; give an address of the same family",
    ),
    "routes: [{to: 10.9.0.0/16, via: 10.1.0.1}]": ("2:39: 10.1.0.1 is an address of a itself; a route leads to another node's",),
    "routes: [{to: 10.9.0.0/16, via: 10.0.0.255}, {to: 10.8.0.0/16, via: 10.0.0.0}]": (
        "2:39: 10.0.0.255 is the broadcast address of 10.0.0.0/24; give the address of a router",
        "2:75: 10.0.0.0 stands for the subnet 10.0.0.0/24; give the address of a router",
    ),
    "routes: [{to: 10.9.0.0/16, via: 10.0.0.2/24}]": (
        '2:39: "10.0.0.2/24" is no address and no node; write for example 10.0.0.1, or a neighbour\'s name',
    ),
    "routes: [{to: 'fd09::/16', via: fe80::1}]": ("2:39: fe80::1 may be on every link; add interface:",),
    "routes: [{to: 10.9.0.0/16, via: a}]": ("2:39: a is the node itself; a route leads to another node",),
    "routes: [{to: 10.9.0.0/16, via: bb}]": ('2:39: no node "bb"; did you mean "b"?',),
    "routes: [{to: 10.9.0.0/16, via: d}]": ("2:39: d is no neighbour of a; its neighbours are b, c",),
    "routes: [{to: 'fd09::/16', via: c}]": ("2:39: a and c share no IPv6 subnet; c is 10.1.0.2 on eth1",),
    "routes: [{to: default, via: b, interface: eth1}]": (
        "2:35: a and b share no subnet on eth1; b is 10.0.0.2 on eth0, fd00::2 on eth0",
    ),
    "routes: [{to: default, interface: eth7}]": ('2:41: a has no interface "eth7"; did you mean "eth2"?',),
    "routes: [{to: default, interface: wan}]": ('2:41: a has no interface "wan"; its interfaces are eth0, eth1, eth2',),
    "routes: [{to: default, interface: eth2}, {to: default, via: 10.3.0.2}]": tuple(
        f"2:{column}: the link of eth2 is down, and the kernel takes no route through it; leave the route out"
        for column in (41, 67)
    ),
    "vrfs: {red: {table: 9}}, routes: [{to: default, interface: red}]": (
        '2:46: red has no addresses, so that this may be the default of either family; write 0.0.0.0/0 or "::/0"',
    ),
    "routes: [{to: 10.9.0.0/16, via: b, source: 10.0.0.9}, {to: 10.8.0.0/16, via: b, source: fd00::1}]": (
        "2:50: 10.0.0.9 is no address of a; its addresses are 10.0.0.1, fd00::1, 10.1.0.1, 10.3.0.1",
        "2:95: fd00::1 is of IPv6, and 10.8.0.0/16 is not; give one of the same family",
    ),
    "routes: [{to: default, via: b}, {to: '::/0', via: fd00::2, metric: 1024}]": (
        "2:39: a route to ::/0 is there already, in line 2; give one of them another metric or table",
    ),
    "routes: [{to: 10.1.0.0/24, via: b}]": (
        "2:16: 10.1.0.0/24 is the subnet of eth1, to which the kernel has a route already; give this one another metric or a table",
    ),
    "routes: [{to: 'fd00::/64', via: fd00::2, metric: 256}]": (
        "2:16: fd00::/64 is the subnet of eth0, to which the kernel has a route already; give this one another metric or a table",
    ),
    # rules
    "rules: [{from: 10.0.0.0/24}]": ('2:15: the key "table" is missing; add "table:"',),
    "rules: [{table: 9, from: 10.0.0.0/24, to: 'fd00::/64'}]": (
        "2:49: fd00::/64 is of IPv6, and 10.0.0.0/24 is not: no packet has both; make it two rules",
    ),
    "rules: [{table: 9, mark: 0}, {table: 9, priority: 40000}, {table: 9, interface: eth9}]": (
        "2:32: 0 is too small: it must be at least 1",
        "2:57: 40000 is too large: it must be at most 32765",
        '2:87: a has no interface "eth9"; did you mean "eth2"?',
    ),
    "rules: [{table: 9, mark: 1, priority: 5}, {table: 9, mark: 1, priority: 5}]": (
        "2:49: the same rule is there already, in line 2; leave it out, or give it another priority",
    ),
    "rules: [{table: 9, priority: 32765}, {table: 9}, {table: 8}]": tuple(
        f"2:{column}: no priority is left after the rule before, which has 32765; give them priorities" for column in (44, 56)
    ),
    # VRFs
    "vrfs: {red: {table: 10, interfaces: [eth0, eth9]}, blue: {table: 10, interfaces: eth0}}": (
        '2:50: a has no interface "eth9"; did you mean "eth2"?',
        "2:72: the table 10 is that of red already; each VRF has its own",
        "2:88: eth0 is in the VRF red already; an interface is in one VRF",
    ),
    "vrfs: {eth1: {table: main}, all: {table: 6}, -x: {}, eth0: {table: 7}}": (
        "2:28: a VRF has a table of its own, not main; choose a number, such as 10",
        '2:35: "all" is no name for a VRF; letters, digits, - and _, at most 15 in all, and not lo, br0, all or default',
        '2:52: the key "table" is missing; add "table:"',
        "2:60: a has an interface eth0 already; choose another name",
    ),
    # translation
    "kind: nat, nat: {outside: [eth0, b, zz, d]}": (
        "2:40: eth0 is outside already, as eth0; leave one of the two out",
        '2:43: a has no interface and no neighbour "zz"; they are eth0, eth1, eth2, b, c',
        "2:47: d is no neighbour of a; its neighbours are b, c",
    ),
    "kind: nat, nat: {behavior: x, behaviour: cone}": (
        '2:24: unknown key "behavior"; did you mean "behaviour"?',
        '2:48: "cone" is none of full-cone, address-restricted-cone, port-restricted-cone, symmetric; did you mean "full-cone"?',
    ),
    "kind: nat, nat: {forwards: [tcp 80 -> c, 8080 -> c:80, icmp 8 -> c:8, tcp 0 -> c:99999]}": (
        '2:35: "tcp 80 -> c" is no port forward; write for example tcp 8080 -> server:80',
        '2:48: "8080 -> c:80" is no port forward; write for example tcp 8080 -> server:80',
        '2:62: "icmp" is neither tcp nor udp; write for example tcp 8080 -> server:80',
        '2:81: "0" is no port; a number from 1 to 65535',
        '2:88: "99999" is no port; a number from 1 to 65535',
    ),
    "kind: nat, nat: {forwards: [tcp 80 -> cc:80, tcp 81 -> s:80, 'tcp 82 -> fd00::9:80', tcp 83 -> 127.0.0.1:80]}": (
        '2:45: no node "cc"; did you mean "c"?',
        "2:62: s has no IPv4 or IPv6 address to forward to; give the subnets of its link",
        "2:79: fd00::9:80 may be read in two ways; write [fd00::9]:80",
        "2:102: nothing can be forwarded to 127.0.0.1; give the address of a node",
    ),
    "kind: nat, nat: {forwards: tcp 84 -> 1.2.3:4}": (
        '2:44: "1.2.3" is no address and no node; write for example tcp 8080 -> server:80',
    ),
    "kind: nat, nat: {forwards: [tcp 80 -> c:80, tcp 80 -> 10.1.0.9:81, udp 80 -> c:80]}": (
        "2:55: tcp 80 is forwarded already, in line 2; choose another port",
    ),
    # firewall: each rule that is wrong, not only the first
    "firewall: {input: [acept tcp 80, accept udp, drop, accept tcp], forwad: []}": (
        "2:26: 'acept' is no action: accept, drop or reject; did you mean \"accept\"?",
        "2:52: nothing after 'drop' is ever reached; a bare action is the chain's policy: put it last, or say what it drops",
        '2:71: unknown key "forwad"; did you mean "forward"?',
    ),
    "firewall: {output: [accept tcp 80 form 10.0.0.0/24]}": ("2:41: 'form' is no word of a firewall rule; did you mean \"from\"?",),
    "firewall: [drop]": ("2:17: this must be an nftables ruleset as text, or rules by chain (input, forward, output), not a list",),
    "firewall: ''": ("2:17: this must not be empty",),
    # names, resolv.conf, environment
    "names: {b: 10.0.0.9, LocalHost: 10.0.0.9}": tuple(
        f"2:{column}: {name} is in the file already, as every node's name and localhost are; choose another name"
        for column, name in ((15, "b"), (28, "LocalHost"))
    ),
    "names: {x_y: 10.0.0.9, ok: 10.0.0.9/24, a.1: [10.0.0.300]}": (
        '2:15: "x_y" is no name of a host; letters, digits and - in parts of at most 63, with dots between (RFC 1123)',
        '2:34: "10.0.0.9/24" is no address; write for example 10.0.0.5',
        '2:47: "a.1" is no name of a host; letters, digits and - in parts of at most 63, with dots between (RFC 1123)',
        '2:53: "10.0.0.300" is no address; write for example 10.0.0.5',
    ),
    "resolv: {nameservers: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4], search: [a..b]}": (
        "2:29: too many: 4, at most 3 allowed",
        '2:80: "a..b" is no name of a host; letters, digits and - in parts of at most 63, with dots between (RFC 1123)',
    ),
    "resolv: [10.0.0.1]": ("2:15: this must be text, or nameservers and search, not a list",),
    'env: {1X: a, OK: true, NUL: "a\\0"}': (
        '2:13: "1X" is no name of a variable; letters, digits and _, and no digit first',
        "2:24: this must be text or a whole number, not true (a truth value)",
        "2:35: there is a NUL character in this, which ends a text for the kernel; leave it out",
    ),
    # files
    "files: {etc/motd: '', /etc/../motd: '', /etc/: '', //x: ''}": (
        '2:15: "etc/motd" is no absolute path; write /etc/motd',
        '2:29: "/etc/../motd" is a roundabout path; write /motd',
        '2:47: "/etc/" is a directory, not a file; directories are made as files need them',
        '2:58: "//x" is a roundabout path; write /x',
    ),
    "files: {/proc/x: '', /etc/hosts: '', /etc/resolv.conf: '', /a: '', /a/b/c: ''}": (
        "2:15: /proc/x is the kernel's, and no file can be put there; choose a path outside of /proc, /sys, /dev",
        "2:28: every node's /etc/hosts is netlab's; names: has further lines for it",
        "2:44: every node's /etc/resolv.conf is netlab's; resolv: says what is in it",
        "2:74: /a/b/c lies below /a, which is a file; choose another path",
    ),
    f"files: {{/{'x' * 256}: ''}}": (f'2:15: "/{"x" * 36}..." is too long; at most 255 bytes a name, 4095 in all',),
    "files: {/a: {text: '', mode: 0755}, /b: {mode: '755'}, /c: {text: '', from: x}, /d: {text: '', mode: '9'}, /e: 7}": (
        '2:36: 755 (a number) is no mode of a file; write its octal digits in quotes, such as "0755"',
        "2:47: a file has either text: or from:, and this has neither; text: is what it holds, from: another file that holds it",
        "2:66: a file has either text: or from:, and this has both; text: is what it holds, from: another file that holds it",
        '2:108: "9" is no mode of a file; write its octal digits in quotes, such as "0755"',
        "2:118: a file must be its text, or a mapping of text or from, not 7 (a number)",
    ),
    # a list keeps its places when something in it cannot be read
    'start: [[x], "echo \'x"], firewall: {input: [7, acept]}, routes: [7, auto, auto]': (
        "2:15: a command must be text, or a mapping of run or shell, not a list",
        "2:20: this cannot be split into words: no closing quotation; close the quote, or give the words as a list",
        "2:51: this must be text, not 7 (a number)",
        "2:54: 'acept' is no action: accept, drop or reject; did you mean \"accept\"?",
        "2:72: this must be a route such as {to: default, via: 10.0.0.1}, or the word auto, not 7 (a number)",
        "2:81: auto stands in this list already; leave it out",
    ),
    "kind: nat, nat: {outside: [7, zz], forwards: [7, x]}, vrfs: {red: {table: 5, interfaces: [7, eth0, eth0]}}": (
        "2:34: this must be text, not 7 (a number)",
        '2:37: a has no interface and no neighbour "zz"; they are eth0, eth1, eth2, b, c',
        "2:53: this must be text, not 7 (a number)",
        '2:56: "x" is no port forward; write for example tcp 8080 -> server:80',
        "2:97: this must be text, not 7 (a number)",
        "2:106: eth0 is in the VRF red already; an interface is in one VRF",
    ),
    # commands
    "start: x": ('2:14: this must be a list, not "x"',),
    "start: [\"echo 'x\", '', '# x', [x]]": (
        "2:15: this cannot be split into words: no closing quotation; close the quote, or give the words as a list",
        "2:26: this must not be empty",
        "2:37: a command must be text, or a mapping of run or shell, not a list",
    ),
    "start: [{run: x, shell: y}, {background: true}, {run: [x, 80]}, {run: []}, {run: ['']}, {run: ' '}]": (
        "2:15: a command is either run: or shell:, and this has both; run: starts a program, shell: a line for sh -c",
        "2:35: a command is either run: or shell:, and this has neither; run: starts a program, shell: a line for sh -c",
        '2:65: each word of a command is text, not 80 (a number); quote it: "80"',
        "2:77: too few: 0, at least 1 wanted",
        "2:88: a command begins with the name of a program, and this is empty",
        "2:101: a command begins with the name of a program, and this is empty",
    ),
    "start: [{run: x, ready: {port: 65536}}, {run: x, ready: {}}, {run: x, ready: {port: 1, log: x}}]": (
        "2:38: 65536 is too large: it must be at most 65535",
        "2:63: ready is either port: or log:, and this has neither; port: waits until the node listens, log: for a line of output",
        "2:84: ready is either port: or log:, and this has both; port: waits until the node listens, log: for a line of output",
    ),
    "start: [{run: x, ready: {log: '(', protocol: udp}}, {run: x, ready: {log: x, protocol: udp}, background: true}]": (
        '2:37: "(" is no regular expression: missing ), unterminated subpattern at position 0',
        "2:84: a line of output has no protocol; leave it out",
        "2:100: what must be ready stays running anyway; leave background out",
    ),
    "start: [{run: x, background: true, within: 5s}, {run: x, within: 0s}, {run: x, within: 5}, {run: x, within: 61min}]": (
        "2:42: nobody waits for a command in the background; leave within out",
        "2:72: this leaves no time at all; write for example 10s",
        "2:94: this must be a duration, not 5 (a number); write a number with its unit, such as 200ms",
        "2:115: 61min is too long: it must be at most 60min",
    ),
}


@pytest.mark.parametrize("keys", BAD)
def test_what_is_wrong_with_a_node_is_told_with_its_place_and_fix(keys: str) -> None:
    assert problems(network(keys)) == list(BAD[keys])


def test_only_a_switch_has_vlans() -> None:
    assert problems("nodes: {a: {vlans: {10: {}}}}\n") == [
        "1:13: only a switch has vlans, and a is a host; "
        "make it a switch; what is opposite a trunk has eth0.10 and the like by itself"
    ]


def test_a_switch_has_stp_and_programs() -> None:
    text = "nodes:\n  s: {kind: switch, stp: true, start: [x], env: {A: b}, sysctls: {net.ipv4.conf.br0.forwarding: 0}}\n  a: {}\n"
    text += "links: [{endpoints: [a, s]}]\n"
    assert topology(text).node("s") == Node(
        name="s",
        kind="switch",
        place=at(3),
        sysctls=(("net.ipv4.conf.br0.forwarding", "0"),),
        env=(("A", "b"),),
        start=(command(40, "x"),),
        stp=True,
    )


def test_what_is_wrong_with_a_switch() -> None:
    text = "nodes:\n  s: {kind: switch, vlans: {0: {}, 4095: {}, 07: {}, 5: {subnet: 7}}, subnets: [10.44.0.0/24]}\n"
    text += "  t: {kind: switch, routes: auto, firewall: x, vlans: {}, loopback: 10.9.0.1}\n"
    only = "it only passes frames on: say this of a host or a router"
    assert problems(text) == [
        '2:29: "0" is no VLAN; a number from 1 to 4094',
        '2:36: "4095" is no VLAN; a number from 1 to 4094',
        '2:46: "07" is no VLAN; a number from 1 to 4094',
        '2:58: unknown key "subnet"; did you mean "subnets"?',
        "2:71: s has vlans, and each of them has its own subnets; give them under one of its vlans",
        f"3:21: a switch has no routes; {only}",
        f"3:35: a switch has no firewall; {only}",
        "3:55: too few: 0, at least 1 wanted",
        f"3:59: a switch has no loopback; {only}",
    ]


def test_a_nat_must_know_its_outside() -> None:
    text = "nodes: {n: {kind: nat}, m: {kind: nat}, r: {kind: router}, h: {}}\n"
    text += "links: [{endpoints: [n, r]}, {endpoints: [n, m]}, {endpoints: [h, n]}]\n"
    assert problems(text) == [
        "1:9: nothing says which side of n is outside: there are routers on eth0, eth1; "
        "add nat: {outside: ...} with an interface (eth0, eth1, eth2) or a neighbour"
    ]
    text = "nodes: {n: {kind: nat, nat: 7}, m: {kind: nat, nat: {outside: [7]}}, o: {kind: nat, nat: {outside: 7}}}\n"
    assert problems(text) == [
        "1:29: this must be a mapping, not 7 (a number)",
        "1:64: this must be text, not 7 (a number)",
        "1:100: this must be text, not 7 (a number)",
    ]
    text = "nodes: {n: {kind: nat, nat: }, h: {}}\nlinks: [{endpoints: [h, n]}]\n"
    assert problems(text) == [
        "1:24: nothing says which side of n is outside: no router is next to it; "
        "add nat: {outside: ...} with an interface (eth0) or a neighbour"
    ]


def test_a_route_may_go_through_a_vlan_and_an_overlay() -> None:
    text = (
        "nodes:\n"
        "  h: {routes: [{to: 10.9.0.0/16, via: 10.5.0.2}, {to: 10.8.0.0/16, via: g, interface: blue}], "
        "vrfs: {red: {table: 7, interfaces: eth0.20}}}\n"
        "  g: {}\n  s: {kind: switch, vlans: {10: {subnets: [10.5.0.0/24]}, 20: {}}}\n"
        "links:\n  - {endpoints: [h, s], vlans: {s: [10, 20]}}\n  - {endpoints: [g, s], vlans: {s: 10}}\n"
        "overlays: [{name: blue, vni: 42, nodes: [h, g], subnets: [192.168.0.0/24]}]\n"
    )
    assert topology(text).node("h").routes == (
        route("10.9.0.0/16", 16, via="10.5.0.2", interface="eth0.10"),
        route("10.8.0.0/16", 50, via="192.168.0.2", interface="blue"),
    )


def test_what_is_wrong_with_a_link_is_not_told_of_its_nodes_too() -> None:
    text = "nodes:\n  a: {routes: [{to: default, via: b}, {to: default, via: 10.0.0.2, metric: 7}, {to: x, via: b}]}\n"
    text += "  b: {kind: router}\n  n: {kind: nat, nat: {outside: b}}\nlinks:\n  - endpoints: [a, bb]\n"
    assert problems(text) == [
        '2:85: "x" is no subnet; write for example 10.0.0.0/24 or "fd00::/64"',
        '6:20: no node "bb"; did you mean "b"?',
    ]


def test_a_broken_neighbour_is_told_once() -> None:
    text = "nodes:\n  a: {routes: [{to: default, via: b}]}\n  b: 7\nlinks: [{endpoints: [a, b]}]\n"
    assert problems(text) == ["3:6: this must be a mapping, not 7 (a number)"]


def test_keys_of_a_node_called_like_a_key_are_known() -> None:
    assert problems("nodes: {nat: {kindd: nat}, files: {sysctl: {}}}\n") == [
        '1:15: unknown key "kindd"; did you mean "kind"?',
        '1:36: unknown key "sysctl"; did you mean "sysctls"?',
    ]


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    (tmp_path / "app.conf").write_bytes(b"one\r\ntwo\n")
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    (tmp_path / "most").write_bytes(b"x" * (1 << 20))
    (tmp_path / "binary").write_bytes(b"\x7fELF\xff")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def read_in(folder: Path, files: str) -> Topology:
    path = folder / "net.yaml"
    path.write_text(f"nodes:\n  a: {{files: {files}}}\n")
    return parse_topology(Document.read(path))


def test_a_file_may_come_from_one_beside_the_topology(beside: Path) -> None:
    node = read_in(beside, "{/x: {from: app.conf, mode: '0600'}, /y: {from: most}}").node("a")
    place = Place(str(beside / "net.yaml"), 2, 15)
    assert node.files[0] == File(path="/x", text="one\r\ntwo\n", mode=0o600, place=place)
    assert len(node.files[1].text) == 1 << 20


def test_a_file_that_cannot_be_had(beside: Path) -> None:
    names = ("app.cnof", "large", "binary", "pipe", ".", "a\\0b")
    with pytest.raises(SpecError) as caught:
        read_in(beside, "{" + ", ".join(f'/{i}: {{from: "{name}"}}' for i, name in enumerate(names)) + "}")
    assert [str(problem).partition(":2:")[2] for problem in caught.value.problems] == [
        '26: there is no file "app.cnof"; did you mean "app.conf"?',
        '50: "large" is too large: at most 1 MB is read',
        '71: "binary": byte 0xff is not UTF-8; files of a node are text',
        '93: "pipe" is no regular file; give a file',
        '113: "." cannot be read: Is a directory',
        '130: "a\0b" cannot be read: embedded null byte',
    ]


def test_a_text_that_is_too_large_for_a_file() -> None:
    text = f'nodes: {{a: {{files: {{/x: "{"é" * 600_000}"}}}}}}\n'
    assert problems(text) == ["1:25: the text is too large: 1.1 MB, at most 1 MB is allowed"]


def test_the_schema_of_a_node_can_be_published() -> None:
    schema = NodeFile.model_json_schema()
    assert set(schema["properties"]) == set(NodeFile.model_fields)


def test_what_is_said_of_a_group_holds_for_each_member() -> None:
    text = "nodes:\n  h: {count: 2, routes: [{to: default, via: r}], firewall: {input: [drop]}}\n  r: {kind: router}\n"
    text += "links: [{endpoints: [h, r], subnets: [10.0.0.0/28]}]\n"
    one, two = (topology(text).node(name) for name in ("h1", "h2"))
    assert [each.via for node in (one, two) for each in node.routes] == [ip_address("10.0.0.2"), ip_address("10.0.0.6")]
    assert one.firewall == two.firewall == firewall({"input": ["drop"]})
