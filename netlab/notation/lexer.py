"""Reads a line of notation from left to right and says where it stopped. Knows characters and columns, not calls or packets."""

import re

from netlab.notation.calls import Bound
from netlab.units import Duration

_SPACE = re.compile(r"\s*")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL)
_SIMPLE_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"e": b"\x1b"}
_LITERAL_ESCAPES = (b"\\", b'"', b"'", b"?")
_BOUND = re.compile(r"(<=|>=|<|>)\s*(\d+(?:\.\d+)?\s*[a-z]+)")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class NotationError(ValueError):
    """What was written is not in the notation: what is wrong, at which column (0-based), and the fix ("" when nobody can guess)."""

    def __init__(self, message: str, offset: int = 0, fix: str = "") -> None:
        self.message, self.offset, self.fix = message, offset, fix
        super().__init__(f"column {offset + 1}: {message}" + (f"; {fix}" if fix else ""))


class Scanner:
    """A position in a text. Every method that consumes skips white space first."""

    def __init__(self, text: str, position: int = 0) -> None:
        self.text, self.position = text, position

    def skip(self) -> None:
        """Pass over white space."""
        match = _SPACE.match(self.text, self.position)
        assert match is not None
        self.position = match.end()

    def at_end(self) -> bool:
        """Whether nothing but white space is left."""
        self.skip()
        return self.position >= len(self.text)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Consume what the pattern matches here, or nothing."""
        self.skip()
        found = pattern.match(self.text, self.position)
        if found is not None:
            self.position = found.end()
        return found

    def take(self, literal: str) -> bool:
        """Consume this very text if it is next."""
        self.skip()
        if not self.text.startswith(literal, self.position):
            return False
        self.position += len(literal)
        return True

    def expect(self, literal: str, after: str) -> None:
        """Consume this very text, or say what stands there instead."""
        if not self.take(literal):
            raise self.error(f'expected "{literal}" after {after}, found {self.found()}')

    def found(self) -> str:
        """What stands here, for an error."""
        self.skip()
        rest = self.text[self.position :].split()
        return f'"{rest[0]}"' if rest else "the end"

    def error(self, message: str, fix: str = "", offset: int | None = None) -> NotationError:
        """An error here, or at another column."""
        return NotationError(message, self.position if offset is None else offset, fix)

    def end(self, after: str) -> None:
        """Nothing may follow."""
        if not self.at_end():
            raise self.error(f"unexpected {self.found()} after {after}")

    def string(self) -> bytes:
        """A quoted string with C's escapes; the opening quote is next."""
        self.skip()
        start = self.position
        match = self.match(_STRING)
        if match is None:
            raise self.error("this string is never closed", 'add a closing "', start)
        return unescape(match[1], start + 1)


def unescape(text: str, offset: int = 0) -> bytes:
    """The bytes that the inside of a C string stands for."""

    def replace(match: re.Match[bytes]) -> bytes:
        body = match[1]
        if body[:1] == b"x" and len(body) == 3:
            return bytes([int(body[1:], 16)])
        if body[0] in b"01234567":
            if int(body, 8) > 255:
                raise NotationError(f"\\{body.decode()} is more than a byte", offset + match.start())
            return bytes([int(body, 8)])
        if body in _LITERAL_ESCAPES:
            return body
        if body in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[body]
        shown = body.decode(errors="replace")
        raise NotationError(f"\\{shown} is no escape of C's", offset + match.start(), f"write \\\\{shown} for a backslash")

    return _ESCAPE.sub(replace, text.encode())


def parse_bounds(scanner: Scanner, word: str) -> tuple[Bound, ...]:
    """``>=180ms, <2s`` after the word ``took`` or ``after``."""
    bounds: list[Bound] = []
    while True:
        scanner.skip()
        start = scanner.position
        match = scanner.match(_BOUND)
        if match is None:
            raise scanner.error(f"{word} needs a bound, found {scanner.found()}", f"write for example {word} >=95ms or {word} <1s")
        try:
            bounds.append(Bound(match[1], Duration.parse(match[2])))
        except ValueError as error:
            raise scanner.error(str(error), offset=start) from None
        if not scanner.take(","):
            return tuple(bounds)
