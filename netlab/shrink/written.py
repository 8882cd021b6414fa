"""Writes plain data as YAML in the form of the files that ship with netlab: a line a node, a link and a step, while they fit.

What it writes reads back as the same data by ``netlab.document``. It refuses to know what the keys mean.
"""

import json
import re
from collections.abc import Mapping, Sequence
from math import isfinite
from textwrap import wrap
from typing import Any

from netlab.yaml_nodes import scalar

WIDTH = 132
_BLOCK = frozenset({"nodes", "links", "steps", "topology", "impair"})
"""Keys whose values stand a line an item, however short."""
_SPREAD = frozenset({"links", "steps"})
"""Keys whose items, if they have several keys, stand a line a key."""
_PLAIN = re.compile(r"(?:[A-Za-z0-9_./(+]|-(?=[A-Za-z]))[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]*")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_NO_CONTROLS = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]*")


def written(data: Mapping[str, Any], intent: str = "") -> str:
    """The whole file: ``intent`` as the comment on top, folded to lines, then the data."""
    intent = re.sub(r"[^\S\n]|\r", " ", _CONTROLS.sub("", intent))
    comment = [f"# {line}" for paragraph in (intent.split("\n") if intent else ()) for line in (wrap(paragraph, WIDTH - 2) or [""])]
    return "\n".join(line.rstrip() for line in [*comment, *_mapping(data, 0, top=True)]) + "\n"


def flow(value: Any, *, inside: bool = False) -> str:
    """A value on one line, ``inside`` of brackets or not."""
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{_text(str(key), inside=True, key=True)}: {flow(each, inside=True)}" for key, each in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(each, inside=True) for each in value) + "]"
    if isinstance(value, str):
        return _text(value, inside=inside)
    if isinstance(value, float) and not isfinite(value):
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"
    return json.dumps(value)


def _mapping(data: Mapping[str, Any], depth: int, *, top: bool = False) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        lines += _entry(f"{' ' * depth}{_text(str(key), key=True)}:", value, depth + 2, str(key), top=top)
    return lines


def _entry(head: str, value: Any, depth: int, key: str, *, top: bool) -> list[str]:
    """A key and its value: on one line where that fits."""
    block = top or key in _BLOCK
    short = f"{head} {flow(value)}"
    structured = isinstance(value, Mapping | list | tuple) and bool(value)
    must = block and structured and not (isinstance(value, Sequence) and not any(isinstance(each, Mapping) for each in value))
    if not structured:
        folded = _folded(value, depth) if isinstance(value, str) else []
        return [short] if not folded else [f"{head} |" + folded[0], *folded[1:]]
    if len(short) <= WIDTH and not must and not _multiline(value):
        return [short]
    return [head, *_block(value, depth, spread=key in _SPREAD)]


def _block(value: Any, depth: int, *, spread: bool = False) -> list[str]:
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    lines: list[str] = []
    for item in value:
        if isinstance(item, Mapping) and item and ((spread and len(item) > 1) or not _fits(item, depth)):
            inner = _mapping(item, depth + 2)
            lines += [f"{' ' * depth}- {inner[0].lstrip()}", *inner[1:]]
        elif isinstance(item, Mapping) and len(item) == 1 and spread:
            key, only = next(iter(item.items()))
            lines.append(f"{' ' * depth}- {_text(str(key), key=True)}: {flow(only)}")
        elif isinstance(item, list | tuple) and not _fits(item, depth):
            inner = _block(item, depth + 2)
            lines += [f"{' ' * depth}- {inner[0].lstrip()}", *inner[1:]]
        else:
            lines.append(f"{' ' * depth}- {flow(item)}")
    return lines


def _fits(item: Any, depth: int) -> bool:
    return len(flow(item)) + depth + 2 <= WIDTH and not _multiline(item)


def _multiline(value: Any) -> bool:
    """Whether a value is told better in lines: steps, and texts of several lines."""
    if isinstance(value, Mapping):
        return "steps" in value or any(_multiline(each) for each in value.values())
    if isinstance(value, list | tuple):
        return any(_multiline(each) for each in value)
    return isinstance(value, str) and bool(_folded(value, 0))


def _folded(text: str, depth: int) -> list[str]:
    """A text of several lines after ``|``: what follows the bar, and the lines. Empty where it is better quoted."""
    lines = text.split("\n")
    if len(lines) < 2 or not text.strip() or not all(_NO_CONTROLS.fullmatch(line) for line in lines):
        return []
    if lines[0][:1] in ("", " ") or any(line.endswith(" ") or (line and not line.strip()) for line in lines):
        return []
    if text.endswith("\n\n"):
        return []
    ends = text.endswith("\n")
    return ["" if ends else "-", *(f"{' ' * depth}{line}" if line else "" for line in (lines[:-1] if ends else lines))]


def _text(text: str, *, inside: bool = False, key: bool = False) -> str:
    """A text as a scalar: plain, where it then is still a text and all of it."""
    if _is_plain(text, inside=inside or key, key=key) or (text == "..." and inside and not key):
        return text
    if text and '"' in text and "\\" not in text and _NO_CONTROLS.fullmatch(text):
        return "'" + text.replace("'", "''") + "'"
    return (
        '"'
        + "".join(_ESCAPES.get(char) or (char if _NO_CONTROLS.fullmatch(char) else f"\\U{ord(char):08x}") for char in text)
        + '"'
    )


def _is_plain(text: str, *, inside: bool, key: bool) -> bool:
    if not text or text != text.strip() or not _PLAIN.fullmatch(text) or text.startswith(("...", "---")):
        return False
    if ": " in text or " #" in text or text.endswith(":") or (inside and re.search(r"[,\[\]{}:?]", text) is not None):
        return False
    return key or isinstance(_read(text), str)


def _read(text: str) -> Any:
    try:
        return scalar(text)
    except ValueError:
        return None
