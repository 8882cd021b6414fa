"""The sysctls that are pinned in every namespace, as data.

A new namespace inherits the machine's own, and no run may depend on those. It sets nothing.
"""

_EACH = ("all", "default")

KERNEL: dict[str, str] = {
    # the one congestion control that every namespace may choose, whatever the machine allows
    "net.ipv4.tcp_congestion_control": "reno",
    # what one connection learnt must not change the next
    "net.ipv4.tcp_no_metrics_save": "1",
    # anyone may ping
    "net.ipv4.ping_group_range": "0 2147483647",
    # a container host's namespaces inherit 1
    "net.ipv4.ip_forward": "0",
    # distributions differ, and with two ways to a host the return path may differ from the way there
    **{f"net.ipv4.conf.{scope}.rp_filter": "0" for scope in _EACH},
    **{f"net.ipv6.conf.{scope}.accept_ra": "0" for scope in _EACH},
    **{f"net.ipv6.conf.{scope}.router_solicitations": "0" for scope in _EACH},
    # a machine that was booted with ipv6.disable_ipv6=1 disables it in every new namespace
    **{f"net.ipv6.conf.{scope}.disable_ipv6": "0" for scope in _EACH},
    # else an address cannot be used for a second or two
    **{f"net.ipv6.conf.{scope}.accept_dad": "0" for scope in _EACH},
    **{f"net.ipv6.conf.{scope}.dad_transmits": "0" for scope in _EACH},
}
"""Of nodes whose kernel speaks for them: hosts, routers and nats."""

ROUTER: dict[str, str] = {
    "net.ipv4.ip_forward": "1",
    **{f"net.ipv6.conf.{scope}.forwarding": "1" for scope in _EACH},
}
"""Of nodes that forward, routers and nats, over the kernel's."""

SILENT: dict[str, str] = {f"net.ipv6.conf.{scope}.disable_ipv6": "1" for scope in _EACH}
"""Of nodes whose kernel must not say anything of its own: switches, peers, and the middle of a link."""

FAR: dict[str, str] = {
    "net.ipv4.ip_default_ttl": "255",
    **{f"net.ipv6.conf.{scope}.hop_limit": "255" for scope in _EACH},
}
"""Of hosts, routers and nats where so many routers may stand in line that a TTL of 64 would not do."""

_FAR_ROUTERS = 60


def sysctls_of(kind: str, routers: int = 0) -> dict[str, str]:
    """The pinned sysctls of a node of this kind, in a network with so many routers and nats."""
    if kind not in ("host", "router", "nat"):
        return dict(SILENT)
    return KERNEL | (ROUTER if kind != "host" else {}) | (FAR if routers >= _FAR_ROUTERS else {})


def names_interface(key: str) -> bool:
    """Whether a sysctl is one interface's ("net.ipv4.conf.eth0.rp_filter"), and so is there only once that is."""
    parts = key.split("/" if "/" in key else ".")
    return len(parts) > 4 and parts[2] in ("conf", "neigh") and parts[3] not in (*_EACH, "lo")
