"""Follows a running capture: hands its packets on as they come, to a file, to the terminal, until it is told to stop.

It chooses and counts packets and reads none of their headers; who captures, and when to stop, is told to it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, Protocol, TextIO

from netlab.observe.packets import Capture
from netlab.report.packet_line import LiveLines
from netlab.timeline.observations import Packet
from netlab.timeline.pcapng import Writer

_PAUSE = 0.05  # seconds until a stop is noticed


class Taker(Protocol):
    """What packets are handed to."""

    def take(self, packets: Sequence[Packet]) -> None:
        """The next packets, to be had at once by whoever reads the result."""

    def end(self, lost: int) -> None:
        """There are no more; so many were lost."""


class Shown:
    """A line a packet: time of day, interface, direction, what its headers say."""

    def __init__(self, stream: TextIO, owners: Mapping[str, str]) -> None:
        self._stream, self._lines = stream, LiveLines(owners)

    def take(self, packets: Sequence[Packet]) -> None:
        """Write their lines."""
        self._stream.writelines(f"{_time(packet.time)} {self._lines.text(packet)}\n" for packet in packets)
        self._stream.flush()

    def end(self, lost: int) -> None:
        """Nothing: losses are told elsewhere."""


class Written:
    """A pcapng file, complete up to the last packet taken whenever it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._writer = stream, Writer(stream)
        self._writer.flush()  # a reader at the end of a pipe waits for the header before it shows anything

    def take(self, packets: Sequence[Packet]) -> None:
        """Write them."""
        for packet in packets:
            self._writer.add(packet)
        self._writer.flush()

    def end(self, lost: int) -> None:
        """Write the statistics."""
        self._writer.finish(lost)
        self._writer.flush()


def follow(
    capture: Capture,
    takers: Sequence[Taker],
    wanted: Callable[[Packet], bool],
    ended: Callable[[], bool],
    most: int | None = None,
) -> int:
    """Hand on the wanted packets of a started capture until ``ended``, or until there were ``most``. Gives their number.

    The capture is stopped, and what it had until then is handed on.
    """
    count, over = 0, False
    try:
        while not over:
            capture.wait(_PAUSE)
            over = ended()
            packets = [packet for packet in (capture.stop() if over else capture.drain()) if wanted(packet)]
            if most is not None:
                packets = packets[: most - count]
            count += len(packets)
            if packets:
                for taker in takers:
                    taker.take(packets)
            if count == most and not over:
                over = True
                capture.stop()
    except BaseException:
        if not over:
            capture.stop()
        raise
    for taker in takers:
        taker.end(capture.report().lost)
    return count


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%H:%M:%S", time.localtime(seconds)) + f".{rest // 1000:06d}"
