"""Reads what a call must give: what stands after ``->``. Knows results, not the calls that give them."""

import re
from dataclasses import replace

from netlab.notation.calls import Result
from netlab.notation.constants import canonical_errno, combined, is_errno, is_signal, known, suggest, suggest_errno
from netlab.notation.lexer import IDENTIFIER, NotationError, Scanner
from netlab.notation.parse_values import number, parse_value
from netlab.notation.spelling import did_you_mean
from netlab.notation.values import Constant, Number

_OUT = re.compile(r"\s+out(?:\s+|$)")
_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|\d+)")
_WORD = re.compile(r"[^\s|]+")


def parse_result(text: str) -> Result:
    """Read what stands after ``->``: a value, errno, fd, blocks, ?, >=N, &FLAG, !&FLAG, =x, partial or signal; and ``out OUT``."""
    return read_result(text, 0)


def read_result(text: str, offset: int) -> Result:
    """The result that stands from this column to the end of the text."""
    out = _OUT.search(text, offset)
    said = None
    if out is not None:
        said = text[out.end() :].strip()
        if not said:
            raise NotationError("out must be followed by what the call gives", out.end(), "write for example -> 0 out 0")
        text = text[: out.start()]
    scanner = Scanner(text, offset)
    if scanner.at_end():
        raise NotationError("-> must be followed by a result", offset, "write a value, an errno's name, fd, blocks or ?")
    result = _form(scanner)
    scanner.end("the result")
    return replace(result, out=said)


def _form(scanner: Scanner) -> Result:
    start = scanner.position
    for literal, form in ((">=", "at_least"), ("!&", "no_flag"), ("&", "flag"), ("=", "same"), ("?", "any")):
        if scanner.take(literal):
            return _prefixed(scanner, form, literal)
    match = _WORD.match(scanner.text, start)
    word = match[0] if match else ""
    if word in ("fd", "blocks", "partial"):
        scanner.take(word)
        return Result(word)
    if word == "signal":
        scanner.take(word)
        scanner.skip()
        start = scanner.position
        match = _WORD.match(scanner.text, start)
        word = match[0] if match else ""
        if not is_signal(word):
            close = suggest(word, "SIG")
            fix = f'did you mean "{close}"?' if close else "write for example signal SIGPIPE"
            raise scanner.error(f'"{word}" is no signal', fix)
        scanner.position = start + len(word)
        return Result("signal", errno=word)
    if is_errno(word) or is_signal(word):
        scanner.take(word)
        return Result("errno", errno=canonical_errno(word)) if is_errno(word) else Result("signal", errno=word)
    return _value(scanner, word, start)


def _value(scanner: Scanner, word: str, start: int) -> Result:
    if not known(word) and re.fullmatch(r"E[A-Z0-9]+", word):
        close = suggest_errno(word)
        raise scanner.error(f"{word} is no errno", f'did you mean "{close}"?' if close else "see errno(3) for their names", start)
    if re.fullmatch(r"[a-z_]\w*", word):
        fix = did_you_mean(word, ("fd", "blocks", "partial", "signal")) or f"write ={word} for the same descriptor as {word}"
        raise scanner.error(f'"{word}" is no result', fix, start)
    value = parse_value(scanner)
    if isinstance(value, Number):
        return Result("value", value=value.value)
    if isinstance(value, Constant):
        return Result("value", value=combined(value.names))
    raise scanner.error(
        f'"{word}" is no result', "write a value, an errno's name, fd, blocks or ?; what else it gives after out", start
    )


def _prefixed(scanner: Scanner, form: str, literal: str) -> Result:
    match form:
        case "any":
            return Result("any")
        case "at_least":
            match_ = scanner.match(_INTEGER)
            if match_ is None:
                raise scanner.error(f">= needs a number, found {scanner.found()}")
            return Result("at_least", value=number(match_[0]))
        case "same":
            name = scanner.match(IDENTIFIER)
            if name is None:
                raise scanner.error("= needs the name of a descriptor", "=x means the same number as descriptor x")
            return Result("same", name=name[0])
    start = scanner.position
    value = parse_value(scanner)
    if isinstance(value, Constant):
        return Result(form, flags=value.names)
    if isinstance(value, Number):
        return Result(form, flags=(value.value,))
    raise scanner.error(f"{literal} needs a flag", f"write for example {literal}O_NONBLOCK", start)
