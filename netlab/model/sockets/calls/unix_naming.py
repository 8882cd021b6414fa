"""bind() of AF_UNIX: a name in the file system, in the abstract name space, or one that the kernel chooses.

The order of its rules is Linux': a path is made before the socket's own name is looked at, an abstract name after it.
"""

from collections.abc import Iterable

import msgspec

from netlab.model.sockets.addresses import UNIX, address_found, length_in
from netlab.model.sockets.names import exists, name_key, way_error
from netlab.model.sockets.objects import Address
from netlab.model.sockets.outcomes import Outcome
from netlab.model.sockets.rules import UNIX as UNIX_KINDS
from netlab.model.sockets.rules import Guard, Rule, fails, gives, no_effect
from netlab.model.sockets.situation import Situation

_LONGEST_UNIX = 110  # sizeof(struct sockaddr_un)
_AF_UNIX = "net/unix/af_unix.c"
_POSIX = "POSIX.1-2024 bind()"


def _automatic(s: Situation) -> bool:
    return length_in(s) == 2 and address_found(s).family == UNIX


def _automatic_again(s: Situation) -> bool:
    return _automatic(s) and s.socket.local is not None


def _no_unix_address(s: Situation) -> bool:
    return not 2 < length_in(s) <= _LONGEST_UNIX or address_found(s).family != UNIX


def _is_path(s: Situation) -> bool:
    return address_found(s).kind == "path"


def _way_ends(errno: str) -> Guard:
    """Whether the way to the path ends with this errno."""

    def when(s: Situation) -> bool | None:
        if not _is_path(s):
            return False
        error = way_error(s.world, s.socket.host, address_found(s).host)
        return None if error is None else error == errno

    return when


def _path_exists(s: Situation) -> bool | None:
    return _is_path(s) and exists(s.world, name_key(s.socket.host, address_found(s), s.socket.type))


def _slash_at_end(s: Situation) -> bool:
    return _is_path(s) and address_found(s).host.endswith("/")


def _directory_closed(s: Situation) -> bool | None:
    # The process's own directory is open to all; of others nothing is known: root of a user namespace may not write in all of them.
    return None if _is_path(s) and address_found(s).host.startswith("/") else False


def _has_name(s: Situation) -> bool:
    return s.socket.local is not None


def _abstract_taken(s: Situation) -> bool | None:
    address = address_found(s)
    return address.kind == "abstract" and exists(s.world, name_key(s.socket.host, address, s.socket.type))


def _named(s: Situation) -> Iterable[Outcome]:
    world, address = s.world.copy(), address_found(s)
    if address.kind == "unnamed":
        number = world.fresh()
        address = Address(UNIX, f"*{number}", -number, kind="abstract")
    address = msgspec.structs.replace(address, length=None)
    key = name_key(s.socket.host, address, s.socket.type)
    world.paths = {**world.paths, key: s.socket_id}
    if address.kind == "path":
        umask = s.process.umask
        world.modes = {**world.modes, key: (None if umask is None else 0o777 & ~umask, s.process.uid)}
    world.objects[s.socket_id] = msgspec.structs.replace(s.socket, local=address, chosen=frozenset({"address"}))
    yield Outcome(kind="returns", world=world)


UNIX_BIND: tuple[Rule, ...] = (
    gives("bind.automatic-again", no_effect, "a socket that has a name keeps it",
          f"unix_autobind() in {_AF_UNIX}", when=_automatic_again, kinds=UNIX_KINDS),
    gives("bind.automatic", _named, "the kernel chooses an abstract name", "unix(7), Autobind feature", when=_automatic,
          kinds=UNIX_KINDS),
    fails("bind.no-unix-address", "EINVAL", _no_unix_address, "the length or the family is not that of a UNIX address",
          "unix(7) EINVAL", kinds=UNIX_KINDS),
    fails("bind.no-directory", "ENOENT", _way_ends("ENOENT"), "the path's directory is not there", f"{_POSIX} ENOENT",
          kinds=UNIX_KINDS),
    fails("bind.not-a-directory", "ENOTDIR", _way_ends("ENOTDIR"), "a file stands where the path has a directory",
          f"{_POSIX} ENOTDIR", kinds=UNIX_KINDS),
    fails("bind.path-exists", "EADDRINUSE", _path_exists, "something has this path already", f"{_POSIX} EADDRINUSE; unix(7)",
          kinds=UNIX_KINDS, note="also before the socket's own name is looked at, as the node is made first"),
    fails("bind.slash", "ENOENT", _slash_at_end, "the path ends in a slash, and a socket is no directory", f"{_POSIX} ENOENT",
          kinds=UNIX_KINDS),
    fails("bind.directory-closed", "EACCES", _directory_closed, "the directory cannot be written by this process",
          f"{_POSIX} EACCES", kinds=UNIX_KINDS),
    fails("bind.has-name", "EINVAL", _has_name, "the socket has a name already", f"{_POSIX} EINVAL", kinds=UNIX_KINDS),
    fails("bind.abstract-taken", "EADDRINUSE", _abstract_taken, "another socket of this type has the name", "unix(7) EADDRINUSE",
          kinds=UNIX_KINDS),
    gives("bind.has-now", _named, "the socket has this name; a path is a new file of type socket", f"{_POSIX}; unix(7)",
          kinds=UNIX_KINDS),
)  # fmt: skip
