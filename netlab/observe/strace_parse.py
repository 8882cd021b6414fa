"""One line of strace's output: who, when, and what; and the values it writes, taken apart. Pure.

It reads what strace 5.12 to 6.x writes with ``-f -y --decode-pids=comm --timestamps=format:unix,precision:ns
--syscall-times=ns`` (strace(1)), and with fewer or other options: without -f the thread's number is 0, without -t the time is 0;
of -t and -tt it is that of the day, of -r that since the line before. It refuses to know what a call means, and what became of one
that a later line finishes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["call", "begun", "resumed", "signal", "exited", "killed", "superseded", "other"]

_SECOND = 1_000_000_000
# Who (none without -f), and when: -t and -tt give the time of day, -ttt seconds since 1970, -r those since the line before.
_PREFIX = re.compile(
    r" *(?:(?:\[pid +)?(\d+)(?:<((?:[^<>\\]|\\.)*)>)?\]? +)?"
    r"(?:(?:(\d\d):(\d\d):)?(\d+)(?:\.(\d{3}|\d{6}|\d{9}))? +)?(?=[\w?]+\(|[-+<])"
)
_RESUMED = re.compile(r"<\.\.\. ([\w?]+) resumed> ?")
_CALL = re.compile(r"([\w?]+)\(")
_SIGNAL = re.compile(r"--- (SIG\w+) ")
_EXITED = re.compile(r"\+\+\+ exited with (\d+) \+\+\+")
_KILLED = re.compile(r"\+\+\+ killed by (SIG\w+)(?: \(core dumped\))? \+\+\+")
_SUPERSEDED = re.compile(r"\+\+\+ superseded by execve in pid (\d+)")
_BEGUN = re.compile(r" ?<(?:unfinished|pid changed to (\d+)|detached) \.\.\.>$")
# Strings, comments and what -y adds to a descriptor may hold any bracket or comma; in the latter strace escapes < and >.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|(?<=[\dD])<(?!\.\.\.)[^<>]*>|[][{}(),]')
_RESULT = re.compile(r" *= (.*?)(?: <(\d+)\.(\d{6}|\d{9})>)?$")
_VALUE = re.compile(r"(\?|0x[0-9a-f]+|-?\d+)(?:<([^<>]*)>)?(?: (E[A-Z0-9_]+))?")
_DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)(?:<([^<>]*)>)?$")
_SOCKET = re.compile(r"socket:\[(\d+)\]$")
_COMMENT = re.compile(r" */\*.*?\*/")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))", re.S)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line: the thread's number as strace has it, its name, the time in ns (since 1970 with -ttt), and what happened.

    ``name`` is the call's or the signal's; ``text`` what follows the call's opening bracket (of "begun", without the mark that it
    is unfinished; of "resumed", the rest); ``number`` the exit status, or another thread's number: the one whose exec superseded
    this one, or, of "begun", the one that this thread's number changes to.
    """

    tid: int
    program: str
    time: int
    kind: Kind
    name: str = ""
    text: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a call gave: ``value`` None where it did not return ("?"), ``errno``'s name, what -y says of a descriptor that it made,
    the whole text, and how long it took in ns."""

    value: int | None
    errno: str
    target: str
    text: str
    duration: int


def parse_line(line: str) -> Line:
    """Raises ValueError when it is no line of strace's."""
    prefix = _PREFIX.match(line)
    if prefix is None:
        raise ValueError(f"no line of strace's: {line[:80]!r}")
    tid, program, hours, minutes, seconds, fraction = prefix.groups()
    time = int(seconds or 0) + 60 * int(minutes or 0) + 3600 * int(hours or 0)
    rest = line[prefix.end() :].rstrip("\n")
    kind, name, text, number = _happened(rest)
    return Line(
        tid=int(tid or 0),
        program=unescaped(program or "").decode(errors="replace"),
        time=time * _SECOND + _nanoseconds(fraction),
        kind=kind,
        name=name,
        text=text,
        number=number,
    )


def _nanoseconds(fraction: str | None) -> int:
    return int((fraction or "0").ljust(9, "0")[:9])


def _happened(rest: str) -> tuple[Kind, str, str, int]:
    if found := _RESUMED.match(rest):
        return "resumed", found[1], rest[found.end() :], 0
    if found := _CALL.match(rest):
        text = rest[found.end() :]
        if end := _BEGUN.search(text):
            return "begun", found[1], text[: end.start()], int(end[1] or 0)
        return "call", found[1], text, 0
    if found := _SIGNAL.match(rest):
        return "signal", found[1], "", 0
    if found := _EXITED.match(rest):
        return "exited", "", "", int(found[1])
    if found := _KILLED.match(rest):
        return "killed", found[1], "", 0
    if found := _SUPERSEDED.match(rest):
        return "superseded", "", "", int(found[1])
    if rest.startswith(("--- ", "+++ ", "<... ")):
        return "other", "", rest, 0
    raise ValueError(f"no line of strace's: {rest[:80]!r}")


def finished(text: str) -> tuple[list[str], Outcome]:
    """The arguments and the outcome of a call, from what follows its opening bracket. Raises ValueError for what is none."""
    parts, end = _split(text)
    if end < 0 or not (found := _RESULT.match(text, end + 1)):
        raise ValueError(f"no call's arguments and result: {text[:80]!r}")
    result, seconds, nanoseconds = found.groups()
    value = _VALUE.match(result)
    if value is None:
        raise ValueError(f"no call's result: {result[:80]!r}")
    word, target, errno = value.groups()
    # "? ERESTARTSYS (...)" has a name: the kernel's own number for a call that a signal interrupted.
    number = None if word == "?" and not errno else -1 if errno else int(word, 0)
    duration = int(seconds) * _SECOND + _nanoseconds(nanoseconds) if seconds else 0
    return parts, Outcome(value=number, errno=errno or "", target=target or "", text=result, duration=duration)


def arguments(text: str) -> list[str]:
    """As many arguments as there are of a call that did not return."""
    parts, _ = _split(text.replace("<unfinished ...>", ""))
    return parts


def _split(text: str) -> tuple[list[str], int]:
    """What lies between the commas outside of all brackets, and where the closing bracket of all is (-1: nowhere)."""
    parts: list[str] = []
    level, begin = 0, 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "([{":
            level += 1
        elif sign in ")]}":
            if level == 0:
                return [*parts, *_last(text[begin : token.start()])], token.start()
            level -= 1
        elif sign == "," and level == 0:
            parts.append(text[begin : token.start()].strip())
            begin = token.end()
    return [*parts, *_last(text[begin:])], -1


def _last(text: str) -> list[str]:
    return [text.strip()] if text.strip() else []


def fields(text: str) -> dict[str, str]:
    """The members of ``{a=1, b={c=2}}`` by name, of one without (inet_pton(...)) by the function's; {} for no structure."""
    if not text.startswith("{"):
        return {}
    found = {}
    for part in _split(text[1:])[0]:
        name, sign, value = part.partition("=")
        if sign and name.isidentifier():
            found[name] = value
        elif call := _CALL.match(part):
            found[call[1]] = part
    return found


def items(text: str) -> list[str]:
    """The elements of ``[a, b]``; strace separates descriptors of a set by blanks. [] for what is no array."""
    if not text.startswith("["):
        return []
    inside = text[1:]
    parts, end = _split(inside)
    return [item for part in parts for item in _apart(_COMMENT.sub("", part))] if end >= 0 else []


def _apart(part: str) -> Iterator[str]:
    if part[:1].isdigit() and " " in part:
        yield from re.findall(r"\d+(?:<[^<>]*>)?", part)
    else:
        yield part


def given(text: str) -> str:
    """The value without a comment beside it and, where the call changed it (``[128 => 16]``), as it was after."""
    return _COMMENT.sub("", text).rpartition(" => ")[2].strip()


def number(text: str) -> int | None:
    """A number as strace writes one: 80, 0x50, 0600, htons(80), [1], NULL (None), INT_MAX; None for what is none."""
    word = given(text).strip("[]")
    if call := re.fullmatch(r"\w+\((.*)\)", word):
        word = call[1]
    if word in _LIMITS:
        return _LIMITS[word]
    try:
        return int(word, 8) if re.fullmatch(r"0[0-7]+", word) else int(word, 0)
    except ValueError:
        return None


_LIMITS = {"INT_MAX": 2**31 - 1, "INT_MIN": -(2**31), "UINT_MAX": 2**32 - 1, "~0U": 2**32 - 1}


def words(text: str) -> list[str]:
    """The names in ``A|B``; bits without a name in hexadecimal, as strace has them; [] for 0."""
    return [word for part in given(text).split("|") if (word := part.strip()) and word != "0"]


def descriptor(text: str) -> tuple[int, str]:
    """A descriptor's number and what -y says that it is: (3, "socket:[1234]"). (-1, "") for what is none."""
    found = _DESCRIPTOR.match(text)
    if found is None or found[1] == "AT_FDCWD":
        return -1, ""
    return int(found[1]), unescaped(found[2] or "").decode(errors="replace")


def inode(target: str) -> int:
    """The inode of the socket that a descriptor is; 0 for what is no socket."""
    found = _SOCKET.match(target)
    return int(found[1]) if found else 0


def unescaped(text: str) -> bytes:
    """The bytes that a C string stands for, as strace writes it between quotation marks."""
    return _ESCAPE.sub(_byte, text.encode(errors="surrogateescape"))


def _byte(found: "re.Match[bytes]") -> bytes:
    hexadecimal, octal, letter = found.groups()
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    return _LETTERS.get(letter, letter)


def string(text: str) -> bytes | None:
    """What is quoted, without the dots after a string that strace cut; None for what is no string."""
    found = re.match(r'"((?:[^"\\]|\\.)*)"', text)
    return unescaped(found[1]) if found else None
