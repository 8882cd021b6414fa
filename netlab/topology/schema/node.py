"""One node's keys and their types, as pydantic models. What the values mean together is not known here."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Tag, WithJsonSchema

from netlab.topology.schema.node_values import (
    LARGEST,
    LARGEST_MTU,
    Destination,
    EnvName,
    EnvValue,
    Hostname,
    Mode,
    OwnTable,
    Pattern,
    PlainAddress,
    Port,
    Prefix,
    SomeText,
    Span,
    Sysctl,
    SysctlValue,
    Table,
    Text,
    VlanKey,
    Word,
    auto,
    either,
    no_list,
    no_mapping,
)
from netlab.topology.schema.values import LoopbackAddress, OneOrMore, Subnet
from netlab.validate import Piece


class Part(Piece):
    """A mapping within a node."""

    @property
    def is_whole(self) -> bool:
        """Whether all that is written of it could be read; else it says less than was meant."""
        return len(self.node.fields or ()) == len(self.model_fields_set)


class RouteFile(Part):
    """One static route."""

    to: Destination
    via: str | None = Field(default=None, description="an address on a subnet of the node, or the name of a neighbour")
    interface: str | None = Field(default=None, description="the interface that it leaves by; left out: found by via")
    kind: Literal["unicast", "blackhole", "unreachable", "prohibit"] = "unicast"
    metric: int = Field(default=0, ge=0, le=LARGEST, description="the smallest wins; left out: the kernel's choice")
    table: Table | None = Field(default=None, description="left out: main")
    source: PlainAddress | None = Field(default=None, description="the address that packets have which the node itself sends")
    mtu: int | None = Field(default=None, ge=68, le=LARGEST_MTU)


class PolicyRuleFile(Part):
    """One routing rule: packets that match look into a table."""

    from_: Prefix | None = Field(default=None, alias="from")
    to: Prefix | None = None
    mark: int | None = Field(default=None, ge=1, le=LARGEST)
    interface: str | None = Field(default=None, description="the interface that the packet came by; lo: it is the node's own")
    table: Table
    priority: int | None = Field(default=None, ge=0, le=32765, description="left out: one more than the rule before, from 10000")


class VrfFile(Part):
    """One VRF: a routing table of its own for some interfaces."""

    table: OwnTable
    interfaces: OneOrMore[str] = Field(default_factory=no_list)


class NatFile(Part):
    """How a nat node translates."""

    outside: OneOrMore[str] = Field(default_factory=no_list, description="interfaces or neighbours; left out: where the router is")
    behaviour: Literal["full-cone", "address-restricted-cone", "port-restricted-cone", "symmetric"] = "port-restricted-cone"
    forwards: OneOrMore[str] = Field(default_factory=no_list, description="such as: tcp 8080 -> server:80")


class FirewallFile(Part):
    """Simple firewall rules, by chain."""

    input: list[str] = Field(default_factory=no_list, description="of packets to the node itself")
    forward: list[str] = Field(default_factory=no_list, description="of packets that it passes on")
    output: list[str] = Field(default_factory=no_list, description="of its own packets")


class ResolvFile(Part):
    """A resolv.conf."""

    nameservers: list[PlainAddress] = Field(default_factory=no_list, max_length=3)
    search: list[Hostname] = Field(default_factory=no_list)


class ContentFile(Part):
    """What a file of a node has in it: a text, or what stands in another file."""

    text: str | None = None
    from_: str | None = Field(default=None, alias="from", min_length=1, description="a file, beside this one")
    mode: Mode | None = Field(default=None, description='octal digits, such as "0755"; left out: "0644"')


class ReadyFile(Part):
    """When a program counts as ready."""

    port: Port | None = Field(default=None, description="the node listens on it")
    protocol: Literal["tcp", "udp"] = "tcp"
    log: Pattern | None = Field(default=None, description="a regular expression, found in a line of its output")


_Run = Annotated[
    Annotated[SomeText, Tag("as text")] | Annotated[list[Word], Field(min_length=1), Tag("as list")],
    either("a command must be text or a list of words"),
]


class CommandFile(Part):
    """One command at the start of a node."""

    run: _Run | None = None
    shell: SomeText | None = Field(default=None, description="a line for sh -c")
    ready: ReadyFile | None = Field(default=None, description="it stays running, and others wait until it is ready")
    background: bool = Field(default=False, description="it stays running, and nobody waits for it")
    within: Span | None = Field(default=None, description="left out: 10s")


class VlanFile(Part):
    """One VLAN of a switch."""

    subnets: list[Subnet] | None = Field(default=None, max_length=16, description="left out: assigned, both families")


_A_ROUTE = "a route such as {to: default, via: 10.0.0.1}"
_AUTO = WithJsonSchema({"const": "auto"})
_RouteItem = Annotated[
    Annotated[str, AfterValidator(auto(_A_ROUTE)), _AUTO, Tag("as text")] | Annotated[RouteFile, Tag("as mapping")],
    either(f"this must be {_A_ROUTE}, or the word auto"),
]
_Routes = Annotated[
    Annotated[str, AfterValidator(auto("a list of routes")), _AUTO, Tag("as text")] | Annotated[list[_RouteItem], Tag("as list")],
    either("this must be auto or a list of routes"),
]
_Firewall = Annotated[
    Annotated[SomeText, Tag("as text")] | Annotated[FirewallFile, Tag("as mapping")],
    either("this must be an nftables ruleset as text, or rules by chain (input, forward, output)"),
]
_Resolv = Annotated[Text | Annotated[ResolvFile, Tag("as mapping")], either("this must be text, or nameservers and search")]
_Content = Annotated[
    Text | Annotated[ContentFile, Tag("as mapping")], either("a file must be its text, or a mapping of text or from")
]
_Command = Annotated[
    Annotated[SomeText, Tag("as text")] | Annotated[CommandFile, Tag("as mapping")],
    either("a command must be text, or a mapping of run or shell"),
]


class NodeFile(Piece):
    """One node."""

    kind: Literal["host", "router", "nat", "switch", "peer"] = "host"
    sysctls: dict[Sysctl, SysctlValue] = Field(default_factory=no_mapping, description="set over the pinned ones")
    routes: _Routes = Field(default="auto", description="auto: shortest paths; or a list, which may contain auto")
    rules: list[PolicyRuleFile] = Field(default_factory=no_list, description="routing rules, those of the kernel's come after them")
    vrfs: dict[str, VrfFile] = Field(default_factory=no_mapping, description="VRF devices, by name")
    nat: NatFile | None = Field(default=None, description="of a nat: how it translates")
    firewall: _Firewall | None = Field(default=None, description="an nftables ruleset, or simple rules by chain")
    names: dict[Hostname, OneOrMore[PlainAddress]] = Field(default_factory=no_mapping, description="more lines of its hosts file")
    resolv: _Resolv | None = Field(default=None, description="its resolv.conf; left out: the machine's own")
    env: dict[EnvName, EnvValue] = Field(default_factory=no_mapping, description="variables of every program's environment")
    files: dict[str, _Content] = Field(default_factory=no_mapping, description="files that only its programs see, by path")
    start: list[_Command] = Field(default_factory=no_list, description="commands, in order, once the network is there")
    stp: bool = Field(default=False, description="of a switch: the spanning tree protocol")
    subnets: list[Subnet] | None = Field(default=None, max_length=16, description="of a switch: the subnets of all its links")
    vlans: dict[VlanKey, VlanFile] = Field(
        default_factory=no_mapping, min_length=1, description="of a switch: its VLANs, by number"
    )
    loopback: OneOrMore[LoopbackAddress] = Field(default_factory=no_list, description="addresses on lo, which others may have too")
