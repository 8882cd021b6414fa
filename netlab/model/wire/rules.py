"""The rules of TCP that an outsider can hold a sender to, as data: what each says, and where that is written.

It refuses to know how a breach is found. Congestion control is no part of it.
"""

from typing import Literal

import msgspec

Level = Literal["must", "should"]
"""must: whoever breaks it is at fault; should: discouraged, and told without blame."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: ``says`` what a sender must do, ``source`` where that is written, ``note`` what an outsider must leave open.

    ``rests_on_absence``: a breach is that something was not seen before. Where the capture missed packets, it proves nothing.
    """

    id: str
    says: str
    source: str
    level: Level = "must"
    note: str = ""
    rests_on_absence: bool = False


_TABLE: tuple[tuple[str, str, str, str], ...] = (
    # ---- a segment by itself
    ("checksum", "the checksum is that of the segment", "RFC 9293 §3.1",
     "not judged where the sender leaves it to a device; such a segment is taken for one that never arrived"),
    ("malformed", "the data offset and the options' lengths fit the segment", "RFC 9293 §3.1, §3.2", ""),
    ("flags", "SYN and RST do not stand in one segment", "RFC 9293 §3.10.7", ""),
    ("ack-absent", "every segment but a first SYN and an RST carries an acknowledgement", "RFC 9293 §3.1", ""),
    # ---- options
    ("option-outside-syn", "MSS, window scale and SACK-permitted stand in segments with SYN only",
     "RFC 9293 §3.2 (MSS), RFC 7323 §2.2, RFC 2018 §2", ""),
    ("option-not-offered", "a SYN-ACK has window scale, SACK-permitted or timestamps only if the SYN had it",
     "RFC 7323 §1.3, §2.2, §3.2", "not judged in a simultaneous open"),
    ("window-scale-large", "the shift count of the window is at most 14", "RFC 7323 §2.3", ""),
    ("timestamps-not-agreed", "timestamps stand in a segment only if both SYNs had them", "RFC 7323 §3.2", ""),
    ("timestamps-missing", "once both SYNs had timestamps, every segment but an RST has them", "RFC 7323 §3.2",
     "not judged where the other end's timestamp was 0, which some take for none"),
    ("timestamp-back", "the timestamps that an end sends never go back", "RFC 7323 §3.2, §5.4",
     "segments may overtake each other: judged where the order of sending is certain"),
    ("timestamp-echo", "the timestamp that is echoed is one that the other end sent", "RFC 7323 §3.2",
     "judged where the receiver's own interface was watched"),
    ("sack-not-permitted", "SACK blocks are sent only to an end whose SYN permitted them", "RFC 2018 §3", ""),
    ("sack-outside", "SACK blocks are ranges of what the other end sent", "RFC 2018 §3, RFC 2883 §4", ""),
    ("mss", "a segment is no larger than the MSS that the other end announced, less the options", "RFC 9293 §3.7.1, RFC 6691 §2",
     "not judged where segments are split by a device, or below 128 bytes"),
    # ---- numbers
    ("ack-of-unsent", "only what the other end has sent is acknowledged", "RFC 9293 §3.4, §3.10.7.4",
     "an acknowledgement that goes back is old, and allowed"),
    ("data-too-early", "an end that was opened sends no data before its SYN is acknowledged", "RFC 9293 §3.10.2, §3.10.7.4",
     "Fast Open (RFC 7413) allows it; judged where an end was watched, since an ACK that a capture missed leaves no trace"),
    ("beyond-window", "no data is sent beyond the right edge of the window", "RFC 9293 §3.8.6, RFC 7323 §2.3",
     "one byte may probe a window of zero; judged where an end was watched, and beyond the FIN"),
    ("window-shrunk", "the right edge of the window does not move left", "RFC 9293 §3.8.6, RFC 7323 §2.4",
     "by less than one unit of the window's scale it may"),
    ("retransmission-differs", "the same sequence numbers always carry the same bytes", "RFC 9293 §3.4, §3.8.1",
     "the octet of a keep-alive may be any (§3.8.4)"),
    ("fin-moved", "a FIN has one sequence number, in every retransmission", "RFC 9293 §3.4, §3.6", ""),
    ("data-after-fin", "nothing is sent with sequence numbers after the FIN's", "RFC 9293 §3.6", ""),
    ("syn-inside", "an end of a connection that goes on sends no other SYN", "RFC 9293 §3.10.7.4, RFC 5961 §4",
     "an end that lost its state may; and it does not go on"),
    ("after-reset", "an end that has reset the connection sends nothing more but resets", "RFC 9293 §3.5.2, §3.10.5",
     "a reset before the connection was established need not end it"),
    ("reset-number", "an RST has the next number of its sender, or the number that was acknowledged to it",
     "RFC 9293 §3.5.2, RFC 5961 §3", ""),
    ("urgent-nothing", "the urgent pointer of a segment with URG points behind urgent data", "RFC 9293 §3.8.5", ""),
)  # fmt: skip
_DISCOURAGED = frozenset({"window-shrunk", "urgent-nothing"})
_ABSENCES = frozenset(
    {
        "beyond-window", "data-too-early", "ack-of-unsent", "sack-outside", "reset-number", "timestamp-echo", "syn-inside",
        "after-reset",
    }
)  # fmt: skip

RULES: dict[str, Rule] = {
    f"wire.{name}": Rule(
        id=f"wire.{name}",
        says=says,
        source=source,
        note=note,
        level="should" if name in _DISCOURAGED else "must",
        rests_on_absence=name in _ABSENCES,
    )
    for name, says, source, note in _TABLE
}
"""Every rule by its id."""
