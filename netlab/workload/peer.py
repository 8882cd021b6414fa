"""A peer without a kernel stack: it answers for its addresses on the link, hears TCP segments, and sends those it is told to.

It obeys no protocol but ARP and neighbour discovery; of TCP it only counts (segments.py). UDP it neither hears nor sends.
"""

import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import Any

from netlab.errors import LabError, StepError
from netlab.lab.lab import Interface, LabNode
from netlab.notation.packets import PacketPattern
from netlab.timeline.headers import Headers, decode
from netlab.timeline.packet_fields import endpoint
from netlab.workload.segments import Connection

_WITHIN = 1.0
_LARGEST_FRAME = 1 << 17
_ARP_REQUEST, _SOLICITATION = 1, 135
_ALL_NODES, _ALL_NODES_HARDWARE = "ff02::1", "33:33:00:00:00:01"


class ScriptedPeer:
    """A node of kind peer, driven by hand. ``start()`` before anybody looks for it, ``send()`` as the scenario says, ``stop()``."""

    def __init__(self, node: LabNode, within: float = _WITHIN, nodes: Mapping[str, LabNode] = MappingProxyType({})) -> None:
        """``within``: how many seconds a ``send`` waits for a connection to come. ``nodes``: whom it may contact, by name."""
        self._node, self._within, self._nodes = node, within, nodes
        self._lock = threading.Lock()
        self._heard = threading.Condition(self._lock)
        self._sockets: dict[int, tuple[Interface, socket.socket]] = {}
        self._connections: dict[tuple[tuple[str, int], tuple[str, int]], Connection] = {}
        self._stop = -1
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None

    def start(self) -> None:
        """Answer and hear from now on."""
        # Loaded now: it takes 0.4 s, which no packet should have to wait for.
        import scapy.layers.inet
        import scapy.layers.inet6
        import scapy.layers.l2  # noqa: F401

        for interface in self._node.interfaces.values():
            made = self._node.space.packet_socket(interface.name, ignore_outgoing=True)
            made.setblocking(False)
            self._sockets[made.fileno()] = (interface, made)
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name=f"netlab peer {self._node.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Be silent from now on."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        os.eventfd_write(self._stop, 1)
        thread.join()
        os.close(self._stop)
        for _, made in self._sockets.values():
            made.close()

    def send(self, packet: PacketPattern) -> None:
        """Send one TCP segment to the host that last contacted this peer (between the ports that the pattern names, if it does).

        ``flags`` are the pattern's; ``seq`` is the peer's next, ``ack`` all that came in order, ``win`` 65535, unless it says
        otherwise in relative numbers. What has arrived before this call is taken into account. A pattern that names both ports and
        a node on the peer's link opens that connection (or pretends to have), where there is none and it answers nothing ("S.");
        else a StepError is raised when no connection comes within a second, or no answer to the peer's SYN, which an ACK waits for.
        """
        deadline = time.monotonic() + self._within
        with self._heard:
            while True:
                if self._failed is not None:
                    raise LabError(f"the peer {self._node.name} stopped: {self._failed!r}") from self._failed
                if self._thread is None:
                    raise LabError(f"the peer {self._node.name} was not started, or is stopped")
                self._hear_all()
                connection = self._chosen(packet) or self._opened(packet)
                unanswered = connection is not None and connection.must_be_answered_before(packet)
                if connection is not None and not unanswered:
                    break
                left = deadline - time.monotonic()
                if left <= 0 and unanswered:
                    raise StepError(
                        f"{self._node.name}: no answer to its SYN has come within {self._within:g} s to send {packet.text!r} on"
                    )
                if left <= 0:
                    raise StepError(
                        f"{self._node.name}: no TCP connection to send {packet.text or 'this packet'!r} on has come within "
                        f"{self._within:g} s; let a host connect to {self._node.address} first (its call started with & as JOB)"
                    )
                self._heard.wait(left)
            frame = connection.craft(packet)
            made = next(made for interface, made in self._sockets.values() if interface.name == connection.interface)
            self._transmit(made, frame)

    def _chosen(self, packet: PacketPattern) -> Connection | None:
        """The latest connection between the ports, and with the node, that the pattern names."""
        local, remote = endpoint(packet.source, {}), endpoint(packet.target, {})
        addresses = {address for address, _ in self._neighbours(remote.name)}
        for connection in reversed(self._connections.values()):
            there, port = connection.remote
            ports = local.port in (None, connection.local[1]) and remote.port in (None, port)
            if ports and (there in addresses or not addresses):
                return connection
        return None

    def _opened(self, packet: PacketPattern) -> Connection | None:
        """A connection of the peer's own between the ports that the pattern names; it is among those known from now on."""
        source, target = endpoint(packet.source, {}), endpoint(packet.target, {})
        if source.port is None or target.port is None or packet.flags == frozenset("S."):
            return None
        for interface in self._node.interfaces.values():
            for own in interface.addresses:
                for address, hardware in self._neighbours(target.name):
                    if ip_address(address) in own.network:
                        local, remote = (str(own.ip), source.port), (address, target.port)
                        opened = Connection.opening(local, remote, interface.name, interface.hardware, hardware)
                        self._connections[(local, remote)] = opened
                        return opened
        return None

    def _neighbours(self, name: str) -> Iterator[tuple[str, str]]:
        """The IP and hardware addresses of a node by its name, or by one of its addresses."""
        for node in self._nodes.values():
            for interface in node.interfaces.values():
                for address in interface.addresses:
                    if name in (node.name, str(address.ip)):
                        yield str(address.ip), interface.hardware

    def _run(self) -> None:
        try:
            with select.epoll() as poll:
                for fd in (*self._sockets, self._stop):
                    poll.register(fd, select.EPOLLIN)
                while all(fd != self._stop for fd, _ in poll.poll()):
                    with self._heard:
                        self._hear_all()
        except BaseException as error:  # noqa: BLE001 - raised by the next send
            with self._heard:
                self._failed = error
                self._heard.notify_all()

    def _hear_all(self) -> None:
        for interface, made in self._sockets.values():
            while True:
                try:
                    frame = made.recv(_LARGEST_FRAME)
                except BlockingIOError:
                    break
                self._hear(interface, made, frame)

    def _hear(self, interface: Interface, made: socket.socket, frame: bytes) -> None:
        headers = decode(frame)
        own = {str(address.ip) for address in interface.addresses}
        if headers.protocol == "arp":
            if headers.type == _ARP_REQUEST and headers.target in own:
                self._transmit(made, _arp_reply(interface.hardware, headers))
        elif headers.protocol == "icmp6" and headers.type == _SOLICITATION and len(headers.payload) >= 20:
            target = str(IPv6Address(headers.payload[4:20]))
            if target in own:
                self._transmit(made, _advertisement(interface.hardware, headers, target))
        elif headers.target in own and headers.protocol == "tcp" and headers.seq is not None and headers.fragment is None:
            self._hear_segment(interface, headers)

    def _hear_segment(self, interface: Interface, headers: Headers) -> None:
        assert headers.sport is not None
        assert headers.dport is not None
        key = ((headers.target, headers.dport), (headers.source, headers.sport))
        connection = self._connections.get(key)
        if connection is None or connection.reopened_by(headers):
            if "R" in headers.flags:
                return
            connection = Connection(headers, interface.name, interface.hardware)
        self._connections.pop(key, None)
        self._connections[key] = connection  # the latest is the last
        connection.hear(headers)
        self._heard.notify_all()

    def _transmit(self, made: socket.socket, frame: bytes) -> None:
        deadline = time.monotonic() + self._within
        while True:
            try:
                made.send(frame)
                return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.ENOBUFS) or time.monotonic() > deadline:
                    raise LabError(f"{self._node.name} could not send a frame of {len(frame)} bytes: {error}") from error
                time.sleep(0.001)  # the other end of a veth is full: no descriptor tells when it no longer is


def _arp_reply(hardware: str, asked: Headers) -> bytes:
    own, other = (bytes.fromhex(address.replace(":", "")) for address in (hardware, asked.source_mac))
    ends = own + IPv4Address(asked.target).packed + other + IPv4Address(asked.source).packed
    return other + own + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 2) + ends


def _advertisement(hardware: str, asked: Headers, target: str) -> bytes:
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
    from scapy.layers.l2 import Ether

    # Who has no address yet asks from ::, and is answered by multicast, unsolicited (RFC 4861 §7.2.4).
    named = asked.source != "::"
    to, to_hardware = (asked.source, asked.source_mac) if named else (_ALL_NODES, _ALL_NODES_HARDWARE)
    frame: Any = Ether(src=hardware, dst=to_hardware) / IPv6(src=target, dst=to, hlim=255)
    frame /= ICMPv6ND_NA(tgt=target, R=0, S=int(named), O=1) / ICMPv6NDOptDstLLAddr(lladdr=hardware)
    return bytes(frame)
