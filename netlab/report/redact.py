"""A result without the payloads that its timeline recorded: headers, lengths, results and verdicts stay as they were.

What a user wrote in a scenario stays too, and so does what a verdict says of it.
"""

import msgspec

from netlab.check.result import RunResult
from netlab.timeline.headers import decode
from netlab.timeline.observations import AnyObservation, CallReturned, Packet, PacketDropped, ProgramEnded

_RECEIVING = frozenset({"read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg"})


def without_payload(result: RunResult) -> RunResult:
    """The same result with packets cut after their headers, and without what calls received and programs printed."""
    scenarios = []
    for scenario in result.scenarios:
        observations = tuple(_cut(seen) for seen in scenario.timeline.observations)
        timeline = msgspec.structs.replace(scenario.timeline, observations=observations)
        scenarios.append(msgspec.structs.replace(scenario, timeline=timeline))
    return msgspec.structs.replace(result, scenarios=tuple(scenarios))


def _cut(seen: AnyObservation) -> AnyObservation:
    match seen:
        case Packet():
            payload = decode(seen.data).payload
            # Whatever follows the payload is padding, and goes with it.
            return msgspec.structs.replace(seen, data=seen.data[: seen.data.rfind(payload)]) if payload else seen
        case CallReturned(call=call, out=out) if call in _RECEIVING and out is not None:
            kept = {name: value for name, value in out.items() if name != "data"} if isinstance(out, dict) else None
            return msgspec.structs.replace(seen, out=kept)
        case PacketDropped(data=data) if data:
            framed = bytes(12) + (b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00") + data
            payload = decode(framed).payload
            return msgspec.structs.replace(seen, data=framed[14 : framed.rfind(payload)]) if payload else seen
        case ProgramEnded():
            return msgspec.structs.replace(seen, stdout="", stderr="")
    return seen
