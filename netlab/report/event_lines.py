"""One line of text for what the kernel and processes did: resets, drops, errors, system calls, forks. lines.py has the rest."""

from collections.abc import Callable

from netlab.timeline.headers import decode
from netlab.timeline.kernel_events import (
    PacketDropped,
    Reset,
    Retransmission,
    SocketDestroyed,
    SocketError,
    SocketMemory,
    SocketTimer,
    TcpInfo,
)
from netlab.timeline.observation import Address
from netlab.timeline.process_events import (
    DescriptorSeen,
    ProcessExecuted,
    ProcessExited,
    ProcessForked,
    SignalDelivered,
    SystemCall,
)

KernelEvent = Reset | Retransmission | PacketDropped | SocketError | SocketDestroyed | SocketMemory | SocketTimer | TcpInfo
ProcessEvent = SystemCall | ProcessForked | ProcessExecuted | ProcessExited | SignalDelivered | DescriptorSeen


def kernel_line(seen: KernelEvent, named: Callable[[str, int], str]) -> str:
    """An event of the kernel's; ``named`` writes an address and a port as people call them."""
    match seen:
        case PacketDropped():
            packet = _packet(seen.data, named)
            where = f" at {seen.place}" if seen.place else ""
            return f"{seen.interface or 'kernel'} dropped {packet}: {seen.reason}{where}"
        case Reset():
            why = f": {seen.reason}" if seen.reason else ""
            return f"reset {seen.direction} {_in(seen.state)} {_ends(seen, named)}{why}"
        case Retransmission():
            return f"retransmitted {seen.what} {_in(seen.state)} {_ends(seen, named)}"
        case SocketError():
            return f"error {seen.errno} {_in(seen.state)} {_ends(seen, named)}"
        case SocketDestroyed():
            return f"{seen.protocol} socket destroyed {_in(seen.state)} {_ends(seen, named)}"
        case SocketMemory():
            return f"socket memory {_ends(seen, named)}: {_pairs(seen.memory)}"
        case SocketTimer():
            times = f", gone off {seen.repeats} times" if seen.repeats else ""
            return f"timer {seen.timer} {_ends(seen, named)}: {seen.left} ms left{times}"
        case TcpInfo():
            return f"tcp_info {_ends(seen, named)}: {_pairs(seen.info)}"


def process_line(seen: ProcessEvent, socket: str = "") -> str:
    """What a process did; ``socket`` is what a system call's descriptor stands for, where that is known."""
    who = f"{seen.program}[{seen.pid}]"
    match seen:
        case SystemCall():
            return f"{who} {seen.call}({_arguments(seen, socket)}) {_result(seen)}"
        case ProcessForked():
            return f"{seen.program}[{seen.parent}] made {f'thread {seen.tid}' if seen.thread else f'process {seen.pid}'}"
        case ProcessExecuted():
            return f"{who} executes {seen.path}"
        case ProcessExited():
            return f"{who} {f'exit status {seen.status}' if seen.status >= 0 else f'ended by signal {-seen.status}'}"
        case SignalDelivered():
            return f"{who} gets {seen.signal}{'' if seen.handled else ', and has no handler for it'}"
        case DescriptorSeen():
            return f"{who} has descriptor {seen.fd} open: {seen.target}{', close-on-exec' if seen.close_on_exec else ''}"


def _arguments(seen: SystemCall, socket: str) -> str:
    first = [f"{seen.fd}<{socket}>" if socket else str(seen.fd)] if seen.fd >= 0 else []
    return ", ".join([*first, *(f"{name} {_value(value)}" for name, value in seen.arguments.items())])


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        if len(value) == 2 and isinstance(value[1], int):
            return f"{value[0]}:{value[1]}"
        return "|".join(map(str, value)) or "0"
    return str(value)


def _result(seen: SystemCall) -> str:
    if not seen.returned:
        return "did not return"
    took = f", {(seen.time - seen.began) / 1e6:.3f} ms"
    return f"= {seen.result}{f' {seen.errno}' if seen.errno else ''}{took}"


def _packet(data: bytes, named: Callable[[str, int], str]) -> str:
    if not data:
        return "a packet"
    headers = decode(bytes(12) + (b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00") + data)
    if headers.sport is None or headers.dport is None:
        return f"{headers.source} > {headers.target} {headers.protocol}".strip()
    flags = f" {''.join(sorted(headers.flags))}" if headers.flags else ""
    return f"{named(headers.source, headers.sport)} > {named(headers.target, headers.dport)} {headers.protocol}{flags}"


def _in(state: str) -> str:
    return f"in {state}" if state else "on"


def _ends(
    seen: Reset | Retransmission | SocketError | SocketDestroyed | SocketMemory | SocketTimer | TcpInfo,
    named: Callable[[str, int], str],
) -> str:
    local: Address = seen.local
    return f"{named(*local)} to {named(*seen.remote)}"


def _pairs(values: dict[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
