"""Reads what a node's programs find and which are started: files, resolv.conf and commands. It runs none and writes nothing."""

import os
import posixpath
import shlex
import stat

from netlab.errors import Problem
from netlab.topology.schema.node import CommandFile, ContentFile, NodeFile, ResolvFile
from netlab.topology.spec import Command, File, Ready
from netlab.units import Duration, milliseconds
from netlab.validate import did_you_mean, shown, written_at

_WITHIN = milliseconds(10_000)
_MODE = 0o644
_LARGEST = 1 << 20
_LONGEST_PATH, _LONGEST_NAME = 4095, 255
_KERNELS = ("/proc", "/sys", "/dev")
_OWN = {"/etc/hosts": "names: has further lines for it", "/etc/resolv.conf": "resolv: says what is in it"}


def resolv_of(file: NodeFile) -> str | None:
    """The text of resolv.conf, None for the machine's own."""
    match file.resolv:
        case ResolvFile():
            lines = [f"nameserver {address}\n" for address in file.resolv.nameservers]
            lines += [f"search {' '.join(file.resolv.search)}\n"] if file.resolv.search else []
            return "".join(lines)
        case str() as text:
            return text if text.endswith("\n") or not text else text + "\n"
    return None


def commands_of(file: NodeFile, problems: list[Problem]) -> tuple[Command, ...]:
    """The commands at start, as lists of words."""
    numbers = written_at(file.node.at("start"), file.start)
    commands = [_command(number, item, file, problems) for number, item in zip(numbers, file.start, strict=True)]
    return tuple(command for command in commands if command is not None)


def _command(number: int, item: str | CommandFile, file: NodeFile, problems: list[Problem]) -> Command | None:
    if isinstance(item, str):
        words = _words(item, file, ("start", number), problems)
        return Command(argv=words, within=_WITHIN, place=file.place("start", number)) if words else None
    if not item.is_whole or (item.ready is not None and not item.ready.is_whole):
        return None
    place = item.place()
    if (item.run is None) == (item.shell is None):
        message = "a command is either run: or shell:, and this has " + ("both" if item.run is not None else "neither")
        problems.append(Problem(place, message, "run: starts a program, shell: a line for sh -c"))
        return None
    if item.ready is not None and item.background:
        message = "what must be ready stays running anyway"
        problems.append(item.node.problem("background", message=message, fix="leave background out", key=True))
    if item.within is not None and item.background:
        message = "nobody waits for a command in the background"
        problems.append(item.node.problem("within", message=message, fix="leave within out", key=True))
    within = item.within or _WITHIN
    if item.shell is not None:
        argv: tuple[str, ...] = ("sh", "-c", item.shell)
    elif isinstance(item.run, str):
        argv = _words(item.run, item, ("run",), problems)
    else:
        argv = tuple(item.run or ())
    if argv and not argv[0]:
        problems.append(item.node.problem("run", message="a command begins with the name of a program, and this is empty"))
    ready = _ready(item, within, problems)
    return Command(argv=argv, background=item.background, ready=ready, within=within, place=place) if argv else None


def _words(text: str, piece: NodeFile | CommandFile, loc: tuple[str | int, ...], problems: list[Problem]) -> tuple[str, ...]:
    """The words that a shell would see; nothing if there are none."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        fix = "close the quote, or give the words as a list"
        problems.append(piece.node.problem(*loc, message=f"this cannot be split into words: {str(error).lower()}", fix=fix))
        return ()
    if not words or not words[0]:
        problems.append(piece.node.problem(*loc, message="a command begins with the name of a program, and this is empty"))
        return ()
    return tuple(words)


def _ready(item: CommandFile, within: Duration, problems: list[Problem]) -> Ready | None:
    ready = item.ready
    if ready is None:
        return None
    if (ready.port is None) == (ready.log is None):
        message = "ready is either port: or log:, and this has " + ("both" if ready.port is not None else "neither")
        problems.append(Problem(item.place("ready"), message, "port: waits until the node listens, log: for a line of output"))
        return None
    if ready.log is not None and "protocol" in ready.model_fields_set:
        problems.append(ready.node.problem("protocol", message="a line of output has no protocol", fix="leave it out", key=True))
    return Ready(port=ready.port or 0, protocol=ready.protocol, log=ready.log or "", within=within)


def files_of(file: NodeFile, read: dict[str, str | Problem], problems: list[Problem]) -> tuple[File, ...]:
    """The files of one node. ``read`` remembers what other files held, for the nodes of a topology may share them."""
    files = []
    for path, content in file.files.items():
        place = file.place("files", path, key=True)
        if told := _wrong(path):
            problems.append(Problem(place, *told))
            continue
        for above in _above(path):
            if above in file.files:
                problems.append(Problem(place, f"{path} lies below {above}, which is a file", "choose another path"))
        text = content if isinstance(content, str) else _content(content, read, problems)
        mode = content.mode if isinstance(content, ContentFile) else None
        if text is None:
            continue
        if len(text.encode()) > _LARGEST:
            size = len(text.encode()) / 2**20
            problems.append(
                file.node.problem("files", path, message=f"the text is too large: {size:.1f} MB, at most 1 MB is allowed")
            )
        files.append(File(path=path, text=text, mode=_MODE if mode is None else mode, place=place))
    return tuple(files)


def _wrong(path: str) -> tuple[str, str] | None:
    """What is wrong with the path of a file, and the fix."""
    if "\0" in path:
        return "there is a NUL character in this path", "leave it out"
    if not path.startswith("/"):
        return (
            f"{shown(path)} is no absolute path",
            f"write {posixpath.normpath('/' + path)}" if path else "write for example /etc/motd",
        )
    normal = "/" + posixpath.normpath(path).lstrip("/")
    if path.endswith("/"):
        return f"{shown(path)} is a directory, not a file", "directories are made as files need them"
    if path != normal:
        return f"{shown(path)} is a roundabout path", f"write {normal}"
    if len(path.encode()) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in path.split("/")):
        return f"{shown(path)} is too long", f"at most {_LONGEST_NAME} bytes a name, {_LONGEST_PATH} in all"
    if path in _OWN:
        return f"every node's {path} is netlab's", _OWN[path]
    for kernels in _KERNELS:
        if path == kernels or path.startswith(kernels + "/"):
            return f"{path} is the kernel's, and no file can be put there", "choose a path outside of " + ", ".join(_KERNELS)
    return None


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(2, len(parts))]


def _content(content: ContentFile, read: dict[str, str | Problem], problems: list[Problem]) -> str | None:
    """The text of a file: its own, or another file's."""
    if not content.is_whole:
        return None
    if (content.text is None) == (content.from_ is None):
        message = "a file has either text: or from:, and this has " + ("both" if content.text is not None else "neither")
        problems.append(Problem(content.place(), message, "text: is what it holds, from: another file that holds it"))
        return None
    if content.from_ is None:
        return content.text
    node = content.node.at("from")
    path = os.path.join(os.path.dirname(node.file), content.from_)
    if path not in read:
        told = _read(path, content.from_)
        read[path] = told if isinstance(told, str) else Problem(node.place(), *told)
    found = read[path]
    if isinstance(found, Problem):
        problems.append(Problem(node.place(), found.message, found.fix))
        return None
    return found


def _read(path: str, written: str) -> str | tuple[str, str]:
    """The text of a file, or what is wrong with it and the fix."""
    folder = os.path.dirname(path) or "."
    try:
        with open(path, "rb", opener=_without_waiting) as source:
            if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                return f"{shown(written)} is no regular file", "give a file"
            raw = source.read(_LARGEST + 1)
    except FileNotFoundError:
        near = did_you_mean(os.path.basename(path), _names(folder))
        return f"there is no file {shown(written)}", near or f"it is sought in {folder}"
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        return f"{shown(written)} cannot be read: {reason}", ""
    if len(raw) > _LARGEST:
        return f"{shown(written)} is too large: at most 1 MB is read", ""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        return f"{shown(written)}: byte 0x{raw[error.start]:02x} is not UTF-8", "files of a node are text"


def _without_waiting(path: str, flags: int) -> int:
    """Opening a pipe waits for its writer otherwise."""
    return os.open(path, flags | os.O_NONBLOCK)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
