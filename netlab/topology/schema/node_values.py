"""The types of values that a node's keys have, for pydantic. What they mean together is not known here."""

import re
import warnings
from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PlainSerializer, PlainValidator, Tag, WithJsonSchema

from netlab.topology.networks import Address, Network
from netlab.topology.schema.values import Delay
from netlab.units import Duration
from netlab.validate import did_you_mean, shown

MAIN = 254
"""The main routing table's number."""

LARGEST = 2**32 - 1
"""The largest table, metric and mark."""

LARGEST_MTU = 65535 - 15
"""The largest MTU of a route: the kernel cuts it to that."""

_LAST_PORT = 65535
# compiled when first needed: most topologies have none of these
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ENV = r"[A-Za-z_][A-Za-z0-9_]*"
_MODE = r"[0-7]{3,4}"
_VLAN = r"[1-9][0-9]{0,3}"
_LAST_VLAN = 4094
_OWN_TABLES = {253: "default", MAIN: "main", 255: "local"}


def no_list() -> list[Any]:
    """A list of which nothing is said."""
    return []  # pydantic looks into a factory's signature, and finding list's own takes half a millisecond


def no_mapping() -> dict[Any, Any]:
    """A mapping of which nothing is said."""
    return {}


def _value(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"this must be text or a whole number, not {shown(value)}")
    return str(value)


def _sysctl(key: str) -> str:
    """In the form that the kernel's file has: as in sysctl(8), a / within dots stands for a dot, and the other way round."""
    parts = key.split("/") if key.startswith("net/") else [part.replace("/", ".") for part in key.split(".")]
    if len(parts) < 3 or parts[0] != "net" or not all(part.strip(".") and "\0" not in part for part in parts):
        raise ValueError(f'"{key}" is no sysctl of a network namespace; they are written like net.ipv4.tcp_syn_retries')
    return "/".join(parts) if any("." in part for part in parts) else ".".join(parts)


def _address(value: Any) -> Address:
    try:
        if isinstance(value, str) and "%" not in value:
            return ip_address(value)
    except ValueError:
        pass
    raise ValueError(f"{shown(value)} is no address; write for example 10.0.0.5")


def _prefix(value: Any) -> Network:
    if not isinstance(value, str):
        raise ValueError(f"this must be a subnet such as 10.0.0.0/24, not {shown(value)}")
    try:
        if "%" in value:
            raise ValueError
        network = ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f'{shown(value)} is no subnet; write for example 10.0.0.0/24 or "fd00::/64"') from None
    if "/" not in value:
        raise ValueError(f"{value} has no prefix length; write {network} for this address alone")
    if ip_interface(value).ip != network.network_address:
        raise ValueError(f"{value} is an address within its subnet, not the subnet; did you mean {network}?")
    return network


def _destination(value: Any) -> Network | str:
    if value == "default":
        return "default"
    near = did_you_mean(value, ["default"]) if isinstance(value, str) else ""
    if near:
        raise ValueError(f"{shown(value)} is no subnet; {near}")
    return _prefix(value)


def _table(value: Any) -> int:
    if value == "main":
        return MAIN
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
        raise ValueError(f"{shown(value)} is no routing table; a number from 1 to {LARGEST}, or main")
    if value in _OWN_TABLES:
        fix = "write main" if value == MAIN else "choose another number"
        raise ValueError(f"the kernel calls the table {value} {_OWN_TABLES[value]}, and keeps it for itself; {fix}")
    return value


def _own_table(value: Any) -> int:
    if value == "main":
        raise ValueError("a VRF has a table of its own, not main; choose a number, such as 10")
    return _table(value)


def auto(otherwise: str) -> Callable[[str], str]:
    """A check for the word auto, where anything else is a list or mapping."""

    def check(word: str) -> str:
        if word != "auto":
            raise ValueError(f"{shown(word)} is neither auto nor {otherwise}; {did_you_mean(word, ['auto']) or 'write auto'}")
        return word

    return check


def _hostname(name: str) -> str:
    labels = name.split(".")
    if len(name) > 253 or not all(re.fullmatch(_LABEL, label) for label in labels) or labels[-1].isdigit():
        fix = "letters, digits and - in parts of at most 63, with dots between (RFC 1123)"
        raise ValueError(f"{shown(name)} is no name of a host; {fix}")
    return name


def _env(name: str) -> str:
    if not re.fullmatch(_ENV, name):
        raise ValueError(f"{shown(name)} is no name of a variable; letters, digits and _, and no digit first")
    return name


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("there is a NUL character in this, which ends a text for the kernel; leave it out")
    return text


def _word(value: Any) -> str:
    """One word of a command: YAML would have made 80 of 080, so numbers are quoted."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'each word of a command is text, not {shown(value)}; quote it: "{value}"')
    if not isinstance(value, str):
        raise ValueError(f"each word of a command is text, not {shown(value)}")
    return _no_nul(value)


def _mode(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(_MODE, value):
        return int(value, 8)
    raise ValueError(f'{shown(value)} is no mode of a file; write its octal digits in quotes, such as "0755"')


def _vlan(key: Any) -> int:
    if not re.fullmatch(_VLAN, str(key)) or int(key) > _LAST_VLAN:
        raise ValueError(f"{shown(key)} is no VLAN; a number from 1 to {_LAST_VLAN}")
    return int(key)


def _pattern(text: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may understand otherwise
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{shown(text)} is no regular expression: {error}") from None
    return text


def _span(value: Duration) -> Duration:
    if value.ns == 0:
        raise ValueError("this leaves no time at all; write for example 10s")
    return value


def _shape(value: Any) -> str | None:
    """Which of a union's types a value is meant to be. No key of a mapping is spelt like these."""
    shapes: tuple[tuple[type, str], ...] = ((str, "as text"), (list, "as list"), (dict, "as mapping"))
    return next((tag for kind, tag in shapes if isinstance(value, kind)), None)


def either(message: str) -> Discriminator:
    """Tells apart a union's types, tagged "as text", "as list" and "as mapping"; the message is for all that is none of them."""
    return Discriminator(_shape, custom_error_type="shape", custom_error_message=message)


def _scalar(check: Callable[[Any], Any], **schema: Any) -> tuple[PlainValidator, PlainSerializer, WithJsonSchema]:
    return PlainValidator(check), PlainSerializer(str), WithJsonSchema(schema)


_TABLE: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": LARGEST}
_TEXT: dict[str, Any] = {"type": "string"}

SysctlValue = Annotated[str, BeforeValidator(_value), AfterValidator(_no_nul), WithJsonSchema({"type": ["string", "integer"]})]
Sysctl = Annotated[str, AfterValidator(_sysctl)]
PlainAddress = Annotated[Address, *_scalar(_address, **_TEXT, description="an address, such as 10.0.0.5")]
Prefix = Annotated[Network, *_scalar(_prefix, **_TEXT, description="a subnet, such as 10.0.0.0/24")]
Destination = Annotated[Network | str, *_scalar(_destination, **_TEXT, description="a subnet, such as 10.0.0.0/24, or default")]
Table = Annotated[int, PlainValidator(_table), WithJsonSchema({"anyOf": [_TABLE, {"const": "main"}]})]
OwnTable = Annotated[int, PlainValidator(_own_table), WithJsonSchema(_TABLE)]
Hostname = Annotated[str, AfterValidator(_hostname)]
EnvName = Annotated[str, AfterValidator(_env)]
EnvValue = SysctlValue
Word = Annotated[str, *_scalar(_word, **_TEXT)]
Mode = Annotated[int, PlainValidator(_mode), WithJsonSchema({**_TEXT, "pattern": f"^{_MODE}$"})]
SomeText = Annotated[str, Field(min_length=1), AfterValidator(_no_nul)]
VlanKey = Annotated[int, PlainValidator(_vlan), WithJsonSchema({**_TEXT, "pattern": f"^{_VLAN}$"})]
Pattern = Annotated[str, Field(min_length=1), AfterValidator(_pattern)]
Span = Annotated[Delay, AfterValidator(_span)]
Text = Annotated[str, Tag("as text")]
Port = Annotated[int, Field(ge=1, le=_LAST_PORT)]
