"""One link's keys, an overlay's keys and their types, as pydantic models. What the values mean together is not known here."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from netlab.topology.schema.values import (
    MOST_SUBNETS,
    Address,
    Delay,
    Hardware,
    OneOrMore,
    Percentage,
    Range,
    Rate,
    State,
    Subnet,
    VlanId,
    Window,
    listed,
)
from netlab.validate import Piece, shown

Offload = Literal["tx", "rx", "sg", "tso", "gso", "gro"]
"""What an interface may leave to its hardware, or on a veth to the other end, in the kernel's words."""

Action = Literal["drop", "hold", "delay", "duplicate", "reorder", "corrupt", "truncate", "mark", "reset", "icmp"]
"""What a rule does to a packet."""

Distribution = Literal["uniform", "normal", "exponential", "pareto"]
"""How a delay that varies is distributed."""

IcmpError = Literal[
    "net-unreachable",
    "host-unreachable",
    "protocol-unreachable",
    "port-unreachable",
    "fragmentation-needed",
    "admin-prohibited",
    "time-exceeded",
]
"""What a packet may be answered with, by the names of notation.icmp.ERRORS."""

Nth = Annotated[int, Field(ge=1, le=2**63 - 1)]


class RuleFile(Piece):
    """One rule: which packets, which of those, and what becomes of them. A key after ``action`` belongs to some actions only."""

    match: str = Field(default="...", description='a packet pattern; "..." is every IP packet')
    filter: str | None = Field(default=None, min_length=1, max_length=4096, description="in the words of pcap-filter(7), too")
    nth: OneOrMore[Nth] = Field(default=[], description="which of the matching, from 1; left out: all")
    every: Nth | None = Field(default=None, description="each so manyth of the matching")
    range: Range | None = Field(default=None, description="from which of the matching to which")
    byte: int | None = Field(default=None, ge=0, le=2**63 - 1, description="the first that carries this byte of its TCP stream")
    chance: Percentage | None = Field(default=None, description="with this probability")
    seed: int | None = Field(default=None, ge=0, le=2**64 - 1, description="decides what is random; left out: the run's seed")
    window: Window | None = Field(default=None, description="since when and until when, after the link or the step began")
    before: str | None = Field(default=None, min_length=1, description="until this barrier is released")
    during: dict[str, State] = Field(default={}, description="while these sockets are in these states")
    action: Action = Field(description="what becomes of the packet")
    barrier: str | None = Field(default=None, min_length=1, description="where held packets wait for a release step")
    delay: Delay | None = Field(default=None, description="how much later it goes on, at most an hour")
    jitter: Delay | None = Field(default=None, description="the delay varies by so much, up and down")
    distribution: Distribution | None = Field(default=None, description="of the delay that varies; left out: uniform")
    copies: int | None = Field(default=None, ge=1, le=1000, description="how many more of it arrive; left out: one")
    by: int | None = Field(default=None, ge=1, le=1000, description="how many later packets overtake it; left out: one")
    field: str | None = Field(default=None, description='a header\'s field, such as tcp.checksum, or "bit 160"; left out: any bit')
    value: int | None = Field(default=None, ge=0, le=2**32 - 1, description="what the field becomes; left out: inverted")
    length: int | None = Field(default=None, ge=1, le=65535, description="bytes of the IP packet that are left")
    mark: Literal["ce", "ect0", "ect1", "not-ect"] | None = Field(default=None, description="of RFC 3168; left out: ce")
    toward: Literal["sender", "receiver", "both"] | None = Field(default=None, description="who is reset; left out: both")
    icmp: IcmpError | None = Field(default=None, description="the error that its sender gets")
    mtu: Annotated[int, Field(ge=68, le=65535)] | None = Field(default=None, description="of the error fragmentation-needed")


class ShapeFile(Piece):
    """Quantities that hold for every packet of one direction."""

    delay: Delay | None = Field(default=None, description="added to each packet, at most an hour")
    jitter: Delay | None = Field(default=None, description="the delay varies by so much, up and down")
    loss: Percentage | None = Field(default=None, description="packets lost")
    duplicate: Percentage | None = Field(default=None, description="packets that arrive twice")
    corrupt: Percentage | None = Field(default=None, description="packets with one bit turned")
    reorder: Percentage | None = Field(default=None, description="packets that overtake those delayed before them")
    rate: Rate | None = Field(default=None, description="bits a second, such as 10mbit; left out: unlimited")
    limit: int | None = Field(default=None, ge=1, le=2**32 - 1, description="the queue's length in packets")
    seed: int | None = Field(default=None, ge=0, le=2**64 - 1, description="makes what is random the same in every run")


_OF_RULES = RuleFile.model_fields.keys() - ShapeFile.model_fields.keys()
_OF_QUANTITIES = ShapeFile.model_fields.keys() - RuleFile.model_fields.keys()


def _item(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    return "a rule" if _OF_RULES & value.keys() else "quantities"


def _impairment(value: Any) -> str | None:
    return "several" if isinstance(value, list) else _item(value)


def _mapping(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"this must be a rule or quantities such as {{delay: 10ms}}, not {shown(value)}")
    if _OF_RULES & value.keys() == {"distribution"}:
        message = "quantities have no distribution; write a rule: {action: delay, delay: 10ms, jitter: 2ms, distribution: normal}"
        raise ValueError(message)
    if _OF_RULES & value.keys() and (both := [key for key in value if key in _OF_QUANTITIES]):
        raise ValueError(f"a rule has no {both[0]}; write quantities apart: [{{match: ..., action: drop}}, {{{both[0]}: ...}}]")
    return value


def _mapping_or_list(value: Any) -> Any:
    if not isinstance(value, dict | list):
        raise ValueError(f"this must be quantities such as {{delay: 10ms}}, or a list of rules, not {shown(value)}")
    return value if isinstance(value, list) else _mapping(value)


_Rule = Annotated[RuleFile, Tag("a rule")]
_Shape = Annotated[ShapeFile, Tag("quantities")]
Impairment = Annotated[_Rule | _Shape, Discriminator(_item), BeforeValidator(_mapping)]
Impair = dict[
    str,
    Annotated[
        _Rule | _Shape | Annotated[list[Impairment], Tag("several")], Discriminator(_impairment), BeforeValidator(_mapping_or_list)
    ],
]
"""What is done to packets, by direction: quantities, a rule, or a list of rules with at most one mapping of quantities."""


class PortFile(Piece):
    """The VLANs of a switch's port."""

    access: VlanId | None = Field(default=None, description="untagged frames are of this VLAN")
    trunk: list[VlanId] = Field(default=[], description="tagged frames of these VLANs pass")


def _port(value: Any) -> Any:
    """One number is the VLAN of untagged frames, a list has those of tagged ones."""
    if isinstance(value, list):
        return {"trunk": value}
    return value if isinstance(value, dict) else {"access": value}


_VLAN = {"type": "integer", "minimum": 1, "maximum": 4094}
_TRUNK = {"type": "array", "items": _VLAN}
Ports = dict[
    str,
    Annotated[
        PortFile,
        BeforeValidator(_port),
        WithJsonSchema(
            {
                "description": "a VLAN, untagged; or a list of VLANs, tagged; or both",
                "anyOf": [
                    _VLAN,
                    _TRUNK,
                    {"type": "object", "properties": {"access": _VLAN, "trunk": _TRUNK}, "additionalProperties": False},
                ],
            }
        ),
    ],
]


def _offloads(value: Any) -> Any:
    return list(get_args(Offload)) if value == "all" else listed(value)


_OFFLOAD = {"enum": list(get_args(Offload))}
Offloads = Annotated[
    list[Offload],
    BeforeValidator(_offloads),
    WithJsonSchema({"anyOf": [{"const": "all"}, _OFFLOAD, {"type": "array", "items": _OFFLOAD}]}),
]
Addresses = dict[str, OneOrMore[Address]]
Subnets = Annotated[list[Subnet], Field(max_length=MOST_SUBNETS)]


class LinkFile(Piece):
    """One link."""

    endpoints: list[str] = Field(min_length=2, max_length=2, description="two nodes, or node:interface")
    subnets: Subnets | None = Field(default=None, description="left out: assigned, both families")
    addresses: Addresses = Field(default={}, description="a node's own choice")
    allow_duplicate: bool = Field(
        default=False, description="addresses and subnets of this link may be used elsewhere too, on purpose"
    )
    mtu: Annotated[int, Field(ge=68, le=65535)] = Field(default=1500, description="IPv6 needs 1280")
    mac: dict[str, Hardware] = Field(default={}, description="the MAC address of a node's end; left out: assigned")
    state: Literal["up", "down"] = Field(default="up", description="down: both ends are there, and no packet passes")
    offloads: Offloads = Field(default=[], description='those that stay on, or "all"; left out: none')
    vlans: Ports = Field(default={}, description="of a VLAN switch's port: the VLAN of untagged frames, or a list of tagged ones")
    impair: Impair = Field(default={}, description='quantities or rules by direction: "a->b", or both')


class OverlayFile(Piece):
    """One overlay: a network of its own between nodes, whose frames travel in packets of the network below."""

    name: str = Field(description="the interface's name on each member")
    kind: Literal["vxlan"] = Field(default="vxlan", description="RFC 7348")
    vni: int = Field(ge=1, le=2**24 - 1, description="the number of the network, on the wire")
    port: int = Field(default=4789, ge=1, le=65535, description="the UDP port to which frames are sent")
    nodes: list[str] = Field(min_length=2, description="its members")
    over: Literal[4, 6] = Field(default=4, description="the IP version of the packets that carry it")
    subnets: Subnets | None = Field(default=None, description="left out: assigned, both families")
    addresses: Addresses = Field(default={}, description="a member's own choice")
    mtu: Annotated[int, Field(ge=68, le=65535)] | None = Field(default=None, description="left out: what the network below leaves")
