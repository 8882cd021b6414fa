"""A captured segment in the notation: as a peer is to send it, and as it is expected of a stack.

It refuses to know when either is due.
"""

from netlab.importing.segments import Segment
from netlab.importing.written import payload
from netlab.notation.parse_packets import FLAGS

_KEPT = frozenset({"mss", "sackOK", "wscale", "nop", "eol"})
_EXPECTED = ("mss", "sackOK")


def flags(segment: Segment) -> str:
    """tcpdump's letters, in its order."""
    return "".join(sorted(segment.flags & set(FLAGS), key=FLAGS.index)) or "."


def sent(segment: Segment, source: str, target: str) -> str:
    """What a peer sends: the captured numbers, window, options and payload. Its timestamps echo what the lab's stack sent last."""
    headers = segment.headers
    parts = [f"{source} > {target}", flags(segment), f"seq {segment.seq}"]
    if segment.ack is not None:
        parts.append(f"ack {segment.ack}")
    parts.append(f"win {headers.window}")
    if headers.urgent and "U" in segment.flags:
        parts.append(f"urg {headers.urgent}")
    options = [_option(segment, name, value) for name, value in headers.options]
    if any(options):
        parts.append(f"<{', '.join(filter(None, options))}>")
    if segment.length:
        parts.append(f"data {payload(headers.payload, segment.length)}")
    return " ".join(parts)


def seen(segment: Segment, source: str, target: str) -> str:
    """The same as it is expected to be seen."""
    length = f" len {segment.length}" if segment.length else ""
    return f"{source} > {target} {flags(segment)} seq {segment.seq}{length}"


def opening(segment: Segment, source: str, target: str, mtu: int) -> str:
    """A stack's own SYN, or answer to one: what it offers is asserted as far as it hangs on the link's ``mtu`` alone."""
    header = 60 if ":" in segment.connection.client[0] else 40
    offered = [(name, value) for name, value in segment.headers.options if name in _EXPECTED]
    options = [f"{name} {value}".strip() for name, value in offered if name != "mss" or int(value) == mtu - header]
    acknowledged = f" ack {segment.ack}" if segment.ack is not None else ""
    return f"{source} > {target} {flags(segment)} seq {segment.seq}{acknowledged}" + (f" <{', '.join(options)}>" if options else "")


def _option(segment: Segment, name: str, value: str) -> str:
    if name in _KEPT or name.startswith("unknown-") or name in ("tfo", "md5", "mptcp"):
        return f"{name} {value}".strip()
    if name == "TS":
        return f"TS {value.partition('/')[0]}"
    if name == "sack":
        base = segment.connection.initial.get(not segment.from_client, 0)
        edges = [(int(edge) - base) % (1 << 32) for block in value.split(",") for edge in block.split(":")]
        # Commas divide options: blocks are divided by blanks.
        return "sack " + " ".join(f"{left}:{right}" for left, right in zip(edges[::2], edges[1::2], strict=True))
    return ""
