"""The types of values that several keys of a topology file share, for pydantic. What they mean together is not known here."""

from ipaddress import ip_interface, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from netlab.topology.networks import Network
from netlab.validate import shown

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
