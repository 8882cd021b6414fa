"""TCP's sockets and connections as records: what becomes of one in which state, who listens where, whether it hears.

It knows neither calls nor what is under way.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from netlab.model.sockets.objects import Address, Connection, Flow, Socket
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

_INET, _INET6 = constant("AF_INET"), constant("AF_INET6")
V6ONLY = (constant("IPPROTO_IPV6"), constant("IPV6_V6ONLY"))
DEFER = (constant("IPPROTO_TCP"), constant("TCP_DEFER_ACCEPT"))

WINDOW = 32_000
"""Unread bytes that fit into any socket's buffers when nobody made them smaller: tcp_rmem's and tcp_wmem's defaults in tcp(7)."""

RESET_ERRORS: Mapping[str, str] = {"SYN-SENT": "ECONNREFUSED", "CLOSE-WAIT": "EPIPE"}
"""The error that a reset means in a state; ECONNRESET in all others (tcp_reset() in net/ipv4/tcp_input.c)."""

AFTER_FIN: Mapping[str, str] = {
    "ESTABLISHED": "CLOSE-WAIT", "SYN-RECEIVED": "CLOSE-WAIT", "FIN-WAIT-1": "CLOSING", "FIN-WAIT-2": "TIME-WAIT",
}  # fmt: skip


AFTER_ACK: Mapping[str, str] = {"FIN-WAIT-1": "FIN-WAIT-2", "CLOSING": "TIME-WAIT", "LAST-ACK": "CLOSED"}
"""RFC 9293 3.10.7.4: what a FIN, and what the acknowledgement of ours, makes of a state."""

replace = msgspec.structs.replace


def noted(one: Socket, **notes: Any) -> Socket:
    """The socket with these notes; None takes one away."""
    kept = {name: value for name, value in {**one.note, **notes}.items() if value is not None}
    return replace(one, note=kept)


def tcp(world: World, number: int) -> Socket | None:
    """The TCP socket with this id, if it is there."""
    one = world.objects.get(number)
    return one if isinstance(one, Socket) else None


def with_flow(connection: Connection, side: int, flow: Flow) -> Connection:
    """The connection with what ``side`` sends in another state. A socket that is connected to itself gets what it sends: both flows
    of its connection are one."""
    if alone(connection):
        return replace(connection, flows=(flow, flow))
    flows = (flow, connection.flows[1]) if side == 0 else (connection.flows[0], flow)
    return replace(connection, flows=flows)


def alone(connection: Connection) -> bool:
    """Whether a connection's ends are one socket (RFC 9293 3.5, simultaneous open with oneself)."""
    return connection.ends[0] == connection.ends[1] != 0


def put(world: World, number: int, one: Socket | None) -> None:
    """Set a socket in a world that has just been copied; one that nobody refers to and that is closed goes away."""
    if one is None or (one.note.get("orphan") and one.state == "CLOSED"):
        world.objects.pop(number, None)
    else:
        world.objects[number] = one


def finished(one: Socket, error: str = "") -> Socket:
    """The socket at the end of its connection: closed, shut both ways, its port given back unless bind() named it (tcp_done())."""
    one = replace(one, state="CLOSED", shut_read=True, shut_write=True, error=error or one.error)
    return one if "port" in one.chosen else noted(one, released=True)


def entered(world: World, number: int, one: Socket, state: str) -> None:
    """Set a socket's state in a world that has just been copied. TIME-WAIT outlives the socket: something else holds its port."""
    if state == "TIME-WAIT":
        if one.note.get("orphan"):
            # As if it had been in TIME-WAIT before its program closed it: of the connection nothing more is to come for it.
            connection = world.connections.get(one.connection)
            if connection is not None:
                ends = (
                    connection.ends[0] if connection.ends[0] != number else 0,
                    connection.ends[1] if connection.ends[1] != number else 0,
                )
                world.connections[one.connection] = replace(connection, ends=ends)
            put(world, number, replace(one, state=state, connection=0, error=""))
            return
        world.objects[world.fresh()] = noted(replace(one, state=state, connection=0, error=""), orphan=True)
    put(world, number, finished(one) if state in ("TIME-WAIT", "CLOSED") else replace(one, state=state))


def reset(world: World, number: int) -> None:
    """A reset reaches a socket, in a world that has just been copied (RFC 9293 3.10.7.4, "check the RST bit")."""
    one = tcp(world, number)
    if one is not None and one.state != "CLOSED":
        put(world, number, finished(one, RESET_ERRORS.get(one.state, "ECONNRESET")))


def listeners(world: World, host: str, address: Address) -> tuple[int, ...]:
    """Who gets a connection to an address: the listener that is bound most closely; several where they share it by SO_REUSEPORT.

    compute_score() in net/ipv4/inet_hashtables.c: an exact address before the wildcard, AF_INET before AF_INET6.
    """
    best: list[int] = []
    most = -1
    mapped = address.host.startswith("::ffff:")
    plain = address.host.removeprefix("::ffff:") if mapped else address.host
    version6 = address.family == _INET6 and not mapped
    for number, one in world.objects.items():
        if not isinstance(one, Socket) or one.state != "LISTEN" or one.kind != "tcp" or one.host != host or one.local is None:
            continue
        if not world.same_port(one.local.port, address.port):
            continue
        bound = one.local.host
        if one.family == "inet":
            if version6 or bound not in ("0.0.0.0", plain):
                continue
        elif version6:
            if bound not in ("::", address.host):
                continue
        elif bound not in ("::", "::ffff:0.0.0.0", f"::ffff:{plain}") or one.options.get(V6ONLY):
            continue
        score = 2 * (bound not in ("0.0.0.0", "::", "::ffff:0.0.0.0")) + (one.family == "inet")
        if score > most:
            best, most = [number], score
        elif score == most:
            best.append(number)
    return tuple(best)


def seen_by(one: Socket, address: Address | None) -> Address | None:
    """An address as a socket of this family shows it: v4 ones mapped in AF_INET6, mapped ones plain in AF_INET (RFC 3493 3.7)."""
    if address is None:
        return None
    if one.family == "inet6" and address.family == _INET:
        return Address(_INET6, f"::ffff:{address.host}", address.port)
    if one.family == "inet" and address.family == _INET6:
        return Address(_INET, address.host.removeprefix("::ffff:"), address.port)
    return address


def full(world: World, listener: int) -> bool:
    """Whether a listener's queue takes no more: it holds one more than the backlog (sk_acceptq_is_full() in include/net/sock.h)."""
    one = tcp(world, listener)
    return one is not None and len(one.accepting) > one.backlog


def deaf(one: Socket | None) -> bool:
    """Whether a socket answers data by a reset: it is gone, or has shut both ways (RFC 1122 4.2.2.13; tcp_rcv_state_process())."""
    if one is None or one.state in ("CLOSED", "TIME-WAIT"):
        return True
    return one.state in ("FIN-WAIT-1", "FIN-WAIT-2", "CLOSING", "LAST-ACK") and one.shut_read and not one.note.get("done")


def near(world: World, connection: Connection) -> bool:
    """Whether a connection's ends are on one host whose loopback is prompt."""
    if not world.certain:
        return False
    first, second = tcp(world, connection.ends[0]), tcp(world, connection.ends[1])
    if first is not None and second is not None:
        return first.host == second.host
    one = first or second
    return one is not None and one.remote is not None and bool(world.hosts[one.host].owns(plain_host(one.remote)))


def plain_host(address: Address) -> str:
    """The host of an address, mapped ones as of IPv4."""
    return address.host.removeprefix("::ffff:")
