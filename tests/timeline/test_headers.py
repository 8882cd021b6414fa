"""The struct decoder against scapy's, on crafted packets, and against cut and senseless ones."""

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLReport2,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    PadN,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether

from netlab.timeline.headers import Headers, decode, general, tcp_options
from netlab.timeline.plain_headers import Details, plain

MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
LETTERS = {"A": ".", "C": "W", "N": "e"}  # scapy's letters that tcpdump spells otherwise

_U32 = st.integers(0, 2**32 - 1)
_OPTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("MSS"), st.integers(0, 65535)),
        st.tuples(st.just("WScale"), st.integers(0, 255)),
        st.just(("SAckOK", b"")),
        st.just(("NOP", None)),
        st.tuples(st.just("Timestamp"), st.tuples(_U32, _U32)),
        st.tuples(st.just("SAck"), st.tuples(_U32, _U32)),
        st.tuples(st.just("TFO"), st.tuples(_U32, _U32)),
    ),
    max_size=3,
)


def frame(packet: Any) -> bytes:
    return bytes(Ether(**MACS) / packet)


def spelt(option: tuple[str, Any]) -> tuple[str, str]:
    name, value = option
    match name:
        case "MSS":
            return "mss", str(value)
        case "WScale":
            return "wscale", str(value)
        case "SAckOK":
            return "sackOK", ""
        case "Timestamp":
            return "TS", f"{value[0]}/{value[1]}"
        case "SAck":
            return "sack", f"{value[0]}:{value[1]}"
        case "TFO":
            return "tfo", f"{value[0]:08x}{value[1]:08x}"
    return ("eol" if name == "EOL" else "nop"), ""


def by_scapy(data: bytes) -> dict[str, Any]:
    """The same fields as scapy reads them."""
    packet = Ether(data)
    ip = packet.getlayer(IP) or packet.getlayer(IPv6)
    tcp = packet[TCP]
    options = [spelt(option) for option in tcp.options]
    while options and options[-1][0] == "eol":  # scapy lists each padding byte, the end of options is one
        options.pop()
    return {
        "source": ip.src,
        "target": ip.dst,
        "ttl": ip.ttl if ip.version == 4 else ip.hlim,
        "df": int("DF" in str(ip.flags)) if ip.version == 4 else None,
        "sport": tcp.sport,
        "dport": tcp.dport,
        "seq": tcp.seq,
        "ack": tcp.ack,
        "flags": frozenset(LETTERS.get(letter, letter) for letter in str(tcp.flags)),
        "window": tcp.window,
        "options": tuple(options),
        "payload": bytes(tcp.payload),
    }


@settings(max_examples=60, deadline=None)
@given(
    options=_OPTIONS,
    flags=st.integers(0, 511),
    numbers=st.tuples(_U32, _U32, st.integers(0, 65535)),
    payload=st.binary(max_size=40),
    version=st.sampled_from((4, 6)),
    tag=st.booleans(),
    broken=st.booleans(),
)
def test_scapy_reads_the_same_tcp(
    options: list[Any], flags: int, numbers: tuple[int, int, int], payload: bytes, version: int, tag: bool, broken: bool
) -> None:
    seq, ack, window = numbers
    df = "DF" if seq % 2 else ""
    ip: Any = IP(src="10.0.0.1", dst="10.0.0.2", ttl=9, flags=df) if version == 4 else IPv6(src="fd00::1", dst="fd00::2", hlim=9)
    tcp = TCP(sport=40000, dport=8080, seq=seq, ack=ack, flags=flags, window=window, options=options) / payload
    data = frame(Dot1Q(vlan=5) / ip / tcp if tag else ip / tcp)
    if broken:
        at = data.rindex(window.to_bytes(2, "big") + Ether(data)[TCP].chksum.to_bytes(2, "big"))
        data = data[: at + 2] + bytes((data[at + 2] ^ 1,)) + data[at + 3 :]
    headers = decode(data)
    expected = by_scapy(data)
    actual = {name: getattr(headers, name) for name in expected}
    actual["options"] = tuple(option for option in headers.options if option[0] != "eol")
    assert actual == expected
    assert (headers.protocol, headers.version, headers.checksum, headers.malformed) == ("tcp", version, not broken, "")
    assert headers.ip_checksum is (True if version == 4 else None)
    assert headers.length == len(payload)


def test_udp_with_and_without_a_checksum() -> None:
    for ip in (IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")):
        headers = decode(frame(ip / UDP(sport=1, dport=2) / b"hello"))
        assert (headers.protocol, headers.sport, headers.dport, headers.payload) == ("udp", 1, 2, b"hello")
        assert (headers.length, headers.checksum) == (5, True)
    assert decode(frame(IP() / UDP(chksum=0) / b"x")).checksum is None
    assert decode(frame(IPv6(src="fd00::1", dst="fd00::2") / UDP(chksum=0) / b"x")).checksum is False
    assert decode(frame(IP() / UDP(chksum=1) / b"x")).checksum is False
    assert decode(frame(IP(chksum=1) / UDP() / b"x")).ip_checksum is False


def test_ethernet_padding_is_not_payload() -> None:
    headers = decode(frame(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="A")) + bytes(6))
    assert (headers.payload, headers.length, headers.checksum) == (b"", 0, True)


def test_icmp_arp_and_what_ipv6_says_of_neighbours() -> None:
    echo = decode(frame(IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=3, code=1) / b"abcd"))
    assert (echo.protocol, echo.type, echo.code, echo.checksum, echo.nd, echo.mld) == ("icmp", 3, 1, True, False, False)
    arp = decode(frame(ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.2")))
    assert (arp.protocol, arp.type, arp.source, arp.target, arp.is_ip) == ("arp", 1, "10.0.0.1", "10.0.0.2", False)
    neighbour = decode(frame(IPv6(src="fd00::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fd00::2")))
    assert (neighbour.protocol, neighbour.type, neighbour.nd, neighbour.checksum, neighbour.ttl) == ("icmp6", 135, True, True, 255)
    listener = IPv6(src="fe80::1", dst="ff02::16", hlim=1) / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0\0")]) / ICMPv6MLReport2()
    mld = decode(frame(listener))
    assert (mld.protocol, mld.type, mld.mld, mld.nd, mld.checksum) == ("icmp6", 143, True, False, True)


def test_ipv6_extension_headers_are_walked() -> None:
    ip = IPv6(src="fd00::1", dst="fd00::2")
    options = PadN(optdata=b"\0" * 10)
    both = decode(frame(ip / IPv6ExtHdrHopByHop(options=[options]) / IPv6ExtHdrDestOpt() / TCP(sport=7, flags="SA") / b"x"))
    assert (both.sport, both.flags, both.payload, both.checksum) == (7, frozenset("S."), b"x", True)
    atomic = decode(frame(ip / IPv6ExtHdrFragment(offset=0, m=0) / UDP(sport=7) / b"x"))
    assert (atomic.sport, atomic.fragment, atomic.checksum) == (7, None, True)
    first = decode(frame(ip / IPv6ExtHdrFragment(offset=0, m=1) / UDP(sport=7, len=2000) / (b"x" * 16)))
    assert (first.sport, first.fragment, first.checksum, first.malformed) == (7, 0, None, "")
    later = decode(frame(ip / IPv6ExtHdrFragment(offset=3, m=0, nh=17) / (b"y" * 16)))
    assert (later.protocol, later.sport, later.fragment, later.payload) == ("udp", None, 24, b"y" * 16)
    inner = decode(frame(ip / ICMPv6EchoRequest(data=b"ping")))
    assert (inner.protocol, inner.type, inner.checksum, inner.nd) == ("icmp6", 128, True, False)


def test_ipv4_fragments_have_ports_only_in_the_first() -> None:
    first = decode(frame(IP(flags="MF") / UDP(sport=5, len=100) / (b"z" * 16)))
    later = decode(frame(IP(frag=3, proto=17) / (b"z" * 16)))
    assert (first.sport, first.fragment, first.checksum, first.mf) == (5, 0, None, 1)
    assert (later.protocol, later.sport, later.fragment, later.length, later.mf) == ("udp", None, 24, 16, 0)


def test_igmp_says_its_type_and_its_checksum_is_over_itself_alone() -> None:
    report = bytes.fromhex("2200e9fb0000000104000000ef010101")  # RFC 3376 §4.2: one record, to exclude nothing, of 239.1.1.1
    headers = decode(frame(IP(dst="224.0.0.22", ttl=1, proto=2, options=[IPOption_Router_Alert()]) / report))
    assert (headers.protocol, headers.type, headers.target, headers.ttl) == ("igmp", 0x22, "224.0.0.22", 1)
    assert headers.checksum is True
    assert decode(frame(IPv6(nh=2) / report)).protocol == "other"


def test_a_cut_frame_tells_what_it_can() -> None:
    whole = frame(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=5, dport=6, seq=9, flags="S", options=[("MSS", 1460)]) / b"hello")
    cut = decode(whole[:-3])
    assert (cut.sport, cut.length, cut.payload, cut.checksum) == (5, 5, b"he", None)
    assert cut.malformed == "tcp: 29 bytes are due, 26 are there"
    assert decode(whole[:40]).sport == 5
    assert decode(whole[:20]).malformed == "ipv4: 20 bytes are due, 6 are there"
    assert decode(b"") == Headers(malformed="ethernet: 14 bytes are due, 0 are there")
    for size in range(len(whole)):
        assert decode(whole[:size]).malformed or size >= len(whole)


def test_senseless_options_end_the_list() -> None:
    assert tcp_options(b"\x02\x04\x05\xb4\x08\x0a\x00") == ((("mss", "1460"),), "tcp option 8: a length of 10 with 3 bytes left")
    assert tcp_options(b"\x01\x63\x00") == ((("nop", ""),), "tcp option 99: a length of 0 with 2 bytes left")
    assert tcp_options(b"\x63\x04\xab\xcd\x00\x02") == ((("unknown-99", "abcd"), ("eol", "")), "")
    assert tcp_options(b"\x22\x02") == ((("tfo", ""),), "")
    assert tcp_options(b"\xfe\x04\xf9\x89") == ((("tfo", ""),), "")


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=120), kind=st.sampled_from((b"\x08\x00\x45", b"\x86\xdd\x60", b"\x08\x06", b"\x81\x00")))
def test_garbage_never_raises(data: bytes, kind: bytes) -> None:
    decode(os.urandom(12) + kind + data)
    decode(data)


_IPS = st.sampled_from([IP(src="10.0.0.1", dst="10.0.0.2", tos=4), IPv6(src="fd00::1", dst="fd00::2", tc=4)])
_NAMES = [name for name in Headers.__struct_fields__ if name != "details"] + list(Details.__struct_fields__)


def fields(headers: Headers) -> dict[str, Any]:
    return {name: getattr(headers, name) for name in _NAMES}


@settings(max_examples=300, deadline=None)
@given(
    ip=_IPS,
    options=_OPTIONS,
    payload=st.binary(max_size=21),
    udp=st.booleans(),
    damage=st.lists(st.tuples(st.integers(12, 90), st.integers(0, 255)), max_size=2),
    cut=st.integers(-3, 3),
)
def test_the_quick_way_reads_what_the_general_one_does(
    ip: Any, options: list[Any], payload: bytes, udp: bool, damage: list[tuple[int, int]], cut: int
) -> None:
    inner = UDP(sport=7, dport=8) if udp else TCP(sport=7, dport=8, flags="PA", seq=3, ack=4, options=options, urgptr=5)
    data = bytearray(frame(ip / inner / payload))
    for at, value in damage:
        if at < len(data):
            data[at] = value
    whole = bytes(data[:cut]) if cut < 0 else bytes(data) + bytes(cut)
    assert fields(decode(whole)) == fields(general(whole))


def test_most_frames_go_the_quick_way() -> None:
    stamps = [("NOP", None), ("NOP", None), ("Timestamp", (5, 6))]
    for ip in (IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")):
        for inner in (TCP(flags="S", options=[("MSS", 1460)]), TCP(flags="A", options=stamps), UDP(sport=1)):
            data = frame(ip / inner / bytes(21))
            quick = plain(data)
            assert quick is not None
            assert fields(quick) == fields(general(data))
    assert plain(frame(IP() / ICMP())) is None
    assert plain(frame(IP(flags="MF") / UDP() / bytes(40))) is None
    assert plain(frame(IPv6(src="fd00::1", dst="fd00::2") / IPv6ExtHdrDestOpt() / TCP())) is None
