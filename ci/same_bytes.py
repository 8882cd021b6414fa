"""Random loss over a bulk transfer, again and again with one seed: the same bytes of the stream are lost each time.

Each run sends the same stream cut in pieces of its own, without Nagle's algorithm, so that segments begin elsewhere; what is lost
is told by the wire's decisions, each of which names the byte that it is about and how often that has been sent.

usage, from the root of the source tree: python -m ci.same_bytes [MEGABYTES [RUNS]]
"""

import random
import socket
import sys
import threading
import time
from dataclasses import dataclass
from hashlib import blake2b

from netlab.document import Document
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.topology.load import parse_topology

MEGABYTE = 1_000_000
PORT, SEED = 8080, 7
TOPOLOGY = """
name: lossy
nodes: {client: {}, server: {}}
links:
  - endpoints: [client, server]
    impair:
      client->server: [{match: tcp, action: drop, chance: 1%}]
"""
_MEGABYTE_AT_ONCE = random.Random(SEED).randbytes(MEGABYTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """One run. ``first``: the names of bytes that were lost when they were sent first, ``again``: of those that were lost later.
    ``whole``: every byte has arrived in its place. ``lost_by_wire``: frames that it lost though no rule said so."""

    first: frozenset[str]
    again: frozenset[str]
    whole: bool
    lost_by_wire: int
    seconds: float


def transferred(megabytes: int, seed: int = SEED) -> Lost:
    """Send so much from one host to another over a link that loses one in a hundred segments, cut anew."""
    with Lab(parse_topology(Document.parse(TOPOLOGY, "lossy.yaml"))) as lab, Wire.of(lab, seed=seed) as wire:
        with lab["server"].socket() as listening, lab["client"].socket() as sending:
            listening.bind(("0.0.0.0", PORT))
            listening.listen()
            sending.settimeout(60)
            sending.connect((lab["server"].address, PORT))
            receiving, _ = listening.accept()
            began = time.monotonic()
            thread = threading.Thread(target=_send, args=(sending, megabytes))
            thread.start()
            with receiving:
                receiving.settimeout(60)
                whole = _received(receiving) == _sent(megabytes)
            thread.join()
            seconds = time.monotonic() - began
        decisions = wire.drain()
        lost = wire.report().lost
    names = [decision.key for decision in decisions if " data " in decision.key]
    first = frozenset(name for name in names if name.endswith(" 1"))
    return Lost(first=first, again=frozenset(names) - first, whole=whole, lost_by_wire=lost, seconds=seconds)


def _send(made: socket.socket, megabytes: int) -> None:
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(megabytes):
        at = 0
        while at < MEGABYTE:
            size = random.randint(1, 60_000)
            made.sendall(_MEGABYTE_AT_ONCE[at : at + size])
            at += size
    made.shutdown(socket.SHUT_WR)


def _received(made: socket.socket) -> bytes:
    digest = blake2b()
    while data := made.recv(1 << 20):
        digest.update(data)
    return digest.digest()


def _sent(megabytes: int) -> bytes:
    digest = blake2b()
    for _ in range(megabytes):
        digest.update(_MEGABYTE_AT_ONCE)
    return digest.digest()


def main() -> int:
    """Transfer so often, and hold each run against the first."""
    megabytes, runs = (int(word) for word in [*sys.argv[1:], *("100", "10")[len(sys.argv) - 1 :]])
    print(f"{megabytes} MB with 1% loss by seed {SEED}, {runs} times")
    print(f"{'run':>4}{'seconds':>9}{'Mbit/s':>9}{'lost first':>12}{'the same':>10}{'lost again':>12}{'whole':>7}", flush=True)
    reference: Lost | None = None
    failed = False
    for run in range(1, runs + 1):
        found = transferred(megabytes)
        reference = reference or found
        same = found.first == reference.first and bool(found.first)
        failed |= not (same and found.whole and not found.lost_by_wire)
        rate = megabytes * 8 / found.seconds
        said = f"{len(found.first):>12}{'yes' if same else 'NO':>10}{len(found.again):>12}{'yes' if found.whole else 'NO':>7}"
        print(f"{run:>4}{found.seconds:>9.1f}{rate:>9.0f}{said}", flush=True)
        if found.lost_by_wire:
            print(f"     the wire lost {found.lost_by_wire} frames that no rule took")
        for name in sorted(found.first ^ reference.first)[:10]:
            print(f"     lost in one run only: {name}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
