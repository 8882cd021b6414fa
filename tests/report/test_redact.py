import struct

import msgspec
import results
from results import CLIENT, SERVER, START, segment

from netlab.report import json
from netlab.report.lines import Lines
from netlab.report.redact import without_payload
from netlab.timeline.observations import AnyObservation, CallReturned, Packet, ProgramEnded


def cut(seen: AnyObservation) -> AnyObservation:
    timeline = msgspec.structs.replace(results.PASSED.timeline, observations=(seen,))
    whole = results.result(msgspec.structs.replace(results.PASSED, timeline=timeline))
    return without_payload(whole).scenarios[0].timeline.observations[0]


def test_a_packet_keeps_its_headers_and_its_length() -> None:
    empty = segment(CLIENT, SERVER, 1, 2, 0x18, 7, 9)
    frame = empty[:16] + struct.pack("!H", len(empty) - 14 + 6) + empty[18:] + b"secret"
    seen = Packet(time=0, host="client", interface="eth0", direction="out", data=frame, length=len(frame), checksum_valid=False)
    kept = cut(seen)
    assert kept == msgspec.structs.replace(seen, data=frame[:-6])
    told = Lines(msgspec.structs.replace(results.PASSED.timeline, observations=(kept,))).line(0)
    assert told == "eth0 out client:1 > server:2 P. seq 7 ack 9 win 65535 len 6 cut at 54 bytes"


def test_what_a_call_received_goes_and_what_else_it_gave_stays() -> None:
    returned = CallReturned(time=START, host="h", id=1, process="h", call="recv", result=6, out="secret")
    message = msgspec.structs.replace(returned, call="recvmsg", out={"data": "secret", "flags": 0})
    name = msgspec.structs.replace(returned, call="getsockname", out=["10.0.0.1", 80])
    assert [cut(one) for one in (returned, message, name)] == [
        msgspec.structs.replace(returned, out=None),
        msgspec.structs.replace(message, out={"flags": 0}),
        name,
    ]


def test_what_a_program_printed_goes() -> None:
    ended = ProgramEnded(time=START, host="h", step=0, argv=("cat",), status=0, stdout="secret", stderr="secret")
    assert cut(ended) == msgspec.structs.replace(ended, stdout="", stderr="")


def test_what_carries_no_payload_is_unchanged() -> None:
    assert json.dumps(without_payload(results.EVERYTHING)) == json.dumps(results.EVERYTHING)
