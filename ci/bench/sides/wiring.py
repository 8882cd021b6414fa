"""netlab's wire as a contender: two hosts on one link, which is a plain veth, or goes through the wire in one way or another.

usage: python -m ci.bench.sides.wiring

The programs that send and receive are processes of their own: the wire shares its interpreter with none of them.
"""

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from statistics import median
from typing import Any

from ci.bench.sides.serve import serve
from netlab.document import Document
from netlab.impair.in_kernel import netfilter_of
from netlab.impair.shaping import shape
from netlab.impair.wire import Wire, WireLink
from netlab.lab.lab import Lab
from netlab.timeline.timeline import Node
from netlab.topology.load import parse_topology

PORT = 5001
DELAY_MS = 10
HEADERS, PAYLOAD = 14 + 20 + 8, 64
WITHIN = 20.0
SO_TIMESTAMPNS, SO_RCVBUFFORCE = 35, 33
OFFLOADS = "    offloads: [tx, rx, sg, tso, gso, gro]\n"
# What cuts RSTs short can only be done by looking at each segment; SYNs are looked at while the kernel forwards the rest.
COUNTING = "    impair: {both: [{match: R, action: truncate, length: 40}]}\n"
BESIDE = "    impair: {both: [{match: S, action: truncate, length: 40, nth: 1000}]}\n"
DROPPING = "    impair: {both: [{match: R, action: drop}]}\n"
DELAYING = f"    impair: {{client->server: {{delay: {DELAY_MS}ms}}}}\n"
WAYS: Mapping[str, tuple[str, str]] = {
    "veth": ("", ""),
    "veth-whole": (OFFLOADS, ""),
    "idle": ("", "wire"),
    "counting": (COUNTING, "wire"),
    "whole": (OFFLOADS, "wire"),
    "beside": (BESIDE, "wire beside nft"),
    "dropping": (DROPPING, "nft"),
    "delay": (DELAYING, "wire"),
}
"""Each way: what its link says besides, and what carries it."""

_LINK = "nodes: {client: {}, server: {}}\nlinks:\n  - endpoints: [client, server]\n    subnets: [10.0.0.0/24]\n"

STREAM = """
import socket, sys, time
one, many = socket.socket(fileno=int(sys.argv[1])), bytes(1 << 18)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    one.sendall(many)
one.shutdown(socket.SHUT_WR)
"""
SINK = """
import socket, sys, time
one, room, total = socket.socket(fileno=int(sys.argv[1])), bytearray(1 << 18), 0
began = time.monotonic()
while size := one.recv_into(room):
    total += size
print(total / (time.monotonic() - began))
"""
ECHO = """
import socket, sys
one = socket.socket(fileno=int(sys.argv[1]))
while True:
    data, who = one.recvfrom(2000)
    if not data:
        break
    one.sendto(data, who)
"""
PACER = """
import socket, struct, sys, time
one, rate, count = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
began = time.monotonic_ns()
for number in range(count):
    due = began + number * 10**9 // rate
    while (left := due - time.monotonic_ns()) > 0:
        time.sleep(max(0, left - 60_000) / 1e9)
    one.send(struct.pack("!q", number) + bytes(56))
"""


class Side:
    """A lab for each way, each with its wire."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._labs: dict[str, Lab] = {}

    def lab(self, way: str) -> Lab:
        """The lab of a way, which runs from when it was first asked for."""
        if way not in self._labs:
            more, engine = WAYS[way]
            topology = parse_topology(Document.parse(_LINK + more, f"{way}.yaml"))
            topology = replace(topology, links=(replace(topology.links[0], by_wire=way in ("idle", "whole")),))
            self._labs[way] = self._stack.enter_context(Lab(topology))
            if engine:
                wire = self._stack.enter_context(_wire(self._labs[way], recorded=engine != "nft"))
                if (found := [each.name for each in wire.engines.values()]) != [engine]:
                    raise RuntimeError(f"the link is carried by {found}, and what is measured is {engine}")
            self.rtt(way, 1)  # each end knows the other's hardware address from now on
        return self._labs[way]

    def stream(self, way: str, milliseconds: int) -> dict[str, Any]:
        """One TCP stream for so long: what arrived, in Mbit/s of payload."""
        client, server = self.lab(way)["client"], self.lab(way)["server"]
        with server.socket() as listener, client.socket() as sending:
            listener.bind((server.address, 0))
            listener.listen()
            sending.connect(listener.getsockname())
            receiving, _ = listener.accept()
            with receiving, _started(SINK, receiving) as sink, _started(STREAM, sending, milliseconds / 1e3):
                sending.close()
                return {"mbit": float(sink.communicate()[0]) * 8 / 1e6}

    def rtt(self, way: str, count: int) -> dict[str, Any]:
        """The median time of so many datagrams there and back, in microseconds."""
        client, server = self.lab(way)["client"], self.lab(way)["server"]
        with server.socket(kind=socket.SOCK_DGRAM) as there, client.socket(kind=socket.SOCK_DGRAM) as here:
            there.bind((server.address, PORT))
            here.connect((server.address, PORT))
            taken = []
            with _started(ECHO, there):
                for _ in range(count):
                    began = time.perf_counter()
                    here.send(b"x")
                    here.recv(10)
                    taken.append(time.perf_counter() - began)
                here.send(b"")
            return {"us": median(taken) * 1e6}

    def delay(self, rate: int, count: int) -> dict[str, Any]:
        """By how much the delay of so many packets at a rate differed from what it should be: p50 and p99, in microseconds.

        It is the time between the kernel's stamps of a packet that leaves the client's interface and that reaches the server's.
        """
        client, server = self.lab("delay")["client"], self.lab("delay")["server"]
        with (
            closing(client.space.packet_socket("eth0")) as left,
            closing(server.space.packet_socket("eth0")) as came,
            server.socket(kind=socket.SOCK_DGRAM) as there,
            client.socket(kind=socket.SOCK_DGRAM) as here,
        ):
            there.bind((server.address, PORT))
            here.connect((server.address, PORT))
            for tap in (left, came):
                tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, count * 4096)
                tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            with _started(PACER, here, rate, count) as pacer:
                arrived = _stamps(came, count)
                pacer.wait()
            departed = _stamps(left, count)
        errors = sorted(abs(arrived[number] - departed[number] - DELAY_MS * 1_000_000) / 1e3 for number in arrived)
        return {"p50_us": errors[len(errors) // 2], "p99_us": errors[len(errors) * 99 // 100]}


def _wire(lab: Lab, *, recorded: bool) -> Wire:
    """The wire of a lab's only link."""
    shape(lab)
    (link,), (middle,) = lab.topology.links, lab.middles.values()
    assert middle.sockets is not None
    nodes = {name: Node(kind=node.kind, addresses=node.addresses) for name, node in lab.nodes.items()}
    whole = WireLink(link=link, sockets=middle.sockets, netfilter=netfilter_of(middle))
    return Wire([whole], nodes, recorded=recorded)


def _stamps(tap: socket.socket, count: int) -> dict[int, int]:
    """When each of the numbered datagrams passed an interface, in nanoseconds."""
    found: dict[int, int] = {}
    tap.settimeout(WITHIN)
    while len(found) < count:
        data, ((_, _, stamp),), _, _ = tap.recvmsg(200, 100)
        if len(data) == HEADERS + PAYLOAD:
            seconds, nanoseconds = struct.unpack("=qq", stamp)
            found[int.from_bytes(data[HEADERS : HEADERS + 8], "big")] = seconds * 10**9 + nanoseconds
    return found


def _started(program: str, one: socket.socket, *words: float) -> subprocess.Popen[str]:
    fd = one.fileno()
    argv = [sys.executable, "-I", "-S", "-c", program, str(fd), *map(str, words)]
    return subprocess.Popen(argv, pass_fds=[fd], stdout=subprocess.PIPE, text=True)


def main() -> None:
    with ExitStack() as stack:
        side = Side(stack)
        serve(
            **{f"stream-{way}": lambda ms, way=way: side.stream(way, ms) for way in WAYS},
            **{f"rtt-{way}": lambda count, way=way: side.rtt(way, count) for way in WAYS},
            delay=side.delay,
        )


if __name__ == "__main__":
    main()
