"""Who wrote which bytes of a UNIX stream: what one receive gives ends where the credentials that came with the data change.

The kernel signs data only while the sender or its peer asks for credentials (SO_PASSCRED); what it did not sign has one writer,
too: nobody (unix_stream_read_generic() and unix_skb_scm_eq() in net/unix/af_unix.c).
"""

import msgspec

from netlab.model.sockets.calls.ancillary import wants_credentials
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.world import World
from netlab.notation.constants import constant

_SOCKET = constant("SOL_SOCKET")
_ASKED, _ASKED_OTHERWISE = (_SOCKET, constant("SO_PASSCRED")), (_SOCKET, constant("SO_PASSPIDFD"))
_UNKNOWN = "?"
_CHILD = "/child"
"""How the process of a call in a child of its own is named: any two are not the same (calls/processes.py)."""


def _writer(s: Situation, peer: Socket) -> str:
    """Who signs what the call sends, "" for nobody."""
    ends = (s.socket, peer)
    if any(one.options.get(_ASKED_OTHERWISE) for one in ends) or s.args.get("control") is not None:
        return _UNKNOWN
    if not any(one.options.get(_ASKED) for one in ends):
        return ""
    return _UNKNOWN if s.process_name.endswith(_CHILD) else s.process_name


def signed(s: Situation, world: World, many: int) -> World:
    """The world in which the receiver knows who wrote the ``many`` bytes that the call has just sent."""
    peer = world.objects.get(s.socket.peer)
    if not isinstance(peer, Socket) or not many:
        return world
    writer = _writer(s, peer)
    known = tuple(entry for entry in peer.note.get("writers", ()) if entry[1] > s.outgoing.read)
    if not writer and not known:
        return world
    start = s.outgoing.sent
    return world.with_object(
        s.socket.peer, msgspec.structs.replace(peer, note={**peer.note, "writers": (*known, (start, start + many, writer))})
    )


def one_writer(s: Situation) -> int | None:
    """How many bytes from the first that is unread on have one writer; None where that is not known or makes no difference."""
    if not wants_credentials(s) or s.resumed:
        return None
    flow = s.incoming
    at, first = flow.read, None
    for start, end, writer in (*s.socket.note.get("writers", ()), (flow.sent, flow.sent, None)):
        if end <= flow.read and writer is not None:
            continue
        for until, who in ((start, ""), (end, writer)):
            if until <= at or who is None:
                continue
            if _UNKNOWN in (who, first):
                return None
            if first is not None and who != first:
                return at - flow.read
            at, first = until, who
    return at - flow.read


def another_writes_next(s: Situation) -> bool:
    """Whether data of another writer follows, so that the call does not wait for more of this one's."""
    many = one_writer(s)
    return many is not None and many < s.incoming.queued
