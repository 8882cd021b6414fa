"""Ancillary data of UNIX sockets: descriptors and credentials with sendmsg(), and what recvmsg() makes of them (unix(7)).

The rules here come in the middle of those of sending, so calls/unix_stream.py and calls/unix_datagram.py take them from here.
Control messages of IP are not modelled.
"""

import struct
from collections.abc import Iterable

import msgspec

from netlab.model.sockets.arguments import Data
from netlab.model.sockets.messages import Free
from netlab.model.sockets.objects import Socket
from netlab.model.sockets.outcomes import Exactly, Out, Outcome
from netlab.model.sockets.rules import UNIX, Rule, fails, unmodelled
from netlab.model.sockets.situation import Situation
from netlab.model.sockets.unix import autobound, held, reached_by, released
from netlab.model.sockets.world import Descriptor, World
from netlab.notation.constants import constant
from netlab.notation.pattern import pattern
from netlab.notation.values import BadPointer, Buffer, Rights, Structure, Text

_HEADER = struct.Struct("=Qii")
_ROOM = 512
"""How much room for control messages a call has that names none (netlab/workload/layouts.py)."""
_MOST_RIGHTS = 253  # SCM_MAX_FD in include/net/scm.h
_CREDENTIALS, _CREDENTIALS_SPACE = 28, 32
"""CMSG_LEN and CMSG_SPACE of struct ucred (cmsg(3))."""
_CTRUNC = constant("MSG_CTRUNC")
_PASSCRED = (constant("SOL_SOCKET"), constant("SO_PASSCRED"))
_PASSPIDFD = (constant("SOL_SOCKET"), constant("SO_PASSPIDFD"))
_MORE_CONTROL = tuple(
    (constant("SOL_SOCKET"), constant(name)) for name in ("SO_PASSPIDFD", "SO_TIMESTAMP", "SO_TIMESTAMPNS", "SO_PASSSEC")
)


def _control(s: Situation) -> object:
    value = s.args.get("control")
    return None if s.call.name != "sendmsg" or value == "NONE" or isinstance(value, BadPointer) else value


def _raw(s: Situation) -> bytes | None:
    """Control data that is given as plain bytes."""
    match _control(s):
        case Data(size, known):
            return pattern(size) if known is None else known
        case Text(data):
            return data
        case Buffer(size):
            return pattern(size)
    return None


def _malformed(s: Situation) -> bool:
    raw = _raw(s)
    if raw is None or len(raw) < _HEADER.size:
        return False
    length, _, _ = _HEADER.unpack_from(raw)
    return not _HEADER.size <= length <= len(raw)


def _unknown_control(s: Situation) -> bool:
    raw = _raw(s)
    if raw is not None:
        return len(raw) >= _HEADER.size
    value = _control(s)
    return value is not None and not isinstance(value, Rights | Structure)


def _numbers(s: Situation) -> list[int | None]:
    value = _control(s)
    if not isinstance(value, Rights):
        return []
    return [s.process.names.get(name, int(name) if name.lstrip("-").isdigit() else None) for name in value.names]


def _too_many(s: Situation) -> bool:
    return len(_numbers(s)) > _MOST_RIGHTS


def _unnamed(s: Situation) -> bool:
    return None in _numbers(s)


def _not_open(s: Situation) -> bool:
    return any(number not in s.process.table for number in _numbers(s))


def in_circle(s: Situation) -> bool:
    """Whether the peer may have been lost: it was passed to itself, and no process has it any more."""
    return bool(s.socket.note.get("circle")) and s.socket.peer != 0 and not held(s.world, s.socket.peer)


def _claimed(s: Situation) -> tuple[int | str, ...]:
    value = _control(s)
    return value.members if isinstance(value, Structure) and value.name == "ucred" else ()


def _other_process(s: Situation) -> bool:
    """Whether credentials name a process: only those of the caller are known to exist."""
    members = _claimed(s)
    return bool(members) and members[0] not in ("self",) and s.process.uid == 0


def _forged(s: Situation) -> bool | None:
    members = _claimed(s)
    if not members or s.process.uid == 0:
        return False
    if members[0] != "self":
        return None
    # seteuid() leaves the real user and group as they were.
    return None if any(member in (0, s.process.uid) for member in members[1:]) else True


def control_rules(call: str, kinds: tuple[str, ...]) -> tuple[Rule, ...]:
    """What sendmsg() looks at in control messages, before anything of the socket (__scm_send() in net/core/scm.c)."""
    if call != "sendmsg":
        return ()
    of = kinds[0]
    return (
        fails(f"sendmsg.{of}-malformed", "EINVAL", _malformed, "the first control message's length is impossible",
              "unix(7); __scm_send() in net/core/scm.c", kinds=kinds),
        unmodelled(f"sendmsg.{of}-control", _unknown_control, "only descriptors and credentials are modelled", kinds=kinds),
        unmodelled(f"sendmsg.{of}-unnamed-right", _unnamed, "a descriptor is passed that has no name here", kinds=kinds),
        fails(f"sendmsg.{of}-too-many-rights", "EINVAL", _too_many, "no message passes more than 253 descriptors", "unix(7) EINVAL",
              kinds=kinds),
        fails(f"sendmsg.{of}-right-not-open", "EBADF", _not_open, "a descriptor to be passed is not open", "unix(7), SCM_RIGHTS",
              kinds=kinds),
        fails(f"sendmsg.{of}-forged", "EPERM", _forged, "an unprivileged process sends no other's credentials",
              "unix(7) EPERM; scm_check_creds() in net/core/scm.c", kinds=kinds),
        unmodelled(f"sendmsg.{of}-other-process", _other_process, "whether there is such a process is not known", kinds=kinds),
    )  # fmt: skip


def descriptions_sent(s: Situation) -> tuple[int, ...]:
    """The descriptions that the call passes."""
    return tuple(s.process.table[number].description for number in _numbers(s) if number is not None)


def in_flight(world: World, descriptions: tuple[int, ...], receiver: int = 0) -> None:
    """One reference more to each, in a world that has just been copied: a descriptor in flight keeps what it refers to.

    Where ``receiver`` is passed to itself, if only by way of others, all that this may hold up are marked.
    """
    passed = set().union(*(reached_by(world, description) for description in descriptions)) if receiver else set()
    if receiver in passed:
        for number in passed:
            one = world.objects.get(number)
            peer = world.objects.get(one.peer) if isinstance(one, Socket) else None
            if isinstance(one, Socket) and isinstance(peer, Socket):
                world.objects[one.peer] = msgspec.structs.replace(peer, note={**peer.note, "circle": True})
    for description in descriptions:
        old = world.descriptions[description]
        world.descriptions[description] = msgspec.structs.replace(old, references=old.references + 1)


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What became of control messages: the ``world`` with new descriptors, what is ``seen`` of them, flags of recvmsg()."""

    world: World
    seen: Out
    flags: int = 0


def wants_credentials(s: Situation) -> bool:
    """Whether credentials come with each message: SO_PASSCRED."""
    return bool(s.socket.options.get(_PASSCRED))


def named_by_then(rule: Rule) -> Rule:
    """The rule of a moment at which a sender that asks for credentials has a name, whatever comes of the call."""
    if rule.category == "unmodelled":
        return rule
    first = rule.gives

    def gives_named(s: Situation) -> Iterable[Outcome]:
        for outcome in first(s):
            world = autobound(outcome.world, s.socket_id) if wants_credentials(s) else outcome.world
            yield msgspec.structs.replace(outcome, world=world)

    return msgspec.structs.replace(rule, gives=gives_named)


def received(s: Situation, world: World, descriptions: tuple[int, ...], *, peeked: bool) -> Received:
    """The receiver gets new descriptors, the lowest free ones, as many as there is room for; the others are closed
    (scm_detach_fds() in net/core/scm.c). A peek leaves those in flight where they are."""
    room = _room(s)
    credentials = wants_credentials(s)
    flags = 0
    if s.call.name != "recvmsg" or room is None:
        if (descriptions or credentials) and s.call.name == "recvmsg":
            flags = _CTRUNC
        return Received(world=_let_go(world, descriptions, peeked), seen=Exactly({}), flags=flags)
    if credentials:
        flags = _CTRUNC if room < _CREDENTIALS else 0
        room -= _CREDENTIALS_SPACE
    fitting = max((room - _HEADER.size) // 4, 0)
    world = world.copy()
    owner = world.processes[s.process_name]
    table, names, given = dict(owner.table), dict(owner.names), []
    cloexec = s.flag("MSG_CMSG_CLOEXEC")
    for description in descriptions[:fitting]:
        number = _lowest(table, owner.reserved)
        if owner.beyond(number):
            break
        table[number] = Descriptor(description, cloexec)
        given.append(number)
    wanted = s.args.get("control")
    if isinstance(wanted, Rights):
        names.update(zip(wanted.names, given, strict=False))
    world.processes[s.process_name] = msgspec.structs.replace(owner, table=table, names=names)
    if peeked:
        in_flight(world, descriptions[: len(given)])
    left = descriptions[len(given) :]
    if left:
        flags = _CTRUNC
    world = _let_go(world, left, peeked)
    free = credentials or any(s.socket.options.get(key) for key in _MORE_CONTROL) or not owner.whole
    return Received(world=world, seen=Free() if free else Exactly({"SCM_RIGHTS": given} if given else {}), flags=flags)


def _lowest(table: dict[int, Descriptor], reserved: frozenset[int]) -> int:
    number = 0
    while number in table or number in reserved:
        number += 1
    return number


def _let_go(world: World, descriptions: tuple[int, ...], peeked: bool) -> World:
    return world if peeked or not descriptions else released(world, list(descriptions))


def _room(s: Situation) -> int | None:
    """How many bytes of control messages the call has room for; None where it gives no buffer."""
    match s.args.get("control"):
        case None | Rights():
            return _ROOM
        case int(size):
            return size
        case Data(many):
            return many
    return None


def _brings_process(s: Situation) -> bool:
    return bool(s.socket.options.get(_PASSPIDFD)) and _room(s) is not None


PROCESS: tuple[Rule, ...] = (
    unmodelled("recvmsg.unix-process", _brings_process, "descriptors of processes that come with messages are not modelled",
               kinds=UNIX),
)  # fmt: skip
"""With SO_PASSPIDFD a descriptor of the sender's process comes, if it is known who that is and there is room (unix(7))."""


def circle_rule(call: str) -> Rule:
    """What a call about a connection whose peer may be lost in a circle gives."""
    return unmodelled(
        f"{call}.unix-circle", in_circle, "when the kernel finds circles of passed sockets is not modelled", kinds=UNIX
    )


RULES: tuple[Rule, ...] = ()
