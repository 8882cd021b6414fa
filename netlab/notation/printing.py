"""Prints calls, results, values and packet patterns as the notation writes them: parsing what is printed gives the same again."""

from hashlib import sha256
from shlex import quote

from netlab.notation.calls import Bound, Call, CallText, JoinText, Result, RunText
from netlab.notation.packets import PacketPattern
from netlab.notation.parse_packets import FLAGS
from netlab.notation.pattern import pattern
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

_ESCAPED = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r", ord('"'): '\\"', ord("\\"): "\\\\"}


def print_bytes(data: bytes) -> str:
    """A quoted string with C's escapes."""
    return '"' + "".join(_ESCAPED.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in data) + '"'


_WHOLE = 1024
_PLAIN = 26


def print_data(data: bytes) -> str:
    """Received bytes so that equal data prints the same: ``buf(n)`` for the pattern, a digest for what is long, else the string."""
    if len(data) > _PLAIN and data == pattern(len(data)):
        return f"buf({len(data)})"
    if len(data) > _WHOLE:
        return f"{len(data)} bytes, sha256 {sha256(data).hexdigest()}"
    return print_bytes(data)


def print_value(value: Value) -> str:
    """One argument."""
    match value:
        case Number(number):
            return str(number)
        case Constant(names):
            return "|".join(str(name) for name in names)
        case Name(name):
            return name
        case Text(data):
            return print_bytes(data)
        case Buffer(size):
            return f"buf({size})"
        case BadPointer(null, size):
            return ("NULL" if null else "BADPTR") + ("" if size is None else f"[{size}]")
        case Structure(name, members):
            return f"{{{name}:{','.join(str(member) for member in members)}}}"
        case Rights(names):
            return f"rights({', '.join(names)})"
        case Parts(parts):
            return f"iov({', '.join(print_value(part) for part in parts)})"
        case SocketAddress():
            return _address(value) + ("" if value.length is None else f", {value.length}")
        case Call():
            return print_call(value)


def _address(address: SocketAddress) -> str:
    port = f"@{address.port_of}" if address.port_of else str(address.port)
    match address.form:
        case "ip":
            return f"[{address.host}]:{port}" if ":" in address.host else f"{address.host}:{port}"
        case "node":
            return address.host + (f".{address.interface}" if address.interface else "") + f":{port}"
        case "name":
            return f"@{address.host}" + (f":{address.variant}" if address.variant else "")
        case "interface":
            return f"if:{address.interface}"
        case "family":
            return f"family{address.port}" if address.port else "unspec"
        case _:
            if address.variant == "unnamed":
                return "unixfamilyonly"
            bare = address.host.isascii() and address.host.isprintable() and not set(address.host) & set(' ,)"\\')
            return ("unix:" if address.variant == "path" else "abstract:") + (
                address.host if bare else print_bytes(address.host.encode())
            )


def print_call(call: Call) -> str:
    """``a = accept(s)``."""
    arguments = [print_value(value) for value in call.arguments] + [f"{name}={print_value(value)}" for name, value in call.keywords]
    binds = {0: "", 1: "{} = ", 2: "({}, {}) = "}[len(call.binds)].format(*call.binds)
    return f"{binds}{call.name}({', '.join(arguments)})"


def print_result(result: Result) -> str:
    """What stands after ``->``; "" for a call that only must not fail."""
    flags = "|".join(str(flag) for flag in result.flags)
    texts = {
        "success": "",
        "any": "?",
        "errno": result.errno,
        "value": str(result.value),
        "at_least": f">={result.value}",
        "flag": f"&{flags}",
        "no_flag": f"!&{flags}",
        "same": f"={result.name}",
        "signal": f"signal {result.errno}",
    }
    text = texts.get(result.form, result.form)
    return text if result.out is None else f"{text} out {result.out}"


def _bounds(word: str, bounds: tuple[Bound, ...]) -> str:
    return f" {word} " + ", ".join(f"{bound.relation}{_exact(bound)}" for bound in bounds) if bounds else ""


def _exact(bound: Bound) -> str:
    """A Duration's own text keeps six digits; a bound must come back as it was."""
    text = str(bound.limit)
    return text if type(bound.limit).parse(text) == bound.limit else f"{bound.limit.ns}ns"


def print_step(step: CallText | JoinText | RunText) -> str:
    """All that a step says after its host."""
    match step:
        case CallText():
            text, usual = print_call(step.call), Result()
        case JoinText():
            text, usual = f"join {step.job}", Result()
        case RunText():
            text, usual = "run " + " ".join(_shell_word(word) for word in step.argv), Result(form="value", value=0)
    if step.job and not isinstance(step, JoinText):
        text += f" & as {step.job}"
    if step.result != usual:
        text += f" -> {print_result(step.result)}"
    return text + _bounds("took", step.took)


def _shell_word(word: str) -> str:
    # quote() leaves -> and & quoted and took bare; all three would end a program's arguments.
    return "'took'" if word == "took" else quote(word)


def print_packet(packet: PacketPattern) -> str:
    """The pattern in its plainest form; ``packet.text`` is how it was written."""
    if packet.any:
        return "..."
    parts = [f"{packet.source} > {packet.target}"] if packet.source else []
    if packet.protocol and (packet.protocol != "tcp" or packet.flags is None):
        parts.append(packet.protocol)
    if packet.flags is not None:
        parts.append("".join(sorted(packet.flags, key=FLAGS.index)))
    parts += [f"{name} {value}" for name, value in packet.fields]
    if packet.options or packet.options_only:
        options = [f"{name} {value}".strip() for name, value in packet.options] + (["only"] if packet.options_only else [])
        parts.append(f"<{', '.join(options)}>")
    if packet.data is not None:
        parts.append(f"data {print_bytes(packet.data)}")
    text = " ".join(parts) + _bounds("after", packet.after)
    least, most = packet.count
    if (least, most) == (0, 1):
        return text + " ?"
    if (least, most) == (1, 1):
        return text
    return text + (f" {{{least}}}" if least == most else f" {{{least},{'' if most is None else most}}}")
