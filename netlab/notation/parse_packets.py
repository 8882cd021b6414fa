"""Reads one packet pattern: ``client > server S. seq 0 ack 1 <mss 1460,sackOK> after >=180ms {2}``. Knows words, no packets."""

import re

from netlab.notation.calls import Bound
from netlab.notation.icmp import ALIASES, KINDS
from netlab.notation.lexer import Scanner, parse_bounds
from netlab.notation.packets import PacketPattern
from netlab.notation.parse_values import parse_value
from netlab.notation.pattern import pattern
from netlab.notation.spelling import did_you_mean
from netlab.notation.values import Buffer, Text

PROTOCOLS = ("tcp", "udp", "icmp", "icmp6", "igmp", "arp")
FIELDS = ("seq", "ack", "len", "win", "ttl", "tos", "id", "df", "mf", "fragment", "mtu", "urg", "type", "code", "op")
OPTIONS = ("mss", "sackOK", "wscale", "TS", "sack", "nop", "eol", "tfo", "md5", "mptcp")
FLAGS = "SFRPUEW."

_ENDPOINTS = re.compile(r"([\w*\[][^\s<>]*)\s*>\s*([\w*\[][^\s<>]*)")
_WORD = re.compile(r"[A-Za-z.][\w.-]*")
_FLAGS = re.compile(rf"[{FLAGS}]+(?=[\s<?{{]|$)")
_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|\d+)(?![\w.])")
_OPTIONS = re.compile(r"<([^<>]*)>")
_OPTION_NUMBERS = re.compile(r"\d+")
_UNKNOWN_OPTION = re.compile(r"unknown-\d+")
_REPEAT = re.compile(r"\{\s*(\d+)\s*(?:(,)\s*(\d+)?\s*)?\}")
_ANY = re.compile(r"\.\.\.(?=\s|$)")


def parse_packet(text: str) -> PacketPattern:
    """Read one pattern; everything that is not named is free."""
    scanner = Scanner(text)
    if scanner.match(_ANY):
        scanner.end("...")
        return PacketPattern(count=(0, None), any=True, text=text)
    if scanner.at_end():
        raise scanner.error("a packet pattern is missing here", "write for example client > server S, or ... for any packets")
    return _Reader(scanner).read()


class _Reader:
    """One pattern while it is being read."""

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner
        self.protocol = ""
        self.flags: frozenset[str] | None = None
        self.options: tuple[tuple[str, str], ...] = ()
        self.options_only = False
        self.fields: dict[str, int] = {}
        self.data: bytes | None = None
        self.after: tuple[Bound, ...] = ()
        self.count: tuple[int, int | None] | None = None
        self.seen: set[str] = set()

    def read(self) -> PacketPattern:
        scanner = self.scanner
        endpoints = scanner.match(_ENDPOINTS)
        source, target = (endpoints[1], endpoints[2]) if endpoints else ("", "")
        if endpoints is None and re.match(r"(?:(?!\bafter\b)[^<\"])*>", scanner.text):
            raise scanner.error("this is no pair of endpoints", "write client > server, or leave both out when any will do")
        self.kind()
        while not scanner.at_end():
            self.part()
        return PacketPattern(
            source=source,
            target=target,
            protocol=self.protocol,
            flags=self.flags,
            options=self.options,
            options_only=self.options_only,
            fields=tuple(self.fields.items()),
            data=self.data,
            after=self.after,
            count=self.count or (1, 1),
            text=scanner.text,
        )

    def kind(self) -> None:
        """Flags, or a protocol and what is its own."""
        scanner = self.scanner
        if self.read_flags():
            self.protocol = "tcp"
            return
        scanner.skip()
        start = scanner.position
        word = scanner.match(_WORD)
        if word is None or word[0] in (*FIELDS, "data", "after"):
            scanner.position = start
            return
        if word[0] not in PROTOCOLS:
            raise self.unknown(word[0], start, "neither TCP flags nor a protocol", PROTOCOLS)
        self.protocol = word[0]
        if self.protocol == "tcp":
            self.read_flags()
        elif self.protocol in KINDS:
            self.named_type()

    def read_flags(self) -> bool:
        self.scanner.skip()
        start = self.scanner.position
        match = self.scanner.match(_FLAGS)
        if match is None:
            return False
        if len(set(match[0])) < len(match[0]):
            raise self.scanner.error(f'"{match[0]}" names a flag twice', offset=start)
        self.flags = frozenset(match[0])
        return True

    def unknown(self, word: str, start: int, what: str, candidates: tuple[str, ...]) -> Exception:
        fix = did_you_mean(word, candidates)
        if not fix and what.startswith("neither"):
            if set(word.upper()) <= set(FLAGS):
                fix = f'did you mean "{word.upper()}"?'
            elif word.isupper():
                fix = f"the flags are {' '.join(FLAGS)} (. is ACK)"
            elif ">" not in self.scanner.text[:start]:
                fix = "endpoints are written client > server"
        return self.scanner.error(f'"{word}" is {what}', fix or f"write one of {', '.join(candidates)}", start)

    def named_type(self) -> None:
        """``unreachable port`` and its like; ``type 3 code 3`` are read as fields."""
        scanner, kinds = self.scanner, KINDS[self.protocol]
        scanner.skip()
        start = scanner.position
        word = scanner.match(_WORD)
        if word is None or word[0] in (*FIELDS, "data", "after"):
            scanner.position = start
            return
        name = ALIASES.get(word[0], word[0])
        if name not in kinds:
            raise self.unknown(word[0], start, f"no type of {self.protocol}", tuple(kinds))
        number, codes = kinds[name]
        self.fields["op" if self.protocol == "arp" else "type"] = number
        scanner.skip()
        start = scanner.position
        word = scanner.match(_WORD)
        if word is None or word[0] in (*FIELDS, "data", "after"):
            scanner.position = start
        elif word[0] in codes:
            self.fields["code"] = codes[word[0]]
        else:
            raise self.unknown(word[0], start, f"no code of {self.protocol} {name}", tuple(codes) or FIELDS)

    def part(self) -> None:
        """One thing after the flags or the protocol."""
        scanner = self.scanner
        start = scanner.position
        following = scanner.text[start]
        if following == ",":
            scanner.take(",")
        elif following == "<":
            self.once("<...>", start)
            self.read_options()
        elif following in "{?":
            self.once("a count", start)
            self.read_count()
        elif word := scanner.match(_WORD):
            self.once(word[0], start)
            self.worded(word[0], start)
        else:
            raise scanner.error(f"unexpected {scanner.found()} in a packet pattern")

    def once(self, what: str, start: int) -> None:
        if what in self.seen or what in self.fields:
            raise self.scanner.error(f"{what} stands twice in this pattern", offset=start)
        self.seen.add(what)

    def worded(self, word: str, start: int) -> None:
        scanner = self.scanner
        if word == "after":
            self.after = parse_bounds(scanner, "after")
        elif word == "data":
            scanner.skip()
            value_at = scanner.position
            value = parse_value(scanner)
            if not isinstance(value, Text | Buffer):
                raise scanner.error("data needs a payload", 'write data "hello" or data buf(10)', value_at)
            self.data = value.data if isinstance(value, Text) else pattern(value.size)
        elif word in FIELDS:
            match = scanner.match(_INTEGER)
            if match is None:
                raise scanner.error(f"{word} needs a number, found {scanner.found()}")
            self.fields[word] = int(match[0], 0) if "x" in match[0].lower() else int(match[0])
        else:
            candidates = (*FIELDS, "data", "after", *(() if self.protocol else PROTOCOLS))
            raise self.unknown(word, start, "no field of a packet pattern", candidates)

    def read_count(self) -> None:
        scanner = self.scanner
        start = scanner.position
        if scanner.take("?"):
            self.count = (0, 1)
            return
        match = scanner.match(_REPEAT)
        if match is None:
            raise scanner.error("{ must be followed by a count", "write {3} for three times, {2,5} for two to five")
        least = int(match[1])
        most = least if match[2] is None else (None if match[3] is None else int(match[3]))
        if most is not None and (most < least or most == 0):
            raise scanner.error(f"{match[0]} matches no number of packets", offset=start)
        self.count = (least, most)

    def read_options(self) -> None:
        scanner = self.scanner
        start = scanner.position
        match = scanner.match(_OPTIONS)
        if match is None:
            raise scanner.error("these options are never closed", "add a closing >", start)
        body = match[1].strip()
        if body == "only" or re.search(r"[\s,]only$", body):
            self.options_only = True
            body = body.removesuffix("only").rstrip().removesuffix(",")
        self.options = tuple(self.option(part, start + 1) for part in body.split(",")) if body.strip() else ()
        names = [name for name, _ in self.options if name != "nop"]
        if len(set(names)) < len(names):
            raise scanner.error("an option stands twice in these options", offset=start)
        if not self.options and not self.options_only:
            raise scanner.error("<> names no option", "write <only> for a packet without options", start)

    def option(self, text: str, near: int) -> tuple[str, str]:
        name, _, value = text.strip().partition(" ")
        value = " ".join(value.split())
        offset = self.scanner.text.find(text.strip(), near)
        if name not in OPTIONS and not _UNKNOWN_OPTION.fullmatch(name):
            fix = did_you_mean(name, OPTIONS) or f"write one of {', '.join(OPTIONS)}, or unknown-N for option N"
            raise self.scanner.error(f'"{name}" is no TCP option', fix, offset)
        if name in ("mss", "wscale") and value and not _OPTION_NUMBERS.fullmatch(value):
            raise self.scanner.error(f'{name} needs a number, not "{value}"', f"leave it out: <{name}> matches any", offset)
        return name, value
