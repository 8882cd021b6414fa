"""What a lab may ask of a kernel, as a table: what each thing is for, how to try it, and what supplies it where it lacks.

It tries nothing itself: netlab/attempt.py does, in a process of its own. It does not know which topology is wanted.
"""

import errno
import os
import platform
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from netlab.errors import Place
from netlab.impair import nft_expressions as nft
from netlab.impair import nftables, qdisc
from netlab.lab import messages
from netlab.lab.build import attribute
from netlab.topology.nat import translation
from netlab.topology.nft import firewall
from netlab.topology.spec import Nat, Shape
from netlab.units import Duration

__all__ = ["FEATURES", "Feature", "asked", "supply"]

_LINK = struct.Struct("=IHHIIBxHiII")
_RTM_NEWLINK, _REQUEST_CREATE = 16, 0x1 | 0x400 | 0x200
_IFNAME, _LINK_BELOW, _LINKINFO, _KIND, _DATA = 3, 5, 18, 1, 2
_PARENT = 10
"""The index of the interface that others are tried on."""

_NOWHERE = Place("netlab-ns doctor", 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One thing to try, by a netlink message, by a batch of messages to nf_tables, by an nftables ruleset, or in its own way (none
    of these); ``modules`` supply it, or the kernel's ``options``."""

    name: str
    needed: str
    modules: tuple[str, ...] = ()
    options: tuple[str, ...]
    level: Literal["required", "feature"] = "feature"
    message: Callable[[], bytes] | None = None
    batch: Callable[[], bytes] | None = None
    ruleset: Callable[[], str] | None = None


def _link(kind: str, index: int, data: bytes = b"", below: int = 0) -> bytes:
    body = attribute(_IFNAME, f"try{index}".encode() + b"\0")
    body += attribute(_LINK_BELOW, struct.pack("=I", below)) if below else b""
    body += attribute(_LINKINFO, attribute(_KIND, kind.encode() + b"\0") + (attribute(_DATA, data) if data else b""))
    return _LINK.pack(_LINK.size + len(body), _RTM_NEWLINK, _REQUEST_CREATE, 0, 0, 0, 0, index, 0, 0) + body


def _bridge(index: int, *, vlan_filtering: bool) -> bytes:
    return messages.bridge(f"try{index}", index, stp=False, vlan_filtering=vlan_filtering)


def _vxlan() -> bytes:
    return _link("vxlan", 14, attribute(1, struct.pack("=I", 42)) + attribute(15, struct.pack("!H", 4789)))  # ..._ID, ..._PORT


def _shape(*, delay: int = 0, rate: int = 0) -> Shape:
    return Shape(delay=Duration(delay), jitter=Duration(0), rate=rate, place=_NOWHERE)


def _tbf() -> bytes:
    both = qdisc.tbf(_PARENT, _shape(rate=1_000_000))
    return both[: struct.unpack_from("=I", both)[0]]  # the second message is of the queue in it


def _ingress() -> bytes:
    ruleset = nftables.Ruleset("try")
    ruleset.counter("every")
    ruleset.set("some", [b"\0\0\0\1"])
    ruleset.ingress("lo")
    ruleset.rule(nftables.FIRST, nft.turn(2), nft.among("some"), nft.count("every"), nft.forward(1))
    return nftables.batch(load=[ruleset])


def _nat(behaviour: str) -> str:
    return translation(Nat(outside=("out",), behaviour=behaviour, place=_NOWHERE))


FEATURES = (
    Feature(
        name="veth",
        level="required",
        needed="every link",
        modules=("veth",),
        options=("CONFIG_VETH",),
        message=partial(_link, "veth", _PARENT),
    ),
    Feature(
        name="bridge",
        needed="switches, and links that are impaired by quantities",
        modules=("bridge",),
        options=("CONFIG_BRIDGE",),
        message=partial(_bridge, 11, vlan_filtering=False),
    ),
    Feature(
        name="bridge vlan filtering",
        needed="switches with VLANs",
        options=("CONFIG_BRIDGE_VLAN_FILTERING",),
        message=partial(_bridge, 12, vlan_filtering=True),
    ),
    Feature(
        name="802.1q",
        needed="hosts and routers at a VLAN trunk",
        modules=("8021q",),
        options=("CONFIG_VLAN_8021Q",),
        message=partial(_link, "vlan", 13, attribute(1, struct.pack("=H", 10)), _PARENT),
    ),
    Feature(name="vxlan", needed="overlays", modules=("vxlan",), options=("CONFIG_VXLAN",), message=_vxlan),
    Feature(
        name="vrf",
        needed="vrfs of a node",
        modules=("vrf",),
        options=("CONFIG_NET_VRF",),
        message=partial(_link, "vrf", 15, attribute(1, struct.pack("=I", 10))),
    ),
    Feature(
        name="netem",
        needed="impairment by quantities at the kernel's speed; the wire does it otherwise",
        modules=("sch_netem",),
        options=("CONFIG_NET_SCH_NETEM",),
        message=lambda: qdisc.netem(_PARENT, _shape(delay=1_000_000)),
    ),
    Feature(
        name="tbf",
        needed="impairment by rate at the kernel's speed, where there is no netem",
        modules=("sch_tbf",),
        options=("CONFIG_NET_SCH_TBF",),
        message=_tbf,
    ),
    Feature(
        name="nftables ingress",
        needed="drops at the kernel's speed, and streams past the wire; it does all by itself otherwise",
        modules=("nf_tables", "nft_numgen", "nft_fwd_netdev"),
        options=("CONFIG_NF_TABLES_NETDEV", "CONFIG_NFT_NUMGEN", "CONFIG_NFT_FWD_NETDEV"),
        batch=_ingress,
    ),
    Feature(
        name="nftables",
        needed="firewalls",
        modules=("nf_tables", "nft_ct", "nft_reject_inet"),
        options=("CONFIG_NF_TABLES_INET", "CONFIG_NFT_CT", "CONFIG_NFT_REJECT_INET"),
        ruleset=partial(firewall, {"input": ("accept established", "accept tcp 1-2,5", "reject")}),
    ),
    Feature(
        name="nftables nat",
        needed="nat nodes",
        modules=("nft_chain_nat", "nft_masq"),
        options=("CONFIG_NF_TABLES_IPV4", "CONFIG_NF_TABLES_IPV6", "CONFIG_NFT_MASQ", "CONFIG_NFT_NAT"),
        ruleset=partial(_nat, "port-restricted-cone"),
    ),
    Feature(
        name="nftables nat maps",
        needed="nat nodes that are a full or address-restricted cone, or forward ports",
        modules=("nft_nat", "nft_hash", "nft_fib_ipv4", "nft_fib_ipv6"),
        options=("CONFIG_NFT_NAT", "CONFIG_NFT_HASH", "CONFIG_NFT_FIB_IPV4", "CONFIG_NFT_FIB_IPV6"),
        ruleset=partial(_nat, "full-cone"),
    ),
    Feature(name="mptcp", needed="MPTCP sockets", options=("CONFIG_MPTCP",)),
    Feature(
        name="overlayfs",
        needed="files of a node where the machine has none",
        modules=("overlay",),
        options=("CONFIG_OVERLAY_FS",),
    ),
)


def asked() -> dict[str, Any]:
    """The part of an attempt's argument that tries the features."""
    return {
        "messages": [(one.name, one.message().hex()) for one in FEATURES if one.message is not None],
        "batches": [(one.name, one.batch().hex()) for one in FEATURES if one.batch is not None],
        "rulesets": [(one.name, one.ruleset()) for one in FEATURES if one.ruleset is not None],
    }


def supply(feature: Feature, reason: str, *, modules: Path = Path("/lib/modules")) -> str:
    """The command or setting that supplies a feature which lacks for this reason; a kernel's modules lie below ``modules``."""
    if feature.name == "mptcp" and errno.errorcode[errno.ENOPROTOOPT] in reason:
        return "sudo sysctl -w net.mptcp.enabled=1"
    denied = any(word in reason for word in ("EPERM", os.strerror(errno.EPERM)))
    if denied and feature.name != "overlayfs" and os.geteuid() == 0:
        return "give root CAP_NET_ADMIN too (a container needs --cap-add NET_ADMIN), or run without root"
    if feature.name == "overlayfs" and "user namespace" in reason:
        return "run as root, or boot Linux 5.11 or later with CONFIG_OVERLAY_FS"
    release = platform.release()
    there = _modules(modules / release / "modules.dep")
    if feature.modules and there.issuperset(feature.modules):
        return f"sudo modprobe {'-a ' * (len(feature.modules) > 1)}{' '.join(feature.modules)}"
    options = f"boot a kernel with {' and '.join(feature.options)}"
    if there and feature.modules and _distribution().get("ID") == "ubuntu":
        return f"sudo apt-get install linux-modules-extra-{release}, or {options}"
    return options


def _modules(dependencies: Path) -> set[str]:
    """The names of the modules that this kernel could load."""
    try:
        lines = dependencies.read_text().splitlines()
    except OSError:
        return set()
    return {line.partition(":")[0].rpartition("/")[2].partition(".ko")[0].replace("-", "_") for line in lines}


def _distribution() -> Mapping[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
