"""Shapes as queueing disciplines: the messages as another decoder reads them, and what this kernel makes of them.

What netem does to packets is tested where there is surely one: tests/uml/test_netem.py.
"""

import json
import shutil
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from networks import HERE, two_hosts

from netlab.errors import HostError
from netlab.impair.qdisc import apply, netem, tbf
from netlab.lab.lab import Lab
from netlab.topology.spec import Shape
from netlab.units import milliseconds

SO_TIMESTAMPNS = 35
has_tc = pytest.mark.skipif(shutil.which("tc") is None, reason="no program tc on the PATH (apt-get install iproute2)")


def shape(*, delay: float = 0, jitter: float = 0, **quantities: Any) -> Shape:
    return Shape(delay=milliseconds(delay), jitter=milliseconds(jitter), place=HERE, **quantities)


def decoded(message: bytes) -> tuple[dict[str, Any], dict[int, bytes]]:
    """A message as pyroute2 reads it: the options' fields, and the options' attributes as they are."""
    from pyroute2.netlink.rtnl.tcmsg import tcmsg

    read = tcmsg(message)
    read.decode()
    options = read.get_attr("TCA_OPTIONS")
    assert (read["header"]["length"], read["header"]["type"], read["header"]["flags"]) == (len(message), 36, 0x501)
    attributes = {name: value for name, value in options["attrs"] if name != "UNKNOWN"} if "attrs" in options else {}
    fields = {name: options[name] for name in options if name != "attrs"}
    found = {"ifindex": read["index"], "parent": read["parent"], "kind": read.get_attr("TCA_KIND"), **fields, **attributes}
    kinds = [value["header"]["type"] for name, value in options.get("attrs", []) if name == "UNKNOWN"]
    return found, {kind: attribute_of(message, kind) for kind in kinds}


def attribute_of(message: bytes, kind: int) -> bytes:
    """An 8-byte or 4-byte attribute that pyroute2 does not know, found by its header."""
    for size in (12, 8):
        at = message.find(struct.pack("=HH", size, kind))
        if at >= 0:
            return message[at + 4 : at + size]
    raise AssertionError(f"no attribute {kind}")


def test_netem_as_another_library_reads_it() -> None:
    asked = shape(delay=50, jitter=5, loss=0.01, duplicate=0.25, corrupt=0.5, reorder=1.0, rate=80_000_000_000, limit=30, seed=9)
    assert decoded(netem(7, asked)) == (
        {
            "ifindex": 7,
            "parent": 0xFFFFFFFF,
            "kind": "netem",
            "delay": 50_000_000 >> 6,
            "limit": 30,
            "loss": 42949673,
            "gap": 1,
            "duplicate": 0x40000000,
            "jitter": 5_000_000 >> 6,
            "TCA_NETEM_REORDER": {"prob_reorder": 0xFFFFFFFF, "corr_reorder": 0},
            "TCA_NETEM_CORRUPT": {"prob_corrupt": 0x80000000, "corr_corrupt": 0},
            "TCA_NETEM_RATE": {"rate": 0xFFFFFFFF, "packet_overhead": 0, "cell_size": 0, "cell_overhead": 0},
        },
        {
            8: struct.pack("=Q", 10_000_000_000),
            10: struct.pack("=q", 50_000_000),
            11: struct.pack("=q", 5_000_000),
            14: struct.pack("=Q", 9),
        },
    )


def test_netem_asks_for_nothing_that_a_shape_leaves_out() -> None:
    found, unknown = decoded(netem(7, shape(loss=1.0)))
    assert (found["loss"], found["limit"], found["delay"], found["gap"], found["duplicate"]) == (0xFFFFFFFF, 1000, 0, 0, 0)
    assert {name: set(fields.values()) for name, fields in found.items() if name.startswith("TCA_")} == {
        "TCA_NETEM_REORDER": {0},
        "TCA_NETEM_CORRUPT": {0},
        "TCA_NETEM_RATE": {0},
    }
    assert unknown == {10: bytes(8), 11: bytes(8)}


def test_a_rate_of_some_bits_is_not_unlimited() -> None:
    found, _ = decoded(netem(7, shape(rate=3)))
    assert found["TCA_NETEM_RATE"]["rate"] == 1


def test_tbf_as_another_library_reads_it() -> None:
    messages = tbf(7, shape(rate=8_000_000, limit=20), mtu=9000)
    (length,) = struct.unpack_from("=I", messages)
    found, unknown = decoded(messages[:length])
    parameters = found["TCA_TBF_PARMS"]
    assert (found["kind"], found["ifindex"], found["parent"], parameters["rate"]) == ("tbf", 7, 0xFFFFFFFF, 1_000_000)
    assert parameters["limit"] == 20 * 9018
    assert unknown == {6: struct.pack("=I", 9018)}
    assert struct.unpack_from("=I", messages, length + 20) == (7,)
    assert messages[-4:] == struct.pack("=I", 20)


@contextmanager
def egress(asked: Shape) -> Iterator[Lab]:
    """Two hosts, the client's interface shaped."""
    with Lab(two_hosts()) as lab:
        client = lab["client"]
        with client.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
            assert apply(route, client.interfaces["eth0"].index, asked) == ()
        yield lab


def qdiscs(lab: Lab) -> list[dict[str, Any]]:
    shown = lab["client"].run(["tc", "-s", "-j", "qdisc", "show", "dev", "eth0"], capture_output=True, check=True)
    found: list[dict[str, Any]] = json.loads(shown.stdout)
    return found


@contextmanager
def skipped_where_lacking() -> Iterator[None]:
    """A kernel without tbf and netem cannot keep a rate; the skip says so."""
    try:
        yield
    except HostError as error:
        pytest.skip(error.lacks)


@pytest.mark.netns
@pytest.mark.parametrize("size", [100, 1400])
def test_a_rate_is_kept(size: int) -> None:
    """Datagrams at 8 Mbit/s, from before the first is sent to the kernel's own stamp at the last one's arrival."""
    count, headers, burst = 100, 42, 1518
    with (
        skipped_where_lacking(),
        egress(shape(rate=8_000_000)) as lab,
        lab["server"].socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        lab["client"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        receiver.settimeout(10)
        receiver.bind(("10.0.0.2", 9))
        began = time.time()
        for _ in range(count):
            sender.sendto(bytes(size), ("10.0.0.2", 9))
        for _ in range(count):
            _, ancillary, _, _ = receiver.recvmsg(2000, 100)
        seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2])
        kept = (count * (size + headers) - burst) / 1_000_000
        assert 0.98 * kept < seconds + nanoseconds / 1e9 - began < 3 * kept + 0.2


@pytest.mark.netns
def test_packets_beyond_the_limit_are_dropped() -> None:
    """At 80 kbit/s a datagram of 958 bytes takes a tenth of a second: of 20 at once, one goes, a few wait, the rest are lost."""
    with (
        skipped_where_lacking(),
        egress(shape(rate=80_000, limit=3)) as lab,
        lab["server"].socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        lab["client"].socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.settimeout(10)
        receiver.bind(("10.0.0.2", 9))
        for number in range(20):
            sender.sendto(bytes([number]) + bytes(957), ("10.0.0.2", 9))
        arrived = [receiver.recv(2000)[0] for _ in range(4)]
        sender.sendto(b"\xff", ("10.0.0.2", 9))
        while (number := receiver.recv(2000)[0]) != 0xFF:
            arrived.append(number)
        assert arrived == list(range(len(arrived)))
        assert len(arrived) <= 7


@pytest.mark.netns
@has_tc
def test_the_kernel_shows_a_rate_as_it_was_asked() -> None:
    with skipped_where_lacking(), egress(shape(rate=10_000_000_000, limit=50)) as lab:
        root, *children = qdiscs(lab)
        rate = root["options"]["rate"]
        assert (rate["rate"] if isinstance(rate, dict) else rate) == 1_250_000_000
        assert root["kind"] == "netem" or [child["options"] for child in children] == [{"limit": 50}]


@pytest.mark.netns
@has_tc
def test_a_delay_is_carried_out_or_refused_and_never_left_out() -> None:
    refused: HostError | None = None
    found: list[dict[str, Any]] = []
    try:
        with egress(shape(delay=20, loss=0.5)) as lab:
            found = qdiscs(lab)
    except HostError as error:
        refused = error
    if refused is None:
        assert [(one["kind"], one["options"]["delay"]["delay"], one["options"]["loss-random"]["loss"]) for one in found] == [
            ("netem", 0.02, 0.5)
        ]
    else:
        assert refused.lacks == f"{HERE}: this kernel has no netem, which delay and loss need"
        assert refused.fix == "sudo modprobe sch_netem, or boot a kernel with CONFIG_NET_SCH_NETEM"


@pytest.mark.netns
def test_a_jitter_that_netem_would_wrap_around_is_refused() -> None:
    told = r"netem varies a delay by less than 2\.147 s, not by 3s"
    with pytest.raises(HostError, match=told), egress(shape(delay=5000, jitter=3000)):
        pass


@pytest.mark.netns
@has_tc
def test_a_shape_replaces_the_one_before_and_nothing_takes_it_away() -> None:
    with skipped_where_lacking(), egress(shape()) as lab:
        client = lab["client"]
        assert [found["kind"] for found in qdiscs(lab)] == ["noqueue"]
        for rate in (8_000_000, 16_000_000):
            with client.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
                apply(route, client.interfaces["eth0"].index, shape(rate=rate))
            (root,) = [found for found in qdiscs(lab) if found.get("root")]
            shown = root["options"]["rate"]
            assert (shown["rate"] if isinstance(shown, dict) else shown) == rate / 8
        with client.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
            apply(route, client.interfaces["eth0"].index, shape())
        assert [found["kind"] for found in qdiscs(lab)] == ["noqueue"]
