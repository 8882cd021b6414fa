"""Reads one argument of a call: 0, SOCK_STREAM|SOCK_NONBLOCK, buf(10), "hello", [::1]:80, server:8080, @s:port0, {linger:1,5}.

It does not know which call the argument belongs to.
"""

import ipaddress
import re

from netlab.notation.constants import known, suggest
from netlab.notation.lexer import IDENTIFIER, Scanner
from netlab.notation.spelling import did_you_mean
from netlab.notation.values import (
    BadPointer,
    Buffer,
    Constant,
    Name,
    Number,
    Parts,
    Rights,
    SocketAddress,
    Structure,
    Text,
    Value,
)

VARIANTS = ("v4", "v6", "any4", "any6", "mapped", "port0")
"""What may follow @x: the same port at another address, or (port0) the same address without its port."""

STRUCTURES = {"linger": 2, "timeval": 2, "timespec": 2, "int": 1, "byte": 1, "rlimit": 2, "ucred": 3, "ip_mreq": 2, "ip_mreqn": 3}
"""Structures by name, with how many members each has."""

_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|\d+)(?![\w.:])")
_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|\d+)")
_IPV4 = re.compile(r"(\d+(?:\.\d+)+)")
_IPV6 = re.compile(r"\[([^\]\s]+)\]")
_PORT = re.compile(r":(?:@([A-Za-z_]\w*)|(\d+))(?![\w.])")
_NODE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(?:\.([A-Za-z0-9_.-]+?))?(?=:(?:@|\d))")
_PATH = re.compile(r"(unix|abstract):")
_BARE_PATH = re.compile(r"[^\s,)\"]*")
_INTERFACE = re.compile(r"if:([A-Za-z0-9_.-]+)")
_FAMILY = re.compile(r"family(\d+)(?!\w)")
_POINTER = re.compile(r"(NULL|BADPTR)(?!\w)")
_SIZE = re.compile(r"\[\s*#?(\d+)\s*\]|#(\d+)")
_HASH_BUFFER = re.compile(r"#(\d+)")
_SHOUTED = re.compile(r"[A-Z][A-Z0-9_]*")


def parse_value(scanner: Scanner) -> Value:
    """Read the one value that comes next; what follows it is the caller's business."""
    scanner.skip()
    start = scanner.position
    following = scanner.text[start : start + 1]
    match following:
        case '"':
            return Text(scanner.string())
        case "{":
            return _structure(scanner)
        case "[":
            return _ipv6(scanner)
        case "@":
            return _name_address(scanner)
        case "#":
            match = scanner.match(_HASH_BUFFER)
            if match is None:
                raise scanner.error("# must be followed by a number of bytes", "write buf(10) for a buffer of 10 bytes")
            return Buffer(int(match[1]))
        case "":
            raise scanner.error("an argument is missing here")
    return _word(scanner)


def _word(scanner: Scanner) -> Value:
    start = scanner.position
    if _NUMBER.match(scanner.text, start):
        return _number_or_constant(scanner)
    if match := scanner.match(_IPV4):
        return _ipv4(scanner, match[1], start)
    if match := scanner.match(_PATH):
        return _path(scanner, "path" if match[1] == "unix" else "abstract")
    if match := scanner.match(_INTERFACE):
        return SocketAddress(form="interface", interface=match[1])
    if match := scanner.match(_POINTER):
        size = scanner.match(_SIZE)
        return BadPointer(null=match[1] == "NULL", size=int(size[1] or size[2]) if size else None)
    if match := scanner.match(_FAMILY):
        return SocketAddress(form="family", port=int(match[1]))
    if match := scanner.match(_NODE):
        port, port_of = _port(scanner, match[0])
        return SocketAddress(form="node", host=match[1], interface=match[2] or "", port=port, port_of=port_of)
    return _identifier(scanner)


def _identifier(scanner: Scanner) -> Value:
    start = scanner.position
    match = IDENTIFIER.match(scanner.text, start)
    if match is None:
        raise scanner.error(f"{scanner.found()} is no argument", "write a number, a constant, a name, an address or a buffer")
    word = match[0]
    if word == "unspec":
        scanner.position = match.end()
        return SocketAddress(form="family", port=0)
    if word == "unixfamilyonly":
        scanner.position = match.end()
        return SocketAddress(form="unix", variant="unnamed")
    if known(word) or looks_constant(word):
        return _number_or_constant(scanner)
    scanner.position = match.end()
    if scanner.take("("):
        return _construct(scanner, word, start)
    if scanner.text[scanner.position : scanner.position + 1] == ":":
        raise scanner.error(f'"{word}:" must be followed by a port', f"write {word}:8080, or {word}:@s for the port of socket s")
    return Name(word)


def looks_constant(word: str) -> bool:
    """Whether a word is meant as a constant though netlab does not know it: all capitals, and too long for a descriptor's name."""
    if not _SHOUTED.fullmatch(word) or word in ("BUF", "NONE"):
        return False
    return len(word) >= 4 or "_" in word


def _construct(scanner: Scanner, word: str, start: int) -> Value:
    if word == "buf":
        match = scanner.match(_INTEGER)
        if match is None or match[0].startswith("-"):
            raise scanner.error("buf needs a number of bytes", "write for example buf(10)")
        scanner.expect(")", "the size of buf")
        return Buffer(number(match[0]))
    if word == "rights":
        names: list[str] = []
        while not scanner.take(")"):
            name = scanner.match(IDENTIFIER)
            if name is None:
                raise scanner.error(f"rights takes names of descriptors, found {scanner.found()}")
            names.append(name[0])
            if not scanner.take(","):
                scanner.expect(")", "the names of rights")
                break
        return Rights(tuple(names))
    if word == "iov":
        return _parts(scanner)
    own = "a call stands in a step of its own; an argument may be buf(n) or rights(a, b)"
    fix = did_you_mean(word, ("buf", "rights", "iov")) or own
    raise scanner.error(f"{word}(...) is no argument", fix, start)


def _parts(scanner: Scanner) -> Parts:
    parts: list[Text | Buffer | BadPointer] = []
    while not scanner.take(")"):
        scanner.skip()
        start = scanner.position
        part = parse_value(scanner)
        if not isinstance(part, Text | Buffer | BadPointer):
            raise scanner.error("iov takes buffers", 'write for example iov("ab", "cde") or iov(buf(2), buf(8))', start)
        parts.append(part)
        if not scanner.take(","):
            scanner.expect(")", "the buffers of iov")
            break
    return Parts(tuple(parts))


def _number_or_constant(scanner: Scanner) -> Number | Constant:
    parts: list[str | int] = []
    while True:
        scanner.skip()
        start = scanner.position
        if match := scanner.match(_NUMBER):
            parts.append(number(match[0]))
        elif match := scanner.match(IDENTIFIER):
            if not known(match[0]):
                raise _unknown_constant(scanner, match[0], start)
            parts.append(match[0])
        else:
            raise scanner.error(f"expected a constant or a number after |, found {scanner.found()}")
        if not scanner.take("|"):
            break
    only = parts[0]
    return Number(only) if len(parts) == 1 and isinstance(only, int) else Constant(tuple(parts))


def _unknown_constant(scanner: Scanner, name: str, offset: int) -> Exception:
    """The error for a constant that netlab does not know."""
    close = suggest(name)
    fix = f'did you mean "{close}"?' if close else "write its number instead"
    return scanner.error(f"{name} is no constant that netlab knows", fix, offset)


def number(text: str) -> int:
    """A whole number as C writes it: 10, -1, 0x10, 0644."""
    digits = text.lstrip("-")
    if len(digits) > 1 and digits[0] == "0" and digits.isdigit() and not set(digits) & set("89"):
        value = int(digits, 8)
    else:
        value = int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)
    return -value if text.startswith("-") else value


def _port(scanner: Scanner, shown: str) -> tuple[int, str]:
    match = _PORT.match(scanner.text, scanner.position)
    if match is None:
        raise scanner.error(f"{shown} needs a port", f"write {shown}:8080, or {shown}:0 for a port that the kernel chooses")
    if match[2] is not None and int(match[2]) > 65535:
        raise scanner.error(f"port {match[2]} is more than 65535", offset=scanner.position + 1)
    scanner.position = match.end()
    return int(match[2] or 0), match[1] or ""


def _ipv4(scanner: Scanner, host: str, start: int) -> SocketAddress:
    try:
        ipaddress.IPv4Address(host)
    except ValueError as error:
        raise scanner.error(f"{host} is no IPv4 address: {error}", offset=start) from None
    port, port_of = _port(scanner, host)
    return SocketAddress(form="ip", host=host, port=port, port_of=port_of)


def _ipv6(scanner: Scanner) -> SocketAddress:
    start = scanner.position
    match = scanner.match(_IPV6)
    if match is None:
        raise scanner.error("[ opens an IPv6 address", "write for example [::1]:80", start)
    try:
        ipaddress.IPv6Address(match[1])
    except ValueError as error:
        raise scanner.error(f"[{match[1]}] is no IPv6 address: {error}", offset=start + 1) from None
    port, port_of = _port(scanner, match[0])
    return SocketAddress(form="ip", host=match[1], port=port, port_of=port_of)


def _path(scanner: Scanner, kind: str) -> SocketAddress:
    if scanner.text[scanner.position : scanner.position + 1] == '"':
        start = scanner.position
        try:
            return SocketAddress(form="unix", host=scanner.string().decode(), variant=kind)
        except UnicodeDecodeError:
            raise scanner.error("a path must be UTF-8", offset=start) from None
    match = _BARE_PATH.match(scanner.text, scanner.position)
    assert match is not None
    scanner.position = match.end()
    return SocketAddress(form="unix", host=match[0], variant=kind)


def _name_address(scanner: Scanner) -> SocketAddress:
    scanner.take("@")
    name = IDENTIFIER.match(scanner.text, scanner.position)
    if name is None:
        raise scanner.error("@ must be followed by a socket's name", "@s is the address that getsockname(s) gives")
    scanner.position = name.end()
    if scanner.text[scanner.position : scanner.position + 1] != ":":
        return SocketAddress(form="name", host=name[0])
    scanner.position += 1
    variant = IDENTIFIER.match(scanner.text, scanner.position)
    if variant is None or variant[0] not in VARIANTS:
        word = variant[0] if variant else ""
        fix = did_you_mean(word, VARIANTS) or f"write one of {', '.join(VARIANTS)}"
        raise scanner.error(f'"{word}" is no variant of an address', fix)
    scanner.position = variant.end()
    return SocketAddress(form="name", host=name[0], variant=variant[0])


def _structure(scanner: Scanner) -> Structure:
    scanner.take("{")
    scanner.skip()
    start = scanner.position
    name = scanner.match(IDENTIFIER)
    if name is None or name[0] not in STRUCTURES:
        word = name[0] if name else ""
        fix = did_you_mean(word, STRUCTURES) or f"write one of {', '.join(STRUCTURES)}, such as {{linger:1,0}}"
        raise scanner.error(f'"{word}" is no structure that netlab knows', fix, start)
    scanner.expect(":", f"{{{name[0]}")
    members: list[int | str] = []
    while True:
        members.append(_member(scanner, name[0]))
        if not scanner.take(","):
            break
    scanner.expect("}", f"the members of {name[0]}")
    if len(members) != STRUCTURES[name[0]]:
        raise scanner.error(f"{name[0]} has {STRUCTURES[name[0]]} members, here are {len(members)}", offset=start)
    return Structure(name[0], tuple(members))


def _member(scanner: Scanner, structure: str) -> int | str:
    """A number; of ip_mreq and ip_mreqn (ip(7)) an IPv4 address too, of ucred (unix(7)) a process by its name."""
    scanner.skip()
    start = scanner.position
    if structure in ("ip_mreq", "ip_mreqn") and (quad := scanner.match(_IPV4)):
        try:
            return int(ipaddress.IPv4Address(quad[1]))
        except ValueError as error:
            raise scanner.error(f"{quad[1]} is no IPv4 address: {error}", offset=start) from None
    if structure == "ucred" and (name := scanner.match(IDENTIFIER)):
        return name[0]
    member = scanner.match(_INTEGER)
    if member is None:
        raise scanner.error(f"the members of {structure} are numbers, found {scanner.found()}")
    return number(member[0])
