"""What becomes of a packet that a rule acts on: every action's frames, held against scapy's own reading and making of them."""

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import HERE
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether

from netlab.impair.actions import ACTIONS, Deed, deed
from netlab.impair.packet_parts import bits_of, mended, parts, place_of, with_bits
from netlab.impair.ruling import Ruling
from netlab.notation.header_fields import FIELDS
from netlab.notation.icmp import ERRORS
from netlab.notation.parse import parse_packet
from netlab.timeline.headers import decode
from netlab.topology.spec import Rule
from netlab.units import milliseconds

CLIENT, SERVER = "02:00:00:00:00:01", "02:00:00:00:00:02"
ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("fd00::1", "fd00::2")}


def network(version: int, **fields: Any) -> Any:
    source, target = ENDS[version]
    return IP(src=source, dst=target, **fields) if version == 4 else IPv6(src=source, dst=target, **fields)


def frame(packet: Any, **fields: Any) -> bytes:
    return bytes(Ether(src=CLIENT, dst=SERVER, **fields) / packet)


def segment(version: int = 4, flags: str = "PA", data: bytes = b"hello") -> bytes:
    options = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]
    return frame(network(version) / TCP(sport=5000, dport=80, seq=1000, ack=77, flags=flags, options=options) / data)


def datagram(version: int = 4, data: bytes = b"hello") -> bytes:
    return frame(network(version) / UDP(sport=5000, dport=53) / data)


def ruled(action: str, *, key: str = "client>server:80 #1 data 0 1", seed: int = 0, **fields: Any) -> Ruling:
    rule = Rule(match=parse_packet("."), action=action, place=HERE, **fields)
    return Ruling(rule=rule, occurrence=1, packet="", key=key, direction="client->server", link="l", seed=seed)


def only(done: Deed) -> bytes:
    ((data, delay),) = done.onward
    assert (delay, done.hold, done.overtaken, done.note, done.back) == (0, "", 0, "", ())
    return data


def right(data: bytes) -> bool:
    """Whether every checksum in a frame is what scapy would have put there."""
    made = Ether(data)
    for layer, field in ((IP, "chksum"), (TCP, "chksum"), (UDP, "chksum"), (ICMP, "chksum")):
        if made.haslayer(layer):
            made[layer].delfieldval(field)
    return bytes(Ether(bytes(made))) == data


def test_every_action_of_a_rule_has_its_deed() -> None:
    said = Rule.__doc__ or ""
    assert all(f'"{action}"' in said or f'"{action}' in said for action in ACTIONS)
    assert len(ACTIONS) == 10


def test_what_needs_no_change_to_the_packet() -> None:
    data = segment()
    assert deed(ruled("drop"), data) == Deed()
    assert deed(ruled("hold", barrier="b"), data) == Deed(onward=((data, 0),), hold="b")
    assert deed(ruled("duplicate", copies=2), data) == Deed(onward=((data, 0),) * 3)
    assert deed(ruled("reorder", by=4), data) == Deed(onward=((data, 0),), overtaken=4)
    assert deed(ruled("delay", delay=milliseconds(30)), data) == Deed(onward=((data, 30_000_000),))


def test_a_delay_varies_by_the_packet_and_is_recorded_and_a_replay_prescribes_it() -> None:
    fields: dict[str, Any] = {"delay": milliseconds(30), "jitter": milliseconds(5)}
    varied = [ruled("delay", key=f"k{number}", **fields) for number in range(200)]
    delays = [deed(one, b"").onward[0][1] for one in varied]
    assert all(25_000_000 <= delay <= 35_000_000 for delay in delays)
    assert len(set(delays)) > 190
    assert [one.values for one in varied] == [{"delay": delay} for delay in delays]
    assert delays == [deed(ruled("delay", key=f"k{number}", **fields), b"").onward[0][1] for number in range(200)]
    prescribed = ruled("delay", **fields)
    prescribed.values["delay"] = 7
    assert deed(prescribed, b"").onward == ((b"", 7),)


def test_a_delay_is_never_negative() -> None:
    fields: dict[str, Any] = {"delay": milliseconds(1), "jitter": milliseconds(5), "distribution": "normal"}
    delays = [deed(ruled("delay", key=f"k{number}", **fields), b"").onward[0][1] for number in range(100)]
    assert min(delays) == 0
    assert max(delays) > 0


@pytest.mark.parametrize("data", [segment(4), segment(6), frame(ARP(pdst="10.0.0.2"))], ids=["tcp4", "tcp6", "arp"])
def test_a_random_bit_of_the_packet_is_flipped_and_no_checksum_mended(data: bytes) -> None:
    flipped = set()
    for number in range(300):
        one = ruled("corrupt", key=f"k{number}", seed=3)
        changed = only(deed(one, data))
        again = only(deed(ruled("corrupt", key=f"k{number}", seed=3), data))
        assert changed == again
        difference = int.from_bytes(data, "big") ^ int.from_bytes(changed, "big")
        assert difference.bit_count() == 1
        bit = len(data) * 8 - difference.bit_length() - 14 * 8
        assert one.values == {"bit": bit}
        flipped.add(bit)
    assert min(flipped) >= 0
    assert len(flipped) > 100


def test_a_bit_is_counted_from_the_start_of_the_ip_header_after_any_tags() -> None:
    packet = network(4) / UDP(sport=1, dport=2) / b"data"
    tagged = frame(Dot1Q(vlan=5) / packet)
    assert only(deed(ruled("corrupt", field="bit 160"), tagged)) == tagged[:38] + bytes([tagged[38] ^ 0x80]) + tagged[39:]
    assert only(deed(ruled("corrupt", field="bit 1", value=1), tagged)) == tagged  # 0x45: that bit is set already


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("field", sorted(FIELDS))
def test_a_field_by_name_is_inverted_or_set_where_scapy_has_it_and_checksums_are_mended(field: str, version: int) -> None:
    header, name = field.split(".")
    names = {
        "tos": "tos" if version == 4 else "tc", "length": "plen" if (header, version) == ("ip", 6) else "len", "id": "id",
        "ttl": "ttl" if version == 4 else "hlim", "protocol": "proto" if version == 4 else "nh", "checksum": "chksum",
        "flowlabel": "fl", "sport": "sport", "dport": "dport", "seq": "seq", "ack": "ack", "offset": "dataofs", "window": "window",
        "urgent": "urgptr", "type": "type", "code": "code", "version": "version",
    }  # fmt: skip
    icmp = ICMP(type=8) if version == 4 else ICMPv6EchoRequest()
    carried = {"tcp": TCP(sport=5000, dport=80, seq=1000), "udp": UDP(sport=5000, dport=53), "icmp": icmp, "ip": UDP(dport=9)}
    data = frame(network(version) / carried[header] / b"hello")
    wanted = 3 if FIELDS[field] < 8 else 200
    for value in (None, wanted):
        done = deed(ruled("corrupt", field=field, value=value), data)
        if field in (("ip.flowlabel",) if version == 4 else ("ip.id", "ip.checksum")):
            assert done == Deed(onward=((data, 0),), note=f"it went on as it came: it has no {field}")
            continue
        changed = only(done)
        found = parts(data)
        place = place_of(field, found)
        assert place is not None
        before, after = (bits_of(one, found, *place) for one in (data, changed))
        assert after == (wanted if value is not None else before ^ (1 << FIELDS[field]) - 1)
        assert len(changed) == len(data)
        if name in names and field not in (
            "ip.version",
            "ip.protocol",
            "tcp.offset",
            "icmp.type",
        ):
            layer = {"ip": IP if version == 4 else IPv6, "tcp": TCP, "udp": UDP, "icmp": ICMP}[header]
            read = Ether(changed)[layer] if header != "icmp" or version == 4 else Ether(changed)[IPv6].payload
            assert getattr(read, "cksum" if field == "icmp.checksum" and version == 6 else names[name]) == after
        if field not in ("ip.version", "ip.protocol", "ip.length", "tcp.offset", "udp.length", "icmp.type"):
            # the checksum of a whole packet is right again, or, where it was itself corrupted, wrong
            assert (decode(changed).checksum is not False) == (name != "checksum" or header == "ip")
            assert (decode(changed).ip_checksum is not False) == (field != "ip.checksum")


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1), st.sampled_from(["udp.sport", "udp.dport"]), st.binary(max_size=5))
def test_a_mended_checksum_is_the_one_that_would_be_computed_anew(before: int, after: int, field: str, data: bytes) -> None:
    ports = {"sport": before, "dport": before}
    old = frame(network(4) / UDP(**ports) / data)
    found = parts(old)
    place = place_of(field, found)
    assert place is not None
    new = mended(old, with_bits(old, found, *place, after), found, field)
    anew = frame(network(4) / UDP(**(ports | {field.split(".")[1]: after})) / data)
    assert new == anew or {new[40:42], anew[40:42]} == {b"\0\0", b"\xff\xff"}
    assert new[40:42] != b"\0\0"


def test_a_datagram_without_a_checksum_gets_none() -> None:
    data = frame(network(4) / UDP(sport=1, dport=2, chksum=0) / b"x")
    assert only(deed(ruled("corrupt", field="udp.dport", value=3), data)) == data[:36] + b"\0\3" + data[38:]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("mark", "bits"), [("not-ect", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)])
def test_the_ecn_field_is_marked_and_its_neighbours_stay(version: int, mark: str, bits: int) -> None:
    fields = {"tos": 0xB9} if version == 4 else {"tc": 0xB9}
    data = frame(network(version, **fields) / UDP(sport=1, dport=2) / b"data")
    marked = only(deed(ruled("mark", mark=mark), data))
    assert decode(marked).tos == 0xB8 | bits
    assert marked == frame(network(version, **dict.fromkeys(fields, 184 | bits)) / UDP(sport=1, dport=2) / b"data")
    arp = frame(ARP(pdst="10.0.0.2"))
    assert deed(ruled("mark"), arp) == Deed(onward=((arp, 0),), note="it went on as it came: it is no IP packet")


def test_a_truncated_packet_keeps_the_length_in_its_header() -> None:
    data = datagram(data=bytes(100))
    cut = only(deed(ruled("truncate", length=30), data))
    assert cut == data[:44]
    assert decode(cut).malformed
    assert deed(ruled("truncate", length=128), data).note == "it went on as it came: it is no longer than 128 bytes"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("flags", "onward", "back"),
    [
        ("S", ("R", 1000, 0), ("RA", 0, 1006)),
        ("SA", ("RA", 1000, 77), ("RA", 77, 1006)),
        ("PA", ("RA", 1000, 77), ("RA", 77, 1005)),
        ("FA", ("RA", 1000, 77), ("RA", 77, 1006)),
    ],
)
def test_resets_have_the_numbers_that_each_side_waits_for(
    version: int, flags: str, onward: tuple[str, int, int], back: tuple[str, int, int]
) -> None:
    done = deed(ruled("reset"), segment(version, flags))
    ((toward_receiver, delay),), (toward_sender,) = done.onward, done.back
    assert delay == 0
    for made, (flag, seq, ack), ends, ports in (
        (toward_receiver, onward, (CLIENT, SERVER, *ENDS[version]), (5000, 80)),
        (toward_sender, back, (SERVER, CLIENT, *reversed(ENDS[version])), (80, 5000)),
    ):
        read = Ether(made)
        head, tcp = read[IP if version == 4 else IPv6], read[TCP]
        assert (str(tcp.flags), tcp.seq, tcp.ack, tcp.window, bytes(tcp.payload)) == (flag, seq, ack, 0, b"")
        assert (read.src, read.dst, head.src, head.dst) == ends
        assert (tcp.sport, tcp.dport) == ports
        assert right(made)
    assert deed(ruled("reset", toward="receiver"), segment(version, flags)) == Deed(onward=done.onward)
    assert deed(ruled("reset", toward="sender"), segment(version, flags)) == Deed(back=done.back)


def test_only_a_tcp_segment_can_be_reset() -> None:
    fragment = frame(IP(src="10.0.0.1", dst="10.0.0.2", frag=4, proto=6) / bytes(40))
    for data in (datagram(), fragment, segment()[:50]):
        assert deed(ruled("reset"), data) == Deed(onward=((data, 0),), note="it went on as it came: it is no TCP segment")


KINDS6 = {1: ICMPv6DestUnreach, 2: ICMPv6PacketTooBig, 3: ICMPv6TimeExceeded, 4: ICMPv6ParamProblem}


@pytest.mark.parametrize("name", sorted(ERRORS))
@pytest.mark.parametrize("version", [4, 6])
def test_an_icmp_error_quotes_the_packet_to_its_sender(name: str, version: int) -> None:
    for data in (datagram(version), datagram(version, bytes(1301))):
        (answer,) = deed(ruled("icmp", icmp=name, mtu=1400), data).back
        read = Ether(answer)
        head = read[IP if version == 4 else IPv6]
        source, target = ENDS[version]
        assert (read.src, read.dst, head.src, head.dst) == (SERVER, CLIENT, target, source)
        kind, code = ERRORS[name][0 if version == 4 else 1] or (0, 0)
        error = read[ICMP] if version == 4 else read[KINDS6[kind]]
        assert (error.type, error.code) == (kind, code)
        if name == "fragmentation-needed":
            assert (error.nexthopmtu if version == 4 else error.mtu) == 1400
        if (version, name) == (6, "protocol-unreachable"):
            assert error.ptr == 6
        most = 548 if version == 4 else 1232
        assert answer.endswith(data[14:][:most])
        assert len(answer) - 14 == (28 if version == 4 else 48) + min(most, len(data) - 14)
        assert decode(answer).checksum is True
        assert decode(answer).ip_checksum is not False


@pytest.mark.parametrize("version", [4, 6])
def test_an_icmp_error_comes_from_the_next_hop_where_that_has_an_address_of_the_family(version: int) -> None:
    hop = [ip_address("192.0.2.9"), ip_address("fd00::9")]
    (answer,) = deed(ruled("icmp", icmp="host-unreachable"), datagram(version), hop=hop).back
    assert decode(answer).source == ("192.0.2.9" if version == 4 else "fd00::9")
    other = hop[:1] if version == 6 else hop[1:]
    (answer,) = deed(ruled("icmp", icmp="host-unreachable"), datagram(version), hop=other).back
    assert decode(answer).source == ENDS[version][1]
    assert decode(answer).checksum is True


def test_what_may_not_be_answered_is_dropped_in_silence() -> None:
    error4 = frame(network(4) / ICMP(type=3, code=1) / bytes(28))
    error6 = frame(network(6) / ICMPv6DestUnreach() / bytes(48))
    many = bytes(Ether(src=CLIENT, dst="ff:ff:ff:ff:ff:ff") / IP(src="10.0.0.1", dst="10.0.0.255") / UDP())
    nobody = frame(IP(src="0.0.0.0", dst="10.0.0.2") / UDP())
    later4 = frame(IP(src="10.0.0.1", dst="10.0.0.2", frag=4, proto=17) / bytes(40))
    later6 = frame(network(6) / IPv6ExtHdrFragment(offset=8, nh=17) / bytes(40))
    why = [deed(ruled("icmp", icmp="host-unreachable"), data) for data in (error4, error6, many, nobody, later4, later6)]
    assert [(one.onward, one.back) for one in why] == [((), ())] * 6
    assert [one.note.partition(": ")[2] for one in why] == [
        "it is an ICMP error itself",
        "it is an ICMP error itself",
        "it was sent to many",
        "its source is no host's address",
        "it is a fragment after the first",
        "it is a fragment after the first",
    ]
    ping = frame(network(4) / ICMP(type=8) / b"ping")
    assert len(deed(ruled("icmp", icmp="host-unreachable"), ping).back) == 1


def test_headers_are_found_behind_options_and_extensions() -> None:
    options = frame(IP(src="10.0.0.1", dst="10.0.0.2", options=[b"\x01\x01\x01\x01"]) / UDP(sport=7, dport=8) / b"x")
    extended = frame(network(6) / IPv6ExtHdrDestOpt() / UDP(sport=7, dport=8) / b"x")
    for data in (options, extended):
        changed = only(deed(ruled("corrupt", field="udp.dport", value=9), data))
        assert (decode(changed).dport, decode(changed).checksum) == (9, True)


@given(st.binary(max_size=80), st.sampled_from([b"", b"\x08\x00\x45", b"\x86\xdd\x60", b"\x81\x00\x00\x05\x08\x00\x46"]))
def test_no_frame_is_too_odd(rest: bytes, kind: bytes) -> None:
    data = bytes(12) + kind + rest
    for one in (
        ruled("corrupt"),
        ruled("corrupt", field="tcp.urgent"),
        ruled("corrupt", field="ip.target"),
        ruled("truncate", length=30),
        ruled("mark"),
        ruled("reset"),
        ruled("icmp", icmp="port-unreachable"),
    ):
        done = deed(one, data)
        assert done.onward or done.back or done.note
