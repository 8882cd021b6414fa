"""Writes nftables rulesets (nft(8)): simple firewall rules, and all that a node loads. It knows no kernel, and loads nothing.

A simple rule is ``ACTION [established] [PROTOCOL [PORTS]] [from NET] [to NET] [in INTERFACE] [out INTERFACE]``:

- ACTION is accept, drop or reject. reject answers TCP with a reset, everything else with ICMP "administratively prohibited".
- established means packets of known connections, and the ICMP errors about them (conntrack's established and related).
- PROTOCOL is tcp, udp, icmp or icmpv6. icmp means both families' (``drop icmp`` stops every ping); icmpv6 IPv6's alone; which
  of them an address after from or to narrows to its own family.
- PORTS are destination ports: 80, 80,443, 8000-8999 or 22,8000-8999.
- A bare ACTION as a chain's last item is its policy: what happens to everything else. Without one that is accept.

Two things are always let through, since without them IPv6 does not work at all: in the chains input and output of simple rules,
neighbour and router discovery (RFC 4861) passes before every rule. Loopback is not: ``accept in lo`` lets it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import ip_network

from netlab.topology.nat import translation
from netlab.topology.networks import Network
from netlab.topology.spec import Node

__all__ = ["RuleError", "firewall", "ruleset"]

CHAINS = ("input", "forward", "output")
_ACTIONS = ("accept", "drop", "reject")
_WORDS = ("established", "tcp", "udp", "icmp", "icmpv6", "from", "to", "in", "out")
_FORM = "ACTION [established] [PROTOCOL [PORTS]] [from NET] [to NET] [in INTERFACE] [out INTERFACE]"
_PROTOCOLS = {"tcp": "meta l4proto tcp", "udp": "meta l4proto udp", "icmpv6": "meta l4proto ipv6-icmp"}
_RESET = "reject with tcp reset"
_INTERFACE = re.compile(r"[A-Za-z0-9_.@:-]{1,15}")
_PORT_OR_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_LARGEST_PORT = 65535
_DISCOVERY = "ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept"


class RuleError(ValueError):
    """A simple rule is wrong: ``chain`` and ``index`` say which (index -1: the chain's name), ``offset`` where in its text."""

    def __init__(self, message: str, fix: str = "", *, chain: str, index: int, offset: int) -> None:
        self.chain, self.index, self.offset, self.message, self.fix = chain, index, offset, message, fix
        super().__init__(message + (f"; {fix}" if fix else ""))


def firewall(rules: Mapping[str, Sequence[str]]) -> str:
    """The nftables ruleset of simple rules by chain (input, forward, output); raises RuleError for the first that is wrong."""
    chains = []
    for chain, texts in rules.items():
        if chain not in CHAINS:
            near = get_close_matches(chain, CHAINS, 1)
            fix = f'did you mean "{near[0]}"?' if near else f"the chains are {', '.join(CHAINS)}"
            raise RuleError(f"no chain {chain!r}", fix, chain=chain, index=-1, offset=0)
        chains.append(_chain(chain, texts))
    return "table inet netlab_filter {\n" + "".join(chains) + "}\n" if chains else ""


def ruleset(node: Node) -> str:
    """All that is to be loaded in the namespace of ``node``: its firewall, then its translation; "" when it has neither."""
    parts = [node.firewall.strip()] if node.firewall.strip() else []
    if node.nat is not None:
        parts.append(translation(node.nat).strip())
    return "".join(f"{part}\n" for part in parts)


def _chain(chain: str, texts: Sequence[str]) -> str:
    policy, lines = "accept", [] if chain == "forward" else [_DISCOVERY]
    for index, text in enumerate(texts):
        rule = _Rule(chain=chain, index=index, text=text)
        rule.read()
        if not rule.bare:
            lines += rule.lines()
        elif index < len(texts) - 1:
            raise rule.error(
                f"nothing after {text.strip()!r} is ever reached",
                f"a bare action is the chain's policy: put it last, or say what it {text.strip()}s",
            )
        elif rule.action == "reject":
            policy, lines = "drop", [*lines, *rule.lines()]
        else:
            policy = rule.action
    body = "".join(f"\t\t{line}\n" for line in lines)
    return f"\tchain {chain} {{\n\t\ttype filter hook {chain} priority filter; policy {policy};\n{body}\t}}\n"


@dataclass(slots=True, kw_only=True)
class _Rule:
    """One rule while it is read: its words, each with its offset, and what they said."""

    chain: str
    index: int
    text: str
    action: str = ""
    established: bool = False
    protocol: str = ""
    ports: str = ""
    networks: dict[str, Network] = field(default_factory=dict)
    interfaces: dict[str, str] = field(default_factory=dict)
    bare: bool = False

    def error(self, message: str, fix: str = "", offset: int = 0) -> RuleError:
        return RuleError(message, fix, chain=self.chain, index=self.index, offset=offset)

    def read(self) -> None:
        words = [(word[0], word.start()) for word in re.finditer(r"\S+", self.text)]
        if not words or words[0][0] not in _ACTIONS:
            written, offset = words[0] if words else ("", 0)
            near = get_close_matches(written, _ACTIONS, 1)
            fix = f'did you mean "{near[0]}"?' if near else f"a rule is {_FORM}"
            raise self.error(f"{written!r} is no action: accept, drop or reject", fix, offset)
        self.action, self.bare = words[0][0], len(words) == 1
        rest = iter(words[1:])
        seen: set[str] = set()
        for word, offset in rest:
            kind = "protocol" if word in ("tcp", "udp", "icmp", "icmpv6") else word
            if kind in seen:
                raise self.error(f"{word!r}: a rule has one {kind} at most", "make it two rules", offset)
            seen.add(kind)
            self._word(word, offset, rest)
        self._consistent(words)

    def _word(self, word: str, offset: int, rest: Iterator[tuple[str, int]]) -> None:
        if word == "established":
            self.established = True
        elif word in ("tcp", "udp", "icmp", "icmpv6"):
            self.protocol = word
        elif word[0].isdigit() and not self.ports:
            self._read_ports(word, offset)
        elif word in ("from", "to", "in", "out"):
            value, at = next(rest, ("", offset))
            if not value:
                what = "an address or a network" if word in ("from", "to") else "an interface"
                raise self.error(f"{word!r} is followed by {what}", f"a rule is {_FORM}", at)
            if word in ("from", "to"):
                self.networks[word] = self._network(value, at)
            else:
                self._interface(word, value, offset, at)
        else:
            near = get_close_matches(word, _WORDS, 1)
            fix = f'did you mean "{near[0]}"?' if near else f"a rule is {_FORM}"
            raise self.error(f"{word!r} is no word of a firewall rule", fix, offset)

    def _read_ports(self, text: str, offset: int) -> None:
        if self.protocol not in ("tcp", "udp"):
            whose = f"{self.protocol} has no ports" if self.protocol else f"{text!r} is a port of no protocol"
            raise self.error(whose, f"write tcp {text} or udp {text}", offset)
        spans = []
        for part in text.split(","):
            match = _PORT_OR_RANGE.fullmatch(part)
            low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
            if not 1 <= low <= high <= _LARGEST_PORT:
                fix = "write 80, 80,443 or 8000-8999, without spaces"
                raise self.error(f"{part!r} is no port and no range of ports", fix, offset)
            spans.append((low, high))
            offset += len(part) + 1
        self.ports = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in _merged(spans))

    def _network(self, text: str, offset: int) -> Network:
        address, zone, _ = text.partition("%")
        if zone:
            raise self.error(
                f"{text!r}: an address has no zone here", f"write {address}, and its interface after in or out", offset
            )
        try:
            return ip_network(text)
        except ValueError:
            pass
        try:
            fix = f"the network is {ip_network(text, strict=False)}"
        except ValueError:
            fix = "such as 10.0.0.0/24, 10.0.0.7 or fd00::/64"
        raise self.error(f"{text!r} is no address and no network", fix, offset)

    def _interface(self, word: str, name: str, offset: int, at: int) -> None:
        wrong = {"input": "out", "output": "in"}.get(self.chain)
        if word == wrong:
            kind = "leave" if word == "out" else "arrive"
            right = "in" if word == "out" else "out"
            raise self.error(f"packets of the chain {self.chain} do not {kind} by an interface", f"say {right} {name}", offset)
        if not _INTERFACE.fullmatch(name):
            raise self.error(f"{name!r} is no interface's name", "up to 15 letters, digits and _ . @ : -", at)
        self.interfaces[word] = name

    def _consistent(self, words: list[tuple[str, int]]) -> None:
        versions = {network.version for network in self.networks.values()}
        if len(versions) > 1:
            raise self.error("no packet goes from one family to the other", "make it two rules", words[0][1])
        if self.protocol == "icmpv6" and 4 in versions:
            raise self.error("icmpv6 does not travel in IPv4", "say icmp, or IPv6 addresses", words[0][1])

    def lines(self) -> list[str]:
        """The rule in nftables' words: a line for TCP and one for the rest, where reject answers them differently."""
        version = next((network.version for network in self.networks.values()), 0)
        parts = [f'iifname "{self.interfaces["in"]}"'] if "in" in self.interfaces else []
        parts += [f'oifname "{self.interfaces["out"]}"'] if "out" in self.interfaces else []
        family = "ip6" if version == 6 else "ip"
        for word, side in (("from", "saddr"), ("to", "daddr")):
            if word in self.networks:
                parts.append(f"{family} {side} {self.networks[word]}")
        if self.ports:
            parts.append(f"{self.protocol} dport {{ {self.ports} }}")
        elif self.protocol == "icmp":
            parts.append({0: "meta l4proto { icmp, ipv6-icmp }", 4: "meta l4proto icmp", 6: "meta l4proto ipv6-icmp"}[version])
        elif self.protocol:
            parts.append(_PROTOCOLS[self.protocol])
        if self.established:
            parts.append("ct state { established, related }")
        if self.action != "reject":
            return [" ".join([*parts, self.action])]
        if self.protocol == "tcp":
            return [" ".join([*parts, _RESET])]
        reset = [] if self.protocol else [" ".join([*parts, _PROTOCOLS["tcp"], _RESET])]
        return [*reset, " ".join([*parts, "reject with icmpx admin-prohibited"])]


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that overlap joined: nft takes no set whose elements overlap."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged
