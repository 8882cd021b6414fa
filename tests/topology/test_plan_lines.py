from ipaddress import ip_address, ip_network

from drawn import HERE, addresses, end, nat, node, overlay, route, star, topology, vlan, vrf, wire

from netlab.notation.packets import PacketPattern
from netlab.topology.plan import plan
from netlab.topology.planning.plan_lines import lines
from netlab.topology.spec import Command, File, PolicyRule, Port, Ready, Rule, Shape, Topology
from netlab.units import milliseconds


def steps(network: Topology) -> list[str]:
    """All lines but those of pinned sysctls, which are many."""
    return [line for line in lines(plan(network)) if ": sysctl " not in line]


def test_a_small_network_as_a_whole() -> None:
    network = topology(
        ["a", "r:router", "p:peer"], [wire("a:eth0 10.0.0.1/24", "r:eth0 10.0.0.2/24"), wire("r:eth1", "p:eth0 10.1.0.1/24")]
    )
    assert steps(network) == [
        "namespace a (host)",
        "namespace r (router)",
        "namespace p (peer)",
        "wire a:eth0 - r:eth0, mtu 1500",
        "wire r:eth1 - p:eth0, mtu 1500",
        "a: address 10.0.0.1/24 on eth0",
        "r: address 10.0.0.2/24 on eth0",
        "p: answers for 10.1.0.1/24 on eth0",
        "a: route default via 10.0.0.2 on eth0",
        "a: name a is 10.0.0.1",
        "a: name r is 10.0.0.2",
        "a: name p is 10.1.0.1",
        "r: name a is 10.0.0.1",
        "r: name r is 10.0.0.2",
        "r: name p is 10.1.0.1",
    ]


def test_every_kind_of_device_and_wire() -> None:
    slow = Shape(
        delay=milliseconds(10), jitter=milliseconds(1), loss=0.001, duplicate=0.25, corrupt=0.5, reorder=1, rate=1_500_000, limit=9,
        seed=7, place=HERE,
    )  # fmt: skip
    drop = Rule(match=PacketPattern(text="S"), action="drop", place=HERE)
    links = [
        wire(
            end("a:eth0 10.0.0.1/24", subinterfaces=(vlan("eth0.10", "10.1.0.1/24"),), hardware="02:aa:00:00:00:01"),
            end("s:eth0", port=Port(access=5, trunk=(10, 20))),
            mtu=9000,
            offloads=frozenset({"tx", "gro"}),
            shapes=((("s", "a"), slow),),
        ),
        wire("a:eth1 10.2.0.1/24", "b:eth0 10.2.0.2/24", up=False, impair=((("a", "b"), (drop,)),)),
        wire(
            "b:eth1 10.0.0.2/24", end("s:eth1", port=Port(access=5)), impair=((("b", "s"), (drop,)),), shapes=((("b", "s"), slow),)
        ),
    ]
    a = node("a", vrfs=(vrf("red", 10, "eth1", "eth0.10"),), loopback=addresses("10.9.0.1/32"))
    blue = overlay("blue", 42, end("a:blue 10.7.0.1/24"), end("b:blue"))
    quantities = "delay 10ms, jitter 1ms, loss 0.1%, duplicate 25%, corrupt 50%, reorder 100%"
    quantities += ", rate 1.5mbit, limit 9 packets, seed 7"
    assert [step for step in steps(topology([a, "b", node("s:switch", stp=True)], links, blue)) if ": name " not in step] == [
        "namespace a (host)",
        "namespace b (host)",
        "namespace s (switch)",
        "namespace middle of a:eth0-s:eth0 (queueing disciplines)",
        "namespace middle of a:eth1-b:eth0 (rules)",
        "namespace middle of b:eth1-s:eth1 (rules and queueing disciplines)",
        "a: VRF red, table 10",
        "s: bridge, VLAN filtering, STP",
        "wire a:eth0 - s:eth0, mtu 9000, offloads gro, tx through middle of a:eth0-s:eth0",
        f"middle of a:eth0-s:eth0: from s:eth0 to a:eth0: {quantities}",
        "a: MAC address 02:aa:00:00:00:01 of eth0",
        "wire a:eth1 - b:eth0, mtu 1500, down through middle of a:eth1-b:eth0",
        "wire b:eth1 - s:eth1, mtu 1500 through middle of b:eth1-s:eth1",
        f"middle of b:eth1-s:eth1: from b:eth1 to s:eth1: {quantities}",
        "a: VLAN 10 on eth0 as eth0.10",
        "a: VXLAN blue, vni 42, port 4789, mtu 1450, from 10.0.0.1 to 10.0.0.2",
        "a: eth1 belongs to VRF red",
        "a: eth0.10 belongs to VRF red",
        "b: VXLAN blue, vni 42, port 4789, mtu 1450, from 10.0.0.2 to 10.0.0.1",
        "s: port eth0 untagged in VLAN 5, tagged in VLAN 10, 20",
        "s: port eth1 untagged in VLAN 5",
        "a: address 10.0.0.1/24 on eth0",
        "a: address 10.2.0.1/24 on eth1",
        "a: address 10.1.0.1/24 on eth0.10",
        "a: address 10.7.0.1/24 on blue",
        "a: address 10.9.0.1/32 on lo",
        "b: address 10.2.0.2/24 on eth0",
        "b: address 10.0.0.2/24 on eth1",
        *2 * ["a: route unreachable default metric 4278198272 table 10"],
    ]


def test_everything_that_one_node_is_given() -> None:
    given = (
        route("0.0.0.0/0", "10.0.0.2", metric=5, table=100, source="10.0.0.1", mtu=1400),
        route("10.8.0.0/16", kind="blackhole"),
        route("10.7.0.0/24", interface="eth0"),
    )
    rules = (
        PolicyRule(family=4, priority=1000, table=100, source=ip_network("10.0.0.0/24"), place=HERE),
        PolicyRule(family=6, priority=1001, table=100, destination=ip_network("fd00::/8"), interface="eth0", mark=7, place=HERE),
    )
    ready = Ready(port=80, within=milliseconds(5000))
    log = Ready(log="listening on", within=milliseconds(5000))
    start = (
        Command(argv=("ip", "link"), within=milliseconds(10000), place=HERE),
        Command(argv=("httpd",), ready=ready, within=milliseconds(5000), place=HERE),
        Command(argv=("daemon",), ready=log, within=milliseconds(5000), place=HERE),
        Command(argv=("sleep", "inf"), background=True, within=milliseconds(5000), place=HERE),
    )
    asked = node(
        "a",
        sysctls=(("net.ipv4.conf.eth0.rp_filter", "1"),),
        routes=given,
        rules=rules,
        firewall="table inet filter {\n}\n",
        files=(File(path="/etc/motd", text="é\n", mode=0o755, place=HERE),),
        names=(("printer.example", ip_address("10.0.0.77")),),
        resolv="nameserver 10.0.0.1\nsearch example\n",
        env=(("LANG", "C"),),
        start=start,
    )
    network = topology([asked, "b"], [wire("a:eth0 10.0.0.1/24", "b:eth0 10.0.0.2/24")], neighbours=("a",))
    pinned = len([line for line in lines(plan(network)) if line.startswith("a: sysctl ")]) - 1
    assert [step for step in lines(plan(network)) if step.startswith("a: ")][pinned:] == [
        "a: address 10.0.0.1/24 on eth0",
        "a: sysctl net.ipv4.conf.eth0.rp_filter = 1",
        "a: route default via 10.0.0.2 metric 5 table 100 mtu 1400 source 10.0.0.1",
        "a: route blackhole 10.8.0.0/16",
        "a: route 10.7.0.0/24 on eth0",
        "a: rule 1000: IPv4 from 10.0.0.0/24 table 100",
        "a: rule 1001: IPv6 to fd00::/8 in eth0 mark 7 table 100",
        "a: permanent neighbour 10.0.0.2 is 02:00:00:00:00:01 on eth0",
        "a: nftables ruleset, 2 lines",
        "a: file /etc/motd, mode 0755, 3 bytes",
        "a: name printer.example is 10.0.0.77",
        "a: name a is 10.0.0.1",
        "a: name b is 10.0.0.2",
        "a: resolv.conf nameserver 10.0.0.1",
        "a: resolv.conf search example",
        "a: environment LANG=C",
        "a: start ip link, to its end within 10s",
        "a: start httpd, ready with tcp port 80 within 5s",
        "a: start daemon, ready with log line 'listening on' within 5s",
        "a: start sleep inf, in the background",
    ]


def test_many_neighbours_are_counted() -> None:
    found = steps(star(40))
    assert "h1: 78 permanent neighbours" in found
    assert "h7: permanent neighbour 10.0.0.40 is 02:00:00:00:27:00 on eth0" in found


def test_a_nats_ruleset_is_one_line() -> None:
    links = [wire("h:eth0 10.1.0.2/24", "n:eth0 10.1.0.1/24"), wire("n:eth1 10.0.0.1/24", "i:eth0 10.0.0.2/24")]
    found = steps(topology(["h", node("n:nat", nat=nat("eth1")), "i"], links))
    assert [step.partition(",")[0] for step in found if "nft" in step] == ["n: nftables ruleset"]
