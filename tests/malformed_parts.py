"""Parts of topologies, drawn by hypothesis: right, and now and then wrong.

Everything that the language has is here with values that belong there, with such as nearly do, and with such as never do.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

MAIN = "topology.yaml"
NODES = ("a", "b", "c", "h", "h1", "h2", "r", "r1", "s", "s1", "n", "switch", "server", "client", "router", "home")
WORDS = (
    *NODES, "", " ", "auto", "default", "all", "both", "none", "a->b", "b->a", "a:eth0", "b:eth1", "s:br0", "a:b:c", ":", "->",
    "lo", "eth0", "eth0.10", "host", "nat", "peer", "up", "down", "kernel", "vxlan", "drop", "hold", "blackhole", "symmetric",
    "full-cone", "10.0.0.0/24", "10.0.0.0/8", "10.0.0.1/24", "10.0.0.1", "10.0.0.0/31", "10.0.0.0/32", "0.0.0.0/0",
    "255.255.255.255/32", "fd00::/64", "fd00::1/64", "fd00::/127", "::/0", "::1", "fe80::1%eth0", "fe80::/10", "ff02::1/128",
    "224.0.0.0/4", "127.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "1.2.3", "::ffff:1.2.3.4/120", "10ms", "0ms", "-1ms", "1e9s",
    "99999999min", "0.1%", "100%", "101%", "1e-9%", "nan%", "10mbit", "0bit", "1e99gbit", "02:00:00:00:00:01",
    "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "01:00:5e:00:00:01", "${x}", "${hosts}", "${${x}}", "${", "$${", "$${x}",
    "${x}${x}", "{n}", "h{n}", "{n}{n}", "h1", "a > b S", "...", "S.", "accept", "accept tcp 80", "reject udp",
    "drop tcp 1-70000 from 10.0.0.0/24", "accept established", "tcp 8080 -> b:80", "udp 0 -> nobody:70000", "tcp 80",
    "net.ipv4.tcp_syn_retries", "net.ipv6.conf.eth0.mtu", "net/ipv4/ip_forward", "kernel.panic", "/etc/hosts", "/etc/motd",
    "motd", "/", "../../etc/passwd", "/proc/self/mem", "/etc/\0", "LANG", "A=B", "sleep inf", "sh -c 'unclosed", "base.yaml",
    MAIN, ".", "/dev/null", "*", "&a", "!!python/object:os.system", "table inet filter {", "0755", "0o17", "08", "1_000",
    "12:30:45", "~", "yes", "Ünïcödé", "日本語", "\u202e", "\U0001f9e8", "a" * 70, "x" * 5000, "\u2028", "\x85", "\t", "a\nb",
    "9" * 50, "NaN", "inf", "-0",
)  # fmt: skip
KEYS = (
    "name", "include", "vars", "nodes", "links", "overlays", "neighbours", "kind", "count", "first", "sysctls", "routes", "rules",
    "vrfs", "firewall", "names", "resolv", "env", "files", "start", "nat", "stp", "subnets", "vlans", "loopback", "endpoints",
    "addresses", "mtu", "mac", "state", "offloads", "impair", "line", "ring", "mesh", "vni", "port", "over", "to", "via",
    "metric", "table", "source", "interface", "interfaces", "from", "mark", "priority", "input", "forward", "output",
    "nameservers", "search", "text", "mode", "run", "shell", "ready", "log", "within", "background", "outside", "behaviour",
    "forwards", "delay", "jitter", "loss", "rate", "duplicate", "corrupt", "reorder", "limit", "seed", "match", "action", "nth",
    "barrier", "filter", "every", "range", "byte", "chance", "window", "before", "during", "distribution", "copies", "by", "field",
    "value", "length", "toward", "icmp", "access", "trunk", "allow_duplicate", "protocol",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 7, 10, 24, 64, 68, 80, 255, 1280, 1500, 4094, 4095, 10_000,
    65_535, 65_536, 2**24, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**38,
)  # fmt: skip

_scalars: SearchStrategy[Any] = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(NUMBERS),
    st.none(),
    st.booleans(),
    st.floats(),
    st.text(max_size=12),
    st.integers(),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
_keys = st.one_of(st.sampled_from(KEYS), st.sampled_from(WORDS), st.text(max_size=8), st.integers(-1, 5000))
soup: SearchStrategy[Any] = st.recursive(
    _scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_keys, inner, max_size=4)), max_leaves=12
)
"""Any value that YAML can hold, of words that mean something somewhere."""


_WITH_MUCH_BEHIND = ("routes", "routes", "routes", "nat", "nat", "files", "overlays", "impair", "vlans")
_wrong = st.shared(st.sampled_from((0, 0, 0, 1, 4)), key="of a hundred values, how many are wrong")


def _mostly(good: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """What belongs here, and now and then what does not; in some files never."""

    @st.composite
    def draw(draw: DrawFn) -> Any:
        return draw(soup if draw(st.integers(0, 99)) < draw(_wrong) else good)

    return draw()


def _words(*words: Any) -> SearchStrategy[Any]:
    return st.sampled_from(words)


def _many(one: SearchStrategy[Any], most: int = 3) -> SearchStrategy[Any]:
    return _mostly(st.lists(_mostly(one), max_size=most))


def _table(keys: SearchStrategy[Any], values: SearchStrategy[Any], most: int = 3) -> SearchStrategy[Any]:
    return _mostly(st.dictionaries(keys, _mostly(values), max_size=most))


def _fields(
    required: Mapping[str, SearchStrategy[Any]], optional: Mapping[str, SearchStrategy[Any]], most: int = 3
) -> SearchStrategy[dict[str, Any]]:
    """A mapping with a few of the optional keys: all together would nearly always be wrong."""

    @st.composite
    def draw(draw: DrawFn) -> dict[str, Any]:
        often = [key for key in _WITH_MUCH_BEHIND if key in optional]
        chosen = draw(st.lists(st.sampled_from([*sorted(optional), *often]), max_size=most, unique=True)) if optional else []
        return {key: draw(_mostly({**required, **optional}[key])) for key in (*required, *chosen)}

    return draw()


def _mapping(
    required: Mapping[str, SearchStrategy[Any]], optional: Mapping[str, SearchStrategy[Any]], most: int = 3
) -> SearchStrategy[Any]:
    return _mostly(_fields(required, optional, most))


_subnets = _words(
    "10.0.0.0/24", "10.0.1.0/24", "10.9.0.0/16", "fd00::/64", "fd00:1::/64", "fd09::/48", "10.0.0.0/30", "192.168.0.0/29"
)
_interfaces = _words("10.0.0.1/24", "10.0.0.7/24", "10.0.1.5/24", "fd00::5/64", "10.99.0.1/32", "10.0.0.7", "fd00::9")
_plain = _words("10.0.0.1", "10.0.0.2", "fd00::1", "10.9.9.9")
_node = st.sampled_from(NODES)
_number = st.one_of(st.integers(1, 250), st.sampled_from(NUMBERS))
_ports = _words(1, 10, 20, [10, 20], {"access": 10, "trunk": [20]}, 4094, [], {"access": 10, "trunk": [10]})
_span = _words("10ms", "1s", "5min", "0ms", "3h")
_mtu = _words(1500, 1400, 1280, 9000, 65_535, 576, 67)

_to = st.one_of(_subnets, st.just("default"))
_about_routes = {
    "interface": _words("eth0", "eth1", "lo", "red"), "metric": _number, "table": _number, "source": _plain, "mtu": _mtu,
    "kind": _words("blackhole", "unreachable", "prohibit", "unicast"),
}  # fmt: skip
_route = st.one_of(
    _fields({"to": _to, "via": st.one_of(_plain, _node, _words("fe80::1", "10.0.0.255", "no!"))}, _about_routes, 1),
    _fields({"to": _to, "interface": _about_routes["interface"]}, _about_routes, 1),
    _fields({"to": _to, "kind": _about_routes["kind"]}, _about_routes, 1),
)
_rule = _fields(
    {"table": _number}, {"from": _subnets, "to": _subnets, "mark": _number, "interface": _words("eth0", "lo"), "priority": _number}
)
_allowed = _words(
    "accept", "drop", "reject", "accept established", "accept tcp 80 from 10.0.0.0/24", "reject udp",
    "drop tcp 1-9 in eth0 out eth1", "accept icmp", "accept icmpv6 to fd00::/64", "accept tcp {80, 81}", "accept sctp",
    "drop drop", "accept from nowhere",
)  # fmt: skip
_ready = _fields(
    {}, {"port": _number, "log": _words("ready", "(", "(a+)+$", "a{1,99999999}"), "protocol": _words("tcp", "udp", "x")}, 2
)
_command = st.one_of(
    _words("true", "sleep inf", "ip link set lo mtu 1400", "'", "", "a \\"),
    _fields(
        {"run": st.one_of(_words("sleep inf", "x '"), st.lists(_words("sleep", "1", ""), max_size=3))},
        {"shell": _words("echo hi | cat", ""), "background": st.booleans(), "within": _span, "ready": _ready},
        most=1,
    ),
)
_from = _words("base.yaml", "data.bin", "none", ".", "/dev/zero", "\0")
_file = st.one_of(
    _words("hello\n", ""),
    _fields({"text": st.just("x")}, {"mode": _words("0755", "755", 493, "9"), "from": _from}, 1),
    _fields({"from": _from}, {}),
)
_shape = _fields(
    {},
    {
        "delay": _span, "jitter": _span, "loss": _words("1%", "0%", "200%"),
        "rate": _words("10mbit", "64kbit", "0bit"), "limit": _number, "seed": _number,
        "duplicate": _words("1%"), "corrupt": _words("1%"), "reorder": _words("1%"),
    },
)  # fmt: skip
impairing_rule = _fields(
    {
        "match": _words("...", "a > b S", "S.", "udp", "<", "a > b S <mss 1>", "a > b:x S", "[::1", "a.eth0 > * S ?", "arp"),
        "action": _words(
            "drop", "drop", "hold", "delay", "duplicate", "reorder", "corrupt", "truncate", "mark", "reset", "icmp", "dorp"
        ),
    },
    {
        "nth": st.one_of(_number, st.lists(_number, max_size=3)), "every": _number, "byte": _number, "length": _number,
        "range": _words("2-5", "-5", "2-", "-", "5-2", "0-1", -5, 3, "9" * 30), "filter": _words("tcp port 80", "", "x" * 5000),
        "chance": _words("1%", "0%", "200%"), "seed": _number, "window": _words("1s-2s", "-", "2s-1s", "500ms-", "1h-"),
        "before": _words("x", ""), "barrier": _words("x", ""), "during": _table(_node, _words("SYN-SENT", "ESTAB", "")),
        "delay": _span, "jitter": _span, "distribution": _words("normal", "gauss"), "copies": _number, "by": _number,
        "field": _words("tcp.seq", "bit 160", "bit 999999", "bit -1", "ip", ""), "value": _number, "mark": _words("ce", "ec"),
        "toward": _words("sender", "both", "a"), "icmp": _words("host-unreachable", "fragmentation-needed", ""), "mtu": _mtu,
    },
    2,
)  # fmt: skip
_vars = st.dictionaries(
    _words("x", "hosts", "y", "a b", ""), st.one_of(_scalars, st.just({"a": "${x}"}), st.just("${y}")), max_size=3
)
_count = st.one_of(st.integers(1, 12), _words(0, 300, 10_000, 10_001, "${x}", "${hosts}", -1))
_groups: dict[str, SearchStrategy[Any]] = {
    "count": _count,
    "name": _words("h{n}", "h{n}x", "a", "{n}", "r1", "H{n}", "${x}{n}"),
    "first": _number,
}
_sysctls = _words("net.ipv4.tcp_syn_retries", "net.ipv6.conf.eth0.mtu", "net.core.somaxconn", "kernel.panic", "net..")
_red = _mapping({"table": _number, "interfaces": _many(_words("eth0", "eth1", "eth9"))}, {})
_forwards = _words("tcp 8080 -> b:80", "udp 53 -> 10.0.0.9:53", "tcp 80 -> fd00::1:80", "tcp 1-3 -> b:1", "x")
_every: dict[str, SearchStrategy[Any]] = {
    "sysctls": _table(_sysctls, _number),
    "routes": st.one_of(st.just("auto"), _many(st.one_of(st.just("auto"), _route))),
    "rules": _many(_rule),
    "vrfs": _table(_words("red", "blue", "eth0", "x" * 16), _red),
    "firewall": st.one_of(
        _words("table inet filter { }", "", "\0"), _mapping({}, {key: _many(_allowed, 4) for key in ("input", "forward", "output")})
    ),
    "names": _table(_words("printer.example", "a", "b", "x y", ""), st.one_of(_plain, _many(_plain))),
    "resolv": st.one_of(
        st.just("nameserver 10.0.0.1\n"),
        _mapping({}, {"nameservers": _many(_plain, 5), "search": _many(_words("example", "-", ""))}),
    ),
    "env": _table(_words("LANG", "A=B", "", "PATH"), _scalars),
    "files": _table(_words("/etc/motd", "/etc/hosts", "relative", "/etc/../x", "/", "/etc/", "//x"), _file),
    "start": _many(_command),
    "loopback": st.one_of(_interfaces, _many(_interfaces)),
}
_translated = _fields(
    {},
    {
        "outside": st.one_of(_words("eth0", "eth1"), _node, _many(_node)),
        "behaviour": _words("full-cone", "address-restricted-cone", "port-restricted-cone", "symmetric", "cone"),
        "forwards": _many(_forwards),
    },
)
_of_kind: dict[str, Mapping[str, SearchStrategy[Any]]] = {
    "host": _every,
    "router": _every,
    "nat": {**_every, "nat": _translated},
    "peer": {"sysctls": _every["sysctls"]},
    "switch": {
        "stp": st.booleans(),
        "subnets": _many(_subnets, 2),
        "vlans": _table(_words(1, 10, 20, 4094, 4095, 0, "x"), _mapping({}, {"subnets": _many(_subnets)})),
    },
}
NODE: dict[str, SearchStrategy[Any]] = {**_groups, **{key: value for each in _of_kind.values() for key, value in each.items()}}


@st.composite
def a_node(draw: DrawFn) -> Any:
    kind = draw(st.sampled_from(("host", "host", "host", "router", "router", "switch", "nat", "peer")))
    made = {} if kind == "host" and draw(st.booleans()) else {"kind": kind}
    if draw(st.integers(0, 4)) == 0:
        made |= draw(_fields({"count": _count}, {"name": _groups["name"], "first": _groups["first"]}, 1))
    return made | draw(_fields({}, _of_kind[kind], 2))


def links(nodes: list[str]) -> SearchStrategy[Any]:
    """Links between these nodes, most of them."""
    node = st.sampled_from(nodes) if nodes else _node
    end = st.one_of(
        node, node, node, st.builds("{}:{}".format, node, _words("eth0", "eth1", "wan", "lan", "x" * 15, "x" * 16, "lo"))
    )
    forms = st.one_of(
        st.fixed_dictionaries({"endpoints": _mostly(st.lists(end, min_size=2, max_size=2))}),
        st.fixed_dictionaries({"endpoints": _mostly(st.lists(end, min_size=2, max_size=2, unique=True))}),
        st.fixed_dictionaries({"endpoints": _mostly(st.lists(end, min_size=0, max_size=4))}),
        *(st.fixed_dictionaries({form: _mostly(st.one_of(node, st.lists(node, max_size=4)))}) for form in ("line", "ring", "mesh")),
    )
    direction = st.one_of(st.just("both"), st.builds("{}->{}".format, node, node))
    fields = {
        "subnets": _many(_subnets, 2),
        "addresses": _table(node, _many(_interfaces)),
        "mtu": _mtu,
        "mac": _table(node, _words("02:00:00:00:00:01", "02:00:00:00:00:02", "03:00:00:00:00:01")),
        "state": _words("up", "down"),
        "offloads": st.one_of(_words("all", "tx"), _many(_words("tx", "sg", "tso", "gso", "gro", "rx", "lro"))),
        "vlans": _table(node, _ports),
        "impair": _table(direction, st.one_of(_shape, _many(st.one_of(impairing_rule, _shape)))),
        "allow_duplicate": st.booleans(),
        "name": _words("lan", "a", "x" * 64),
    }
    return _many(st.tuples(forms, _fields({}, fields, 1)).map(lambda both: both[0] | both[1]), 6)


def overlays(nodes: list[str]) -> SearchStrategy[Any]:
    node = st.sampled_from(nodes) if nodes else _node
    required = {"name": _words("blue", "red", "eth0", "x" * 16), "vni": _number, "nodes": _many(node, 4)}
    optional = {
        "kind": _words("vxlan", "gre"), "port": _number, "over": _words(4, 6, 5), "subnets": _many(_subnets), "mtu": _mtu,
        "addresses": _table(node, _many(_interfaces)),
    }  # fmt: skip
    return _many(_fields(required, optional, 2), 2)


@st.composite
def topologies(draw: DrawFn) -> Any:
    """A topology put together from parts."""
    nodes = draw(st.dictionaries(_node, _mostly(a_node()), min_size=1, max_size=6))
    made: dict[Any, Any] = {"nodes": nodes, "links": draw(_mostly(links(sorted(nodes))))}
    others = {
        "name": _words("x", ""), "vars": _vars, "overlays": overlays(sorted(nodes)),
        "neighbours": st.one_of(_words("auto", "kernel", "all"), _many(st.sampled_from(sorted(nodes)))),
        "include": _many(_words("base.yaml", "base.yaml", MAIN, "none.yaml")),
    }  # fmt: skip
    return made | draw(_fields({}, others, 1))
