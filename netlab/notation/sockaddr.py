"""Socket addresses between the notation's text and the bytes of struct sockaddr, both ways. It resolves no names.

Layouts: ip(7), ipv6(7), unix(7). The family is in the machine's byte order, ports and addresses in the network's.
"""

import ipaddress
import socket
import struct

_FAMILY = struct.Struct("=H")
_PORT_OFFSET = 2
_UNIX_PATH = 2
_INET = struct.Struct("!HI")
_INET6 = struct.Struct("!HI16s")
INET_LENGTH, INET6_LENGTH = 16, 28
FAMILY_ONLY_LENGTH = 16
"""How long an address of which only the family is given is: as long as struct sockaddr."""


def pack_ip(host: str, port: int, scope: int = 0) -> bytes:
    """sockaddr_in or sockaddr_in6, by what the host's text is."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv4Address):
        return _FAMILY.pack(socket.AF_INET) + _INET.pack(port, int(address)) + bytes(8)
    packed = _INET6.pack(port, 0, address.packed)
    return _FAMILY.pack(socket.AF_INET6) + packed + struct.pack("=I", scope)


def pack_unix(path: str) -> bytes:
    """sockaddr_un with a path, and the zero that ends it."""
    return _FAMILY.pack(socket.AF_UNIX) + path.encode() + b"\0"


def pack_abstract(name: str) -> bytes:
    """sockaddr_un in Linux' abstract name space: no zero ends it, since every byte counts."""
    return _FAMILY.pack(socket.AF_UNIX) + b"\0" + name.encode()


def pack_family(family: int, length: int = FAMILY_ONLY_LENGTH) -> bytes:
    """An address that says no more than its family."""
    return (_FAMILY.pack(family & 0xFFFF) + bytes(max(0, length - 2)))[: max(length, 0)]


def family_of(raw: bytes) -> int:
    """The family that an address says it is of; AF_UNSPEC when it is too short to say."""
    return int(_FAMILY.unpack_from(raw)[0]) if len(raw) >= 2 else 0


def port_of(raw: bytes) -> int:
    """The port of an IP address; 0 for any other."""
    is_ip = family_of(raw) in (socket.AF_INET, socket.AF_INET6) and len(raw) >= 4
    return int(struct.unpack_from("!H", raw, _PORT_OFFSET)[0]) if is_ip else 0


def unpack(raw: bytes) -> str:
    """An address as the notation writes it: 10.0.0.1:80, [::1]:80, unix:path, abstract:name, unixfamilyonly; "" for no bytes."""
    if len(raw) < 2:
        return ""
    family = family_of(raw)
    if family == socket.AF_INET and len(raw) >= 8:
        port, address = _INET.unpack_from(raw, _PORT_OFFSET)
        return f"{ipaddress.IPv4Address(address)}:{port}"
    if family == socket.AF_INET6 and len(raw) >= 24:
        port, _, packed = _INET6.unpack_from(raw, _PORT_OFFSET)
        scope = struct.unpack_from("=I", raw, 24)[0] if len(raw) >= INET6_LENGTH else 0
        # inet_ntop writes mapped addresses as ::ffff:10.0.0.1, which ipaddress does from Python 3.13 on only.
        return f"[{socket.inet_ntop(socket.AF_INET6, packed)}{f'%{scope}' if scope else ''}]:{port}"
    if family == socket.AF_UNIX:
        name = raw[_UNIX_PATH:]
        if not name:
            return "unixfamilyonly"
        if name[0] == 0:
            return "abstract:" + name[1:].decode(errors="backslashreplace")
        return "unix:" + name.split(b"\0")[0].decode(errors="backslashreplace")
    return f"family{family}" if family else "unspec"


_LOCAL = {"v4": "127.0.0.1", "v6": "::1", "any4": "0.0.0.0", "any6": "::"}


def vary(raw: bytes, variant: str) -> bytes:
    """The same port at another address (v4 v6 any4 any6 mapped), or the same address with port 0 (port0); ValueError for no IP."""
    if not variant:
        return raw
    if family_of(raw) not in (socket.AF_INET, socket.AF_INET6) or len(raw) < 8:
        raise ValueError(f"{unpack(raw)} is no IP address, so it has no variant {variant}")
    if variant == "port0":
        return raw[:2] + b"\0\0" + raw[4:]
    if variant == "mapped":
        v4 = family_of(raw) == socket.AF_INET
        host = ipaddress.IPv4Address(raw[4:8]) if v4 and any(raw[4:8]) else ipaddress.IPv4Address(_LOCAL["v4"])
        return pack_ip(f"::ffff:{host}", port_of(raw))
    return pack_ip(_LOCAL[variant], port_of(raw))
