"""TCP's options from their bytes: their names as tcpdump has them, their values as text. It knows nothing of segments."""

import struct


def tcp_options(data: bytes) -> tuple[tuple[tuple[str, str], ...], str]:
    """TCP's options in order, by tcpdump's names, and what is wrong with them ("" when nothing is).

    >>> tcp_options(bytes.fromhex("020405b40402"))
    ((('mss', '1460'), ('sackOK', '')), '')
    """
    options: list[tuple[str, str]] = []
    at = 0
    while at < len(data):
        kind = data[at]
        if kind < 2:
            options.append(("nop", "") if kind else ("eol", ""))
            at += 1
            if kind == 0:
                break
            continue
        size = data[at + 1] if at + 1 < len(data) else 0
        if size < 2 or at + size > len(data):
            return tuple(options), f"tcp option {kind}: a length of {size} with {len(data) - at} bytes left"
        options.append(_option(kind, data[at + 2 : at + size]))
        at += size
    return tuple(options), ""


def _option(kind: int, value: bytes) -> tuple[str, str]:
    size = len(value)
    if kind == 2 and size == 2:
        return "mss", str(int.from_bytes(value, "big"))
    if kind == 3 and size == 1:
        return "wscale", str(value[0])
    if kind == 4 and size == 0:
        return "sackOK", ""
    if kind == 5 and size % 8 == 0:
        edges = struct.unpack(f"!{size // 4}I", value)
        return "sack", ",".join(f"{left}:{right}" for left, right in zip(edges[::2], edges[1::2], strict=True))
    if kind == 8 and size == 8:
        return "TS", "{}/{}".format(*struct.unpack("!II", value))
    if kind == 28 and size == 2:
        return "uto", f"{int.from_bytes(value, 'big'):#x}"
    named = {19: "md5", 29: "tcp-ao", 30: "mptcp", 34: "tfo"}
    if kind in named:
        return named[kind], value.hex()
    if kind in (253, 254) and value[:2] == b"\xf9\x89":  # RFC 6994's experiment number of Fast Open (RFC 7413 §4.1.1)
        return "tfo", value[2:].hex()
    return f"unknown-{kind}", value.hex()
