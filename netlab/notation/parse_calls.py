"""Reads one step: ``NAME = CALL & as JOB -> RESULT took BOUND``, ``join JOB``, ``run PROGRAM``. Knows words, runs nothing."""

import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from netlab.notation.calls import Bound, Call, CallText, JoinText, Result, RunText
from netlab.notation.constants import known
from netlab.notation.lexer import IDENTIFIER, Scanner, parse_bounds
from netlab.notation.parse_results import read_result
from netlab.notation.parse_values import looks_constant, parse_value
from netlab.notation.signatures import SIGNATURES, Parameter, Signature
from netlab.notation.spelling import did_you_mean
from netlab.notation.values import BadPointer, Buffer, Constant, Name, Number, Parts, Rights, SocketAddress, Structure, Text, Value

RESERVED = frozenset({"BUF", "NONE", "NULL", "BADPTR", "buf", "rights", "iov", "unspec", "unixfamilyonly", "join", "run"})
"""Words that mean something in the notation and so name no descriptor."""

_JOIN = re.compile(r"join(?=\s|$)(?!\s*[=(])")
_RUN = re.compile(r"run(?=\s|$)(?!\s*=)")
_BINDS_ONE = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)")
_BINDS_PAIR = re.compile(r"\(\s*([A-Za-z_]\w*)\s*,\s*([A-Za-z_]\w*)\s*\)\s*=")
_KEYWORD = re.compile(r"([A-Za-z_]\w*)\s*=")
_CALLED = re.compile(r"(?:(?:\(\s*\w+\s*,\s*\w+\s*\)|\w+)\s*=\s*)?[A-Za-z_]\w*\(")
_TOOK = re.compile(r"(?<!\S)took\s+(?=[<>])")
_RUN_END = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+""")


def parse_step(text: str) -> CallText | JoinText | RunText:
    """Read all that one step says after its host."""
    scanner = Scanner(text)
    if scanner.match(_JOIN):
        job = _job(scanner, "join")
        result, took = _outcome(scanner, Result(), f"join {job}")
        return JoinText(job, result, took)
    if scanner.match(_RUN):
        return _run(scanner)
    call = _call(scanner)
    job = _background(scanner)
    result, took = _outcome(scanner, Result(), "the call")
    return CallText(call, job, result, took)


def _outcome(scanner: Scanner, default: Result, after: str) -> tuple[Result, tuple[Bound, ...]]:
    """``-> RESULT took BOUND``, either or both left out, to the end of the line."""
    took: tuple[Bound, ...] = ()
    end = len(scanner.text)
    timed = list(_TOOK.finditer(scanner.text, scanner.position))
    if timed:
        end = timed[-1].start()
        bounds = Scanner(scanner.text, timed[-1].end())
        took = parse_bounds(bounds, "took")
        bounds.end("the bounds")
    if scanner.take("->"):
        return read_result(scanner.text[:end], scanner.position), took
    if scanner.found() == '"took"' and not timed:
        scanner.take("took")
        parse_bounds(scanner, "took")
    if scanner.text[scanner.position : end].strip():
        fix = did_you_mean(scanner.found().strip('"'), ("took",)) or "after it may stand & as JOB, -> RESULT, took BOUND"
        raise scanner.error(f"unexpected {scanner.found()} after {after}", fix)
    return default, took


def _background(scanner: Scanner) -> str:
    if not scanner.take("&"):
        return ""
    if not scanner.take("as"):
        raise scanner.error("& must be followed by a job's name", "write & as j, and later: join j")
    return _job(scanner, "& as")


def _job(scanner: Scanner, after: str) -> str:
    match = scanner.match(IDENTIFIER)
    if match is None:
        raise scanner.error(f"{after} needs a job's name, found {scanner.found()}")
    return match[0]


def _run(scanner: Scanner) -> RunText:
    scanner.skip()
    start = end = scanner.position
    while not scanner.at_end():
        word = _RUN_END.match(scanner.text, scanner.position)
        if word is None:
            raise scanner.error("this quote is never closed")
        if word[0] in ("&", "->") or (word[0] == "took" and _TOOK.match(scanner.text, word.start())):
            break
        scanner.position = end = word.end()
    words = shlex.split(scanner.text[start:end])
    if not words:
        raise scanner.error("run needs a program", 'write for example run nc -l 8080, or run sh -c "..."')
    job = _background(scanner)
    result, took = _outcome(scanner, Result(form="value", value=0), "the program")
    return RunText(tuple(words), job, result, took)


def _call(scanner: Scanner) -> Call:
    scanner.skip()
    start = scanner.position
    binds: tuple[str, ...] = ()
    if pair := scanner.match(_BINDS_PAIR):
        binds = (pair[1], pair[2])
    elif one := scanner.match(_BINDS_ONE):
        binds = (one[1],)
    for name in binds:
        if name in RESERVED or known(name) or looks_constant(name):
            raise scanner.error(f'"{name}" has a meaning of its own and cannot name a descriptor', "choose another name", start)
    scanner.skip()
    at = scanner.position
    called = scanner.match(IDENTIFIER)
    if called is None:
        raise scanner.error(f"expected a call, found {scanner.found()}", "write for example s = socket(AF_INET, SOCK_STREAM, 0)")
    signature = SIGNATURES.get(called[0])
    if signature is None:
        fix = did_you_mean(called[0], [*SIGNATURES, "join", "run"])
        raise scanner.error(f"{called[0]} is no call that netlab knows", fix, at)
    scanner.expect("(", called[0])
    arguments, keywords, starts = _arguments(scanner, signature)
    if binds and len(binds) != signature.names:
        gives = {0: "no descriptor to name", 1: "one thing to name", 2: "two descriptors: (a, b) = ..."}[signature.names]
        raise scanner.error(f"{signature.name} gives {gives}", offset=start)
    if signature.returns == "pid" and signature.names and not binds:
        raise scanner.error("the child needs a name", f"write p = {signature.name}(); its steps are those of HOST/p", start)
    try:
        assigned = signature.assign(arguments)
    except ValueError as error:
        count = f"{len(arguments)} argument{'' if len(arguments) == 1 else 's'}"
        raise scanner.error(f"{signature.name} has {count}", f"it is written {error}", at) from None
    _check_kinds(scanner, assigned, starts)
    return Call(signature.name, arguments, keywords, binds)


def _arguments(scanner: Scanner, signature: Signature) -> tuple[tuple[Value, ...], tuple[tuple[str, Value], ...], tuple[int, ...]]:
    """The arguments by position and by name, and the columns where those by position begin."""
    arguments: list[Value] = []
    starts: list[int] = []
    keywords: dict[str, Value] = {}
    folded = False
    takes_call = any(parameter.kind == "call" for parameter in signature.parameters)
    while not scanner.take(")"):
        scanner.skip()
        start = scanner.position
        if takes_call and (_CALLED.match(scanner.text, start)):
            arguments.append(_call(scanner))
            starts.append(start)
        elif keyword := scanner.match(_KEYWORD):
            _check_keyword(scanner, signature, keyword[1], keywords, start)
            keywords[keyword[1]] = parse_value(scanner)
        elif keywords:
            raise scanner.error("an argument by position cannot follow one by name", offset=start)
        else:
            value = parse_value(scanner)
            last = arguments[-1] if arguments else None
            if folded:
                raise scanner.error("nothing can follow an address and its length", f"it is written {signature.usage}", start)
            if isinstance(last, SocketAddress) and last.form != "interface" and isinstance(value, Number):
                arguments[-1], folded = replace(last, length=value.value), True
            else:
                arguments.append(value)
                starts.append(start)
        if not scanner.take(","):
            scanner.expect(")", f"the arguments of {signature.name}")
            break
        scanner.skip()
        if scanner.text[scanner.position : scanner.position + 1] in (")", ""):
            raise scanner.error("an argument is missing after the comma")
    return tuple(arguments), tuple(keywords.items()), tuple(starts)


def _check_keyword(scanner: Scanner, signature: Signature, name: str, before: Collection[str], start: int) -> None:
    if name in before:
        raise scanner.error(f"{name}= stands twice", offset=start)
    if name not in signature.keywords:
        fix = did_you_mean(name, signature.keywords) or f"it is written {signature.usage}"
        raise scanner.error(f"{signature.name} takes no {name}=", fix, start)


def _check_kinds(scanner: Scanner, assigned: Iterable[tuple[Parameter, Value | None]], starts: Sequence[int]) -> None:
    """Refuse what no reading makes sense of; a wrong number, a bad pointer or a closed descriptor are there to be tried."""
    given = [(parameter, value) for parameter, value in assigned if value is not None]
    for (parameter, value), start in zip(given, starts, strict=True):
        shown = scanner.text[start:].split(",")[0].split(")")[0].strip()
        what = f'"{shown}" is no {parameter.kind.split()[0] if parameter.kind != "int" else "number"}'
        if isinstance(value, Name) and value.name in ("BUF", "NONE"):
            continue
        match parameter.kind:
            case "address in" if isinstance(value, Name):
                fix = f"write {shown}:8080 for a port of host {shown}, or @{shown} for what getsockname gives"
                raise scanner.error(what, fix, start)
            case "address in" if isinstance(value, Number | Constant | Structure | Rights | Parts):
                raise scanner.error(what, "write for example 10.0.0.1:80, [::1]:80, server:8080, @s or unix:path", start)
            case "fd" if not isinstance(value, Number | Constant | Name):
                raise scanner.error(what, "write a descriptor's name, or its number", start)
            case "int" if not isinstance(value, Number | Constant | Name):
                raise scanner.error(what, f"{parameter.name} is a number or a constant", start)
            case "milliseconds" if not isinstance(value, Number | Constant | Name | BadPointer):
                raise scanner.error(what, f"{parameter.name} is a number of milliseconds", start)
            case "call":
                _check_inner(scanner, value, start)
            case "buffer in" | "buffer out" if not isinstance(value, Text | Buffer | BadPointer):
                raise scanner.error(what, 'write buf(10), "hello", NULL[10] or BADPTR[10]', start)
            case _:
                pass


def _check_inner(scanner: Scanner, value: Value, start: int) -> None:
    """What stands where a call is due is one that another process or thread can make: none that netlab does by itself."""
    if not isinstance(value, Call):
        raise scanner.error("a call is due here", "write for example after(200, write(c, buf(1))) or child(close(s))", start)
    if value.inner is not None or value.name == "fork":
        raise scanner.error(f"{value.name} stands in a step of its own", offset=start)
