"""A topology file's keys and their types, as pydantic models. What the values mean together is not known here."""

from ipaddress import ip_interface, ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from netlab.topology.networks import Network
from netlab.validate import Piece, shown

_UNUSABLE = (
    ("0.0.0.0/8", "stands for this host itself"),
    ("127.0.0.0/8", "is loopback"),
    ("224.0.0.0/4", "is multicast"),
    ("240.0.0.0/4", "is reserved"),
    ("::/127", "is loopback"),
    ("::ffff:0:0/96", "stands for IPv4 addresses"),
    ("fe80::/10", "is link-local, which the kernel assigns by itself"),
    ("ff00::/8", "is multicast"),
)


def _network(text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError(f"this must be a subnet such as 10.0.0.0/24, not {shown(text)}")
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f'"{text}" is no subnet; write for example 10.0.0.0/24 or "fd00::/64"') from None
    if "/" not in text:
        raise ValueError(f'"{text}" has no prefix length; write for example {text}/{24 if network.version == 4 else 64}')
    if str(ip_interface(text).ip) != str(network.network_address):
        raise ValueError(f"{text} is an address within its subnet, not the subnet; did you mean {network}?")
    return _usable(network)


def _usable(network: Network) -> Network:
    for unusable, why in _UNUSABLE:
        other = ip_network(unusable)
        if network.version == other.version and network.overlaps(other):
            raise ValueError(f"{network} cannot be used on a link: {unusable} {why}")
    return network


def _address(text: Any) -> Any:
    try:
        interface = ip_interface(text) if isinstance(text, str) else None
    except ValueError:
        interface = None
    if interface is None:
        raise ValueError(f"{shown(text)} is no address; write for example 10.0.0.5/24")
    _usable(interface.network)
    return text


def _value(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"this must be text or a whole number, not {shown(value)}")
    return str(value)


def _sysctl(key: str) -> str:
    parts = key.split(".")
    if len(parts) < 3 or parts[0] != "net" or not all(part and part.strip("/") == part for part in parts):
        raise ValueError(f'"{key}" is no sysctl of a network namespace; they are written like net.ipv4.tcp_syn_retries')
    return key


def listed(value: Any) -> Any:
    """One thing stands for a list of one."""
    return value if isinstance(value, list | dict) or value is None else [value]


Subnet = Annotated[
    Network,
    BeforeValidator(_network),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "a subnet, such as 10.0.0.0/24"}),
]
Address = Annotated[str, BeforeValidator(_address), Field(description="an address, such as 10.0.0.5/24")]
SysctlValue = Annotated[str, BeforeValidator(_value), WithJsonSchema({"type": ["string", "integer"]})]
Sysctl = Annotated[str, AfterValidator(_sysctl)]
Nth = Annotated[int, Field(ge=1)]


class RuleFile(Piece):
    """One rule: the packets that match, the nth of them, are dropped, or held at a barrier."""

    match: str = Field(description='a packet pattern; "..." is every packet')
    action: Literal["drop", "hold"] = Field(description="what becomes of the packet")
    nth: Annotated[list[Nth], BeforeValidator(listed)] = Field(
        default=[], description="which of the matching, from 1; left out: all"
    )
    barrier: str | None = Field(default=None, min_length=1, description="where held packets wait for a release step")


Impair = dict[str, list[RuleFile]]


class NodeFile(Piece):
    """One node."""

    kind: Literal["host", "router", "switch", "peer"] = "host"
    sysctls: dict[Sysctl, SysctlValue] = Field(default={}, description="set over the pinned ones")
    subnets: list[Subnet] | None = Field(default=None, max_length=16, description="of a switch: the subnets of all its links")


class LinkFile(Piece):
    """One link."""

    endpoints: list[str] = Field(min_length=2, max_length=2, description="two nodes, or node:interface")
    subnets: list[Subnet] | None = Field(default=None, max_length=16, description="left out: assigned, both families")
    addresses: dict[str, Annotated[list[Address], BeforeValidator(listed)]] = Field(default={}, description="a node's own choice")
    mtu: Annotated[int, Field(ge=68, le=65535)] = 1500
    impair: Impair = Field(default={}, description='rules by direction: "a->b", or both')


class TopologyFile(Piece):
    """A topology file."""

    name: str | None = Field(default=None, min_length=1)
    nodes: dict[str, NodeFile] = Field(min_length=1)
    links: list[LinkFile] = Field(default=[])
