"""A call of a log, about a socket, in the notation: what is called with what, and what it gave.

It refuses to know when the call is made, and by whom.
"""

from collections.abc import Callable
from ipaddress import ip_address

from netlab.importing.strace_sockets import RECEIVES, SENDS, Call, Socket
from netlab.importing.written import payload
from netlab.notation.constants import known
from netlab.observe.strace_parse import fields, number, string, words

Address = Callable[[tuple[str, int], bool], str]
"""An address as a step has it; True where it is the other side's."""

_LEVELS = {"SOL_TCP": "IPPROTO_TCP", "SOL_IP": "IPPROTO_IP", "SOL_IPV6": "IPPROTO_IPV6", "SOL_UDP": "IPPROTO_UDP"}
_LONGEST_POLL = 1000
_ASKED_OF = frozenset({"SO_ERROR", "SO_TYPE"})


def flags(text: str) -> str:
    """Those that the notation knows, or 0."""
    return "|".join(word for word in words(text) if known(word)) or "0"


def written(call: Call, address: Address, *, outs: bool) -> tuple[str, str] | None:
    """The call and its result ("" for success); None for one that is left out. ``outs``: what was received is asserted, too."""
    made, one = call.made, call.socket
    if made.name == "socket" and call.makes is not None:
        kind, protocol = flags(made.arguments[1]), flags(made.arguments[2])
        return f"{call.makes.name} = socket({made.arguments[0]}, {kind}, {protocol})", ""
    if one is None:
        return None
    errno = made.errno
    if made.name in SENDS:
        text = _send(call, one, address)
        return text, errno or str(made.value)
    if made.name in RECEIVES:
        out = payload(call.bytes, call.size)
        told = f" out {out}" if outs and out.startswith('"') and call.size else ""
        return f"recv({one.name}, buf({_room(call)}), {_flags(call)})", errno or f"{made.value}{told}"
    writer = _WRITERS.get(made.name)
    text = writer(call, one, address) if writer is not None else ""
    if not text:
        return None
    if made.name == "poll" or made.name == "ppoll":
        return text, errno or str(call.size)
    if made.name == "getsockopt" and not errno:
        return text, f"0 out {_error(made.arguments[3])}" if made.arguments[2] == "SO_ERROR" else ""
    return text, errno


def _send(call: Call, one: Socket, address: Address) -> str:
    size = call.size
    data = payload(call.bytes, size)
    if call.made.errno:
        text = string(call.made.arguments[1]) if len(call.made.arguments) > 1 else None
        data = payload(text or b"", size)
    if call.address is not None:
        return f"sendto({one.name}, {data}, {_flags(call)}, {address(call.address, True)})"
    return f"send({one.name}, {data}, {_flags(call)})"


def _flags(call: Call) -> str:
    place = {"sendmsg": 2, "recvmsg": 2}.get(call.made.name, 3)
    if call.made.name in ("read", "write", "readv", "writev"):
        return "0"
    return flags(call.made.arguments[place]) if len(call.made.arguments) > place else "0"


def _room(call: Call) -> int:
    asked = number(call.made.arguments[2]) if len(call.made.arguments) > 2 and call.made.name in ("read", "recvfrom") else None
    return asked or max(call.size, 1)


def _error(text: str) -> str:
    return text.strip("[]")


def _bind(call: Call, one: Socket, address: Address) -> str:
    return f"{call.made.name}({one.name}, {address(call.address, call.made.name == 'connect')})" if call.address else ""


def _setsockopt(call: Call, one: Socket, address: Address) -> str:
    level, option, value = call.made.arguments[1:4]
    level, option = _LEVELS.get(level, level), option.removesuffix("_OLD")
    members = fields(value)
    text = ""
    if set(members) == {"l_onoff", "l_linger"}:
        text = f"{{linger:{members['l_onoff']},{members['l_linger']}}}"
    elif (plain := number(value)) is not None:
        text = str(plain)
    return f"setsockopt({one.name}, {level}, {option}, {text})" if text and known(level) and known(option) else ""


def _getsockopt(call: Call, one: Socket, address: Address) -> str:
    level, option = _LEVELS.get(call.made.arguments[1], call.made.arguments[1]), call.made.arguments[2]
    return f"getsockopt({one.name}, {level}, {option})" if option in _ASKED_OF else ""


def _fcntl(call: Call, one: Socket, address: Address) -> str:
    if call.made.arguments[1] != "F_SETFL":
        return ""
    return f"fcntl({one.name}, F_SETFL, {'O_NONBLOCK' if 'O_NONBLOCK' in call.made.arguments[2] else '0'})"


def _poll(call: Call, one: Socket, address: Address) -> str:
    given = number(call.made.arguments[2]) if call.made.name == "poll" else None
    # What was ready at once there may take a moment here; what never was needs no long look.
    timeout = _LONGEST_POLL if call.size else 0 if call.made.value else min(max(given or 0, 0), _LONGEST_POLL)
    return f"poll({one.name}, {flags(call.asked)}, {timeout})"


_WRITERS: dict[str, Callable[[Call, Socket, Address], str]] = {
    "bind": _bind,
    "connect": _bind,
    "listen": lambda call, one, _: f"listen({one.name}, {call.made.arguments[1]})",
    "accept": lambda call, one, _: f"{call.makes.name} = accept({one.name})" if call.makes else f"accept({one.name})",
    "accept4": lambda call, one, _: f"{call.makes.name} = accept({one.name})" if call.makes else f"accept({one.name})",
    "getsockname": lambda call, one, _: f"getsockname({one.name})",
    "getpeername": lambda call, one, _: f"getpeername({one.name})",
    "setsockopt": _setsockopt,
    "getsockopt": _getsockopt,
    "shutdown": lambda call, one, _: f"shutdown({one.name}, {flags(call.made.arguments[1])})",
    "close": lambda call, one, _: f"close({one.name})",
    "fcntl": _fcntl,
    "poll": _poll,
    "ppoll": _poll,
}


def is_unspecified(host: str) -> bool:
    """0.0.0.0 or ::."""
    return ip_address(host).is_unspecified
