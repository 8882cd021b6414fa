"""The types of values that several keys of a topology file share, for pydantic. What they mean together is not known here."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_interface
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from netlab.notation.tcp_states import STATES, canonical_state
from netlab.topology.networks import Interface, Network
from netlab.units import Duration, parse_percentage, parse_rate
from netlab.validate import did_you_mean, shown

MOST_SUBNETS = 16
"""How many subnets a segment may have."""

_UNUSABLE: tuple[tuple[Network, str], ...] = (
    (IPv4Network("0.0.0.0/8"), "stands for this host itself"),
    (IPv4Network("127.0.0.0/8"), "is loopback"),
    (IPv4Network("224.0.0.0/4"), "is multicast"),
    (IPv4Network("240.0.0.0/4"), "is reserved"),
    (IPv6Network("::/127"), "is loopback"),
    (IPv6Network("::ffff:0:0/96"), "stands for IPv4 addresses"),
    (IPv6Network("fe80::/10"), "is link-local, which the kernel assigns by itself"),
    (IPv6Network("ff00::/8"), "is multicast"),
)
_LONGEST_DELAY = Duration(3600 * 10**9)
_SLOWEST, _FASTEST = 8, 10**12
_RANGE = re.compile(r"\s*([0-9]{1,18})?\s*-\s*([0-9]{1,18})?\s*")
_HARDWARE = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def _network(text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError(f"this must be a subnet such as 10.0.0.0/24, not {shown(text)}")
    try:
        interface = _unscoped(text)
    except ValueError:
        raise ValueError(f'"{text}" is no subnet; write for example 10.0.0.0/24 or "fd00::/64"') from None
    network = interface.network
    if "/" not in text:
        raise ValueError(f'"{text}" has no prefix length; write for example {text}/{24 if network.version == 4 else 64}')
    if int(interface) != int(network.network_address):
        raise ValueError(f"{text} is an address within its subnet, not the subnet; did you mean {network}?")
    return _usable(network, "on a link")


def _unscoped(text: str) -> Interface:
    """The address and its subnet; a zone ("%eth0") is of link-local ones, which the kernel assigns."""
    if "%" in text:
        raise ValueError
    return ip_interface(text)


def _usable(network: Network, where: str) -> Network:
    for unusable, why in _UNUSABLE:
        if network.version == unusable.version and network.overlaps(unusable):
            raise ValueError(f"{network} cannot be used {where}: {unusable} {why}")
    return network


def _interface(text: Any, where: str, example: str) -> Interface:
    try:
        interface = _unscoped(text) if isinstance(text, str) else None
    except ValueError:
        interface = None
    if interface is None:
        raise ValueError(f"{shown(text)} is no address; write for example {example}")
    _usable(interface.network, where)
    return interface


def _address(text: Any) -> Any:
    _interface(text, "on a link", "10.0.0.5/24")
    return text


def _loopback(text: Any) -> Interface:
    return _interface(text, "on lo", "10.99.0.1/32")


def _hardware(value: Any) -> str:
    if not isinstance(value, str) or not _HARDWARE.fullmatch(value.lower()):
        raise ValueError(f"{shown(value)} is no MAC address; write for example 02:00:00:00:00:01")
    if int(value[:2], 16) & 1:
        raise ValueError(f"{value} is a multicast address, which no interface has; make its first byte even, such as 02")
    if not value.strip("0:"):
        raise ValueError(f"{value} stands for no interface; write for example 02:00:00:00:00:01")
    return value.lower()


def _duration(value: Any) -> Duration:
    if not isinstance(value, str):
        raise ValueError(f"this must be a duration, not {shown(value)}; write a number with its unit, such as 200ms")
    try:
        return Duration.parse(value)
    except ValueError:
        fix = "write a number with its unit (ns, us, ms, s, min), such as 200ms"
        raise ValueError(f"{shown(value)} is no duration; {fix}") from None


def _delay(value: Duration) -> Duration:
    if value > _LONGEST_DELAY:
        raise ValueError(f"{value} is too long: it must be at most {_LONGEST_DELAY}")
    return value


def _rate(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError(f"this must be a rate, not {shown(value)}; write a number with its unit, such as 10mbit")
    try:
        rate = parse_rate(value)
    except ValueError:
        fix = "write a number with its unit (bit, kbit, mbit, gbit: a second, by powers of ten), such as 10mbit"
        raise ValueError(f"{shown(value)} is no rate; {fix}") from None
    if not _SLOWEST <= rate <= _FASTEST:
        raise ValueError(f"{value} is too {'slow' if rate < _SLOWEST else 'fast'}; a rate is from {_SLOWEST}bit to 1000gbit")
    return rate


def _percentage(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError(f"this must be a percentage, not {shown(value)}; write it with its sign, such as 0.1%")
    try:
        fraction = parse_percentage(value)
    except ValueError:
        raise ValueError(f"{shown(value)} is no percentage; write a number with its sign, such as 0.1%") from None
    if fraction > 1:
        raise ValueError(f"{value} is too large: it must be at most 100%")
    return fraction


def _state(value: Any) -> Any:
    name = canonical_state(value) if isinstance(value, str) else None
    if name is None:
        fix = did_you_mean(str(value), STATES) or f"the states are {', '.join(STATES)}"
        raise ValueError(f"{shown(value)} is no state of TCP; {fix}")
    return name


def _window(value: Any) -> tuple[Duration | None, Duration | None]:
    since, dash, until = value.partition("-") if isinstance(value, str) else ("", "", "")
    try:
        began, ended = (Duration.parse(part) if part.strip() else None for part in (since, until))
    except ValueError:
        dash = ""
        began = ended = None
    if not dash or (began is None and ended is None):
        raise ValueError(f"{shown(value)} is no window of time; write for example 1s-2s, 500ms- or -2s")
    if began is not None and ended is not None and ended <= began:
        raise ValueError(f"{value} ends before it begins; write the earlier time first")
    return began, ended


def _range(value: Any) -> tuple[int, int]:
    whole = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if whole < 0:
        return 1, -whole  # YAML reads a plain -5 as a number
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if found is None or value.strip() == "-":
        more = f", or nth: {whole}" if whole else ""
        raise ValueError(f"{shown(value)} is no range; write for example 2-5, 2- or -5{more}")
    first, last = int(found[1] or 1), int(found[2] or 0)
    if first < 1 or (found[2] and last < 1):
        raise ValueError(f"{value} counts from 0; the first packet is 1")
    if last and last < first:
        raise ValueError(f"{value} ends before it begins; did you mean {last}-{first}?")
    return first, last


def listed(value: Any) -> Any:
    """One thing stands for a list of one."""
    return value if isinstance(value, list | dict) or value is None else [value]


class _OrOne:
    """Tells a published schema that one thing stands for a list of one."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        listing = handler(schema)
        return {"anyOf": [listing["items"], listing]}


def _text(description: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "description": description, **more})


_Item = TypeVar("_Item")
OneOrMore = Annotated[list[_Item], BeforeValidator(listed), _OrOne()]
Subnet = Annotated[Network, BeforeValidator(_network), PlainSerializer(str), _text("a subnet, such as 10.0.0.0/24")]
Address = Annotated[str, BeforeValidator(_address), Field(description="an address, such as 10.0.0.5/24")]
LoopbackAddress = Annotated[Interface, PlainValidator(_loopback), PlainSerializer(str), _text("an address, such as 10.99.0.1/32")]
Hardware = Annotated[
    str,
    PlainValidator(_hardware),
    _text("a MAC address, such as 02:00:00:00:00:01", pattern="^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$"),
]
Time = Annotated[Duration, PlainValidator(_duration), PlainSerializer(str), _text("a duration, such as 200ms")]
Delay = Annotated[Time, AfterValidator(_delay)]
Rate = Annotated[int, PlainValidator(_rate), _text("bits a second, such as 10mbit")]
Percentage = Annotated[float, PlainValidator(_percentage), _text("a percentage, such as 0.1%")]
State = Annotated[str, BeforeValidator(_state), Field(description="a state of RFC 9293")]
Window = Annotated[
    tuple[Duration | None, Duration | None], PlainValidator(_window), _text("from when to when, such as 1s-2s, 500ms- or -2s")
]
Range = Annotated[tuple[int, int], PlainValidator(_range), _text("from which to which, such as 2-5, 2- or -5")]
VlanId = Annotated[int, Field(ge=1, le=4094)]
