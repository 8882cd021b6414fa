"""Writes what a nat node does as nftables rules (nft(8)): the four behaviours of RFC 3489, for both families. It knows no kernel.

A packet from inside leaves with the outside interface's address. What distinguishes the behaviours, in RFC 4787's words:

=========================  ==========================================  ====================================================
behaviour                  mapping: a socket's port outside            filtering: who gets in by a mapping
=========================  ==========================================  ====================================================
full-cone                  endpoint-independent                        endpoint-independent: everybody
address-restricted-cone    endpoint-independent                        address-dependent: addresses it was used to send to
port-restricted-cone       endpoint-independent until two inside use   address and port-dependent: sockets it was used to
                           the same port                               send to
symmetric                  address and port-dependent                  address and port-dependent
=========================  ==========================================  ====================================================

port-restricted-cone is Linux's own masquerade: it keeps a packet's port where that port is free towards that remote, so a socket
has one port outside for all remotes, but where two inside use the same port. symmetric is masquerade with a random port for each
flow. The first two are no words of nftables': each mapping is learnt as its packets leave, into maps from inside to outside and
back, and flows that arrive are translated by those. A port is kept unless a mapping has it; then the later one gets a random port,
which takes an earlier mapping's away with the odds of the number of mappings to 64,512.

The behaviours hold for UDP and TCP, a table of mappings for each. All else is masqueraded (echo requests by their identifier), and
gets in as an answer only. A mapping lives for 5 minutes (RFC 4787, REQ-5) after the last packet that left in a flow opened from
inside: packets of flows opened from outside do not prolong it. There are 65,536 at most.

In all four behaviours an unsolicited packet to a mapped port is dropped without an answer (RFC 5382, REQ-4; it would also leave an
entry in the kernel's table, and the next packet to that remote would then leave from another port); nothing comes in untranslated,
even from one who knows an inside address; and what the kernel finds invalid does not leave with its inside address. Ports without a
mapping are the node's own. A forward takes precedence over mappings, and works from inside too (hairpinning, RFC 4787, REQ-9: the
target sees the outside address); so do the mappings of a full cone, but not those of the other behaviours. With the two that learn,
a packet that leaves has lost its mark (SO_MARK), which then tells its mapping.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from netlab.topology.spec import Nat

__all__ = ["translation"]

_LEARNING = ("full-cone", "address-restricted-cone")
_PROTOCOLS = ("udp", "tcp")
_SEED = 1


def translation(nat: Nat) -> str:
    """The nftables ruleset that translates as ``nat`` says: a table for IPv4 and one for IPv6."""
    return "".join(_Table(nat=nat, family=family, version=version).text() for family, version in (("ip", 4), ("ip6", 6)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The table of one family. What several rules begin with has a name."""

    nat: Nat
    family: str
    version: int

    @property
    def outside(self) -> str:
        return "{ " + ", ".join(f'"{name}"' for name in self.nat.outside) + " }"

    @property
    def hairpin(self) -> str:
        """From inside, to an address of the node's that is not on the interface it came by."""
        return f"iifname != {self.outside} fib daddr type local fib daddr . iif type != local"

    @property
    def learns(self) -> bool:
        return self.nat.behaviour in _LEARNING

    def text(self) -> str:
        chains = (
            ("arriving", "nat hook prerouting priority dstnat", self._arriving()),
            ("arrived", "filter hook input priority filter", self._arrived()),
            ("passing", "filter hook forward priority filter", self._passing()),
            ("marking", "filter hook postrouting priority srcnat - 10", self._marking()),
            ("leaving", "nat hook postrouting priority srcnat", self._leaving()),
            ("left", "filter hook postrouting priority srcnat + 10", self._left()),
        )
        text = f"table {self.family} netlab_nat {{\n"
        text += "".join(f"\t{line} flags dynamic, timeout; size 65536; timeout 5m; }}\n" for line in self._sets())
        for name, hook, lines in chains:
            rules = "".join(f"\t\t{line}\n" for line in lines)
            if rules:
                text += f"\tchain {name} {{\n\t\ttype {hook}; policy accept;\n{rules}\t}}\n"
        return text + "}\n"

    def _sets(self) -> Iterator[str]:
        address = f"ipv{self.version}_addr"
        for protocol in _PROTOCOLS:
            yield f"set {protocol}_mapped {{ type inet_service;"
            if self.learns:
                # Two maps, since an update of one with a longer value or key than 16 bytes is miscompiled by nft 1.0.6.
                yield f"map {protocol}_inside_address {{ type inet_service : {address};"
                yield f"map {protocol}_inside_port {{ type inet_service : inet_service;"
                yield f"map {protocol}_outside {{ type mark : inet_service;"
            if self.nat.behaviour == "address-restricted-cone":
                yield f"set {protocol}_contacted {{ type {address} . inet_service;"

    def _arriving(self) -> Iterator[str]:
        for forward in self.nat.forwards:
            if forward.to.version == self.version:
                to = f"{forward.to}:{forward.to_port}" if self.version == 4 else f"[{forward.to}]:{forward.to_port}"
                for where in (f"iifname {self.outside}", self.hairpin):
                    yield f"{where} {forward.protocol} dport {forward.port} dnat to {to}"
        for protocol in _PROTOCOLS if self.learns else ():
            port = f"{protocol} dport"
            learnt = f"dnat {self.family} to {port} map @{protocol}_inside_address:{port} map @{protocol}_inside_port"
            if self.nat.behaviour == "full-cone":
                yield f"iifname {self.outside} meta l4proto {protocol} {learnt}"
                yield f"{self.hairpin} meta l4proto {protocol} {learnt}"
            else:
                yield f"iifname {self.outside} {self.family} saddr . {port} @{protocol}_contacted {learnt}"

    def _arrived(self) -> Iterator[str]:
        for protocol in _PROTOCOLS:
            yield f"iifname {self.outside} ct state new {protocol} dport @{protocol}_mapped drop"

    def _passing(self) -> Iterator[str]:
        yield f"iifname {self.outside} oifname != {self.outside} ct state new ct status & dnat != dnat drop"
        yield f"oifname {self.outside} ct state invalid drop"

    def _marking(self) -> Iterator[str]:
        for protocol in _PROTOCOLS if self.learns else ():
            source = f"{self.family} saddr . {protocol} sport"
            yield f"meta l4proto {protocol} meta mark set jhash {source} mod 0xffffffff seed 0x{_SEED:x}"

    def _leaving(self) -> Iterator[str]:
        turned = f"iifname != {self.outside} oifname != {self.outside} ct status dnat"
        for protocol in _PROTOCOLS if self.learns else ():
            known = f"meta mark map @{protocol}_outside"
            yield f"oifname {self.outside} meta l4proto {protocol} masquerade to :{known}"
            yield f"oifname {self.outside} {protocol} sport @{protocol}_mapped masquerade fully-random"
            yield f"{turned} meta l4proto {protocol} snat to ct original {self.family} daddr:{known}"
        if self.nat.behaviour == "full-cone" or any(forward.to.version == self.version for forward in self.nat.forwards):
            yield f"{turned} snat to ct original {self.family} daddr"
        yield f"oifname {self.outside} masquerade" + (" random,fully-random" if self.nat.behaviour == "symmetric" else "")

    def _left(self) -> Iterator[str]:
        opened = f"oifname {self.outside} ct direction original ct status & snat == snat"
        for protocol in _PROTOCOLS:
            port = f"{protocol} sport"
            yield f"{opened} update @{protocol}_mapped {{ {port} }}"
            if self.learns:
                original = f"{opened} meta l4proto {protocol}"
                yield f"{original} update @{protocol}_inside_address {{ {port} : ct original {self.family} saddr }}"
                yield f"{original} update @{protocol}_inside_port {{ {port} : ct original proto-src }}"
                yield f"{original} update @{protocol}_outside {{ meta mark : {port} }}"
            if self.nat.behaviour == "address-restricted-cone":
                yield f"{opened} update @{protocol}_contacted {{ {self.family} daddr . {port} }}"
