"""A real capture of curl and nginx breaks no rule; with one packet made wrong, that rule and that packet are named."""

import struct
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from doctored import edited, flags_of, option, options_of, without

from ci.real_captures import captured, lacking
from netlab.model.wire.judge import follow
from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(bool(lacking("http")), reason=f"not installed: {' and '.join(lacking('http'))}"),
]
MIDDLE = 100
Plant = Callable[[list[Packet]], tuple[list[Packet], dict[str, int]]]
"""Makes a capture wrong; gives it with what must be found: the rule, without "wire.", and the packet's place."""


@pytest.fixture(scope="module")
def capture() -> list[Packet]:
    """The client's interface: a SYN, then 300 kB from the server in two answers, timestamps and SACK agreed on."""
    with tempfile.TemporaryDirectory(prefix="netlab-doctored-") as folder:
        timeline = captured("http", Path(folder), there="delay: 1ms", back="delay: 1ms", amount=300_000)
    seen = [one for one in timeline.observations if isinstance(one, Packet) and (one.host, one.interface) == ("client", "eth0")]
    return [one for one in seen if decode(one.data).protocol == "tcp"]


def at(packets: Sequence[Packet], wanted: Callable[[Packet], bool], after: int = 0) -> int:
    return next(index for index, packet in enumerate(packets) if index >= after and wanted(packet))


def syn(packet: Packet) -> bool:
    return flags_of(packet) == {"S"}


def syn_ack(packet: Packet) -> bool:
    return flags_of(packet) == {"S", "."}


def data(packet: Packet) -> bool:
    headers = decode(packet.data)
    return headers.sport == 80 and headers.length > 1000


def answer(packet: Packet) -> bool:
    headers = decode(packet.data)
    return headers.dport == 80 and not headers.length and headers.flags == {"."}


def last(packets: Sequence[Packet]) -> int:
    """The last segment of the client."""
    return max(index for index, packet in enumerate(packets) if decode(packet.data).dport == 80)


def changed(rule: str, which: Callable[[Packet], bool], after: int, change: Callable[[Packet], Packet]) -> Plant:
    """A plant that changes one packet."""

    def plant(packets: list[Packet]) -> tuple[list[Packet], dict[str, int]]:
        index = at(packets, which, after)
        return [*packets[:index], change(packets[index]), *packets[index + 1 :]], {rule: index}

    return plant


def inserted(rule: str, which: Callable[[Packet], bool], after: int, change: Callable[[Packet], Packet]) -> Plant:
    """A plant that puts a changed copy of one packet behind it."""

    def plant(packets: list[Packet]) -> tuple[list[Packet], dict[str, int]]:
        index = at(packets, which, after)
        return [*packets[: index + 1], change(packets[index]), *packets[index + 1 :]], {rule: index + 1}

    return plant


def flipped(packet: Packet) -> Packet:
    """The last byte is another one."""
    payload = decode(packet.data).payload
    return edited(packet, payload=payload[:-1] + bytes([payload[-1] ^ 1]))


def damaged(packet: Packet) -> Packet:
    """The same, and the checksum as it was."""
    return msgspec.structs.replace(packet, data=packet.data[:-1] + bytes([packet.data[-1] ^ 1]))


def with_block(packet: Packet, left: int, right: int) -> Packet:
    """A SACK block besides, its edges counted from the acknowledgement."""
    ack = decode(packet.data).ack or 0
    block = struct.pack("!II", (ack + left) % 2**32, (ack + right) % 2**32)
    return edited(packet, options=options_of(packet) + b"\1\1" + option(5, block))


def sack_forbidden(packets: list[Packet]) -> tuple[list[Packet], dict[str, int]]:
    """The server's SYN-ACK does not permit SACK, nor does the client's SYN; the client sends a block all the same."""
    made = [without(one, 4) if "S" in flags_of(one) else one for one in packets]
    index = at(made, answer, MIDDLE)
    made[index] = with_block(made[index], -1448, 0)
    return made, {"sack-not-permitted": index}


def late_data(packets: list[Packet]) -> tuple[list[Packet], dict[str, int]]:
    """The client sends ten bytes after its FIN."""
    fin = at(packets, lambda one: "F" in flags_of(one) and decode(one.data).dport == 80)
    return [*packets[: fin + 1], edited(packets[fin], seq=1, flags="P.", payload=b"0123456789"), *packets[fin + 1 :]], {
        "data-after-fin": fin + 1
    }


def other_fin(packets: list[Packet]) -> tuple[list[Packet], dict[str, int]]:
    """The client sends its FIN again, with a lower number."""
    fin = at(packets, lambda one: "F" in flags_of(one) and decode(one.data).dport == 80)
    return [*packets[: fin + 1], edited(packets[fin], seq=-5), *packets[fin + 1 :]], {"fin-moved": fin + 1}


def early_data(packets: list[Packet]) -> tuple[list[Packet], dict[str, int]]:
    """The server sends data right after its SYN-ACK."""
    index = at(packets, syn_ack)
    early = edited(packets[index], seq=1, flags="P.", payload=b"HTTP/", window=64, options=b"\1\1" + stamps(packets[index]))
    return [*packets[: index + 1], early, *packets[index + 1 :]], {"data-too-early": index + 1}


def stamps(packet: Packet) -> bytes:
    found = options_of(packet)
    start = found.index(b"\x08\x0a")
    return found[start : start + 10]


def far_reset(packets: list[Packet]) -> tuple[list[Packet], dict[str, int]]:
    """After all, the client sends a reset with a number that nobody reached."""
    index = last(packets)
    return [*packets, edited(packets[index], seq=80_000_000, flags="R")], {"reset-number": len(packets)}


PLANTS: dict[str, Plant] = {
    "a byte turned on its way": changed("checksum", data, MIDDLE, damaged),
    "SYN and RST": changed("flags", syn_ack, 0, lambda one: edited(one, flags="SR.")),
    "no ACK flag": changed("ack-absent", data, MIDDLE, lambda one: edited(one, flags="P")),
    "MSS in a data segment": changed(
        "option-outside-syn", answer, MIDDLE, lambda one: edited(one, options=options_of(one) + option(2, b"\x05\xb4"))
    ),
    "an option of length 1": changed(
        "malformed", answer, MIDDLE, lambda one: edited(one, options=options_of(one) + b"\x05\x01\x01\x01")
    ),
    "a window scale of 15": changed(
        "window-scale-large",
        syn_ack,
        0,
        lambda one: edited(without(one, 3), options=options_of(without(one, 3))[:-4] + b"\1" + option(3, b"\x0f")),
    ),
    "timestamps that stop": changed("timestamps-missing", data, MIDDLE, lambda one: without(one, 8)),
    "a timestamp of a minute ago": changed("timestamp-back", data, MIDDLE, lambda one: edited(one, stamp=-60_000)),
    "an acknowledgement's timestamp of a minute ago": changed(
        "timestamp-back", answer, MIDDLE, lambda one: edited(one, stamp=-60_000)
    ),
    "an acknowledgement far ahead": changed("ack-of-unsent", answer, MIDDLE, lambda one: edited(one, ack=50_000_000)),
    "an acknowledgement a little ahead": changed("ack-of-unsent", answer, MIDDLE, lambda one: edited(one, ack=120_000)),
    "a SACK block far ahead": changed("sack-outside", answer, MIDDLE, lambda one: with_block(one, 50_000_000, 50_001_448)),
    "a SACK block upside down": changed("sack-outside", answer, MIDDLE, lambda one: with_block(one, 0, -1448)),
    "SACK though it was not permitted": sack_forbidden,
    "other bytes sent again": inserted("retransmission-differs", data, MIDDLE, flipped),
    "data beyond the window": inserted("beyond-window", data, MIDDLE, lambda one: edited(one, seq=50_000_000)),
    "data after the FIN": late_data,
    "another FIN": other_fin,
    "SYN in the middle": changed("syn-inside", data, MIDDLE, lambda one: edited(one, flags="S.")),
    "a reset in the middle": inserted("after-reset", answer, MIDDLE, lambda one: edited(one, flags="R.")),
    "a reset with a number of its own": far_reset,
}


def test_the_capture_as_it_is_breaks_no_rule(capture: list[Packet]) -> None:
    (connection,) = follow(capture)
    assert connection.findings == ()
    assert connection.undecided == ()
    assert connection.story[0].endswith("SYN, SYN-ACK, ACK; agreed on timestamps, window scale, SACK")


@pytest.mark.parametrize("what", PLANTS)
def test_a_planted_fault_is_named_with_its_packet(capture: list[Packet], what: str) -> None:
    doctored, expected = PLANTS[what](list(capture))
    (connection,) = follow(doctored)
    found = {one.rule.id.removeprefix("wire."): one.index for one in reversed(connection.findings)}
    assert found == expected, connection


def test_data_before_the_handshake_was_done_is_named_where_an_end_was_watched(capture: list[Packet]) -> None:
    """Elsewhere the capture may have missed an acknowledgement without data, which nothing else shows."""
    doctored, expected = early_data(list(capture))
    (connection,) = follow(doctored, own=("10.0.0.1",), complete=True)
    assert {one.rule.id.removeprefix("wire."): one.index for one in connection.findings} == expected
    (connection,) = follow(doctored)
    assert [left.index for left in connection.undecided] == list(expected.values())
    assert connection.findings == ()


def test_a_gap_in_the_capture_blames_nobody(capture: list[Packet]) -> None:
    for start, end in ((1, 3), (2, 3), (60, 80), (60, 300), (3, len(capture) - 3)):
        (connection,) = follow([*capture[:start], *capture[end:]])
        assert connection.findings == (), (start, end)
