"""netlab and tcpdump as contenders: each captures the same flood of datagrams between two hosts of a lab, at its receiver.

usage: python -m ci.bench.sides.capturing DATAGRAMS
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ci.bench.sides.serve import serve
from netlab import Lab
from netlab.observe.packets import Capture
from netlab.observe.sockdiag import NETLINK_SOCK_DIAG, SocketDiagnosis
from netlab.timeline.observations import Packet
from netlab.timeline.pcapng_read import read

PORT, HEAD = 9, 14 + 20 + 8
FRAME = HEAD + 64
RING_TIME_OUT = 1.2
"""Seconds until tcpdump has surely had the last block of its ring: what comes shortly before its end is lost else."""
CONNECTIONS = 1000


class Side:
    """A lab of two hosts, and a sender in one of them."""

    def __init__(self, lab: Lab, program: str) -> None:
        self.lab, self.program = lab, program
        server = lab["server"]
        self.address = (server.address, PORT)
        self.receiver = server.socket(kind=socket.SOCK_DGRAM)
        self.receiver.bind(self.address)
        self.sender = lab["client"].socket(kind=socket.SOCK_DGRAM)
        self.sender.connect(self.address)

    def flood(self, rate: int, count: int) -> float:
        """Send so many, and give how long that took, in ms."""
        fd = self.sender.fileno()
        done = subprocess.run(
            [self.program, str(fd), str(rate), str(count)], pass_fds=[fd], check=True, stdout=subprocess.PIPE, text=True
        )
        return float(done.stdout)

    def ring(self, rate: int, count: int) -> dict[str, Any]:
        """netlab's capture with a ring, as `netlab-ns capture` has it."""
        return self.captured(Capture({"server": self.lab["server"].space.packet_socket()}, ring=True), rate, count)

    def observed(self, rate: int, count: int) -> dict[str, Any]:
        """netlab's capture as a lab is observed: a queue until more comes than it can follow."""
        nodes = self.lab.nodes
        taps = {"server": nodes["server"].space.packet_socket()}
        return self.captured(Capture(taps, again=lambda name: nodes[name].space.packet_socket()), rate, count)

    def captured(self, capture: Capture, rate: int, count: int) -> dict[str, Any]:
        capture.start()
        processor = time.process_time()
        send_ms = self.flood(rate, count)
        processor = time.process_time() - processor
        began = time.process_time()
        packets = capture.stop()
        converted = time.process_time() - began
        return {
            "lost": count - len(numbers(packets)),
            "told": capture.report().lost,
            "processor_us": processor / count * 1e6,
            "convert_us": converted / count * 1e6,
            "send_ms": send_ms,
        }

    def tcpdump(self, rate: int, count: int) -> dict[str, Any]:
        """`tcpdump -w`, with its own defaults."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "captured.pcap")
            words = ["tcpdump", "-i", "eth0", "-Z", "root", "-w", str(file)]
            with self.lab["server"].popen(words, stderr=subprocess.PIPE, text=True) as program:
                assert program.stderr is not None
                said = program.stderr.readline()
                if "listening" not in said:
                    raise RuntimeError(f"tcpdump: {said}")
                send_ms = self.flood(rate, count)
                time.sleep(RING_TIME_OUT)
                processor = float(Path(f"/proc/{program.pid}/schedstat").read_text().split()[0])
                program.send_signal(signal.SIGINT)
                program.wait()
            return {
                "lost": count - len(numbers(read(file).packets)),
                "processor_us": processor / count / 1e3,
                "send_ms": send_ms,
            }

    def lookups(self, times: int) -> dict[str, Any]:
        """One of many connections found by its addresses, so many times."""
        server, client = self.lab["server"], self.lab["client"]
        diagnosis = SocketDiagnosis("client", client.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG))
        with server.socket() as listener:
            listener.bind((server.address, 0))
            listener.listen(CONNECTIONS)
            there = listener.getsockname()
            made = [client.socket() for _ in range(CONNECTIONS)]
            try:
                for each in made:
                    each.connect(there)
                names = [each.getsockname() for each in made]
                began = time.perf_counter()
                for number in range(times):
                    if diagnosis.find("tcp", names[number % CONNECTIONS], there) is None:
                        raise RuntimeError("a connection was not found")
                taken = time.perf_counter() - began
                began = time.perf_counter()
                listed = len(diagnosis.table().entries)
                table = time.perf_counter() - began
            finally:
                for each in made:
                    each.close()
                diagnosis.close()
        return {"us": taken / times * 1e6, "table_us": table * 1e6, "listed": listed}


def numbers(packets: Iterable[Packet]) -> set[int]:
    """The numbers of the datagrams among them, each counted once."""
    return {int.from_bytes(packet.data[HEAD : HEAD + 8], sys.byteorder) for packet in packets if len(packet.data) == FRAME}


def main() -> None:
    with Lab.load("two-hosts") as lab:
        side = Side(lab, os.path.abspath(sys.argv[1]))
        serve(ring=side.ring, observed=side.observed, tcpdump=side.tcpdump, lookups=side.lookups)


if __name__ == "__main__":
    main()
