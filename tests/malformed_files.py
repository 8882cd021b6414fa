"""Files that no one would write: topologies put together from parts, and shipped ones with something broken in them.

Everything is drawn by hypothesis, so that what is found wrong comes out small, and the same seed gives the same files.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from malformed_parts import KEYS, MAIN, NODE, NUMBERS, WORDS, a_node, links, overlays, soup, topologies

ROOT = Path(__file__).parent.parent
Files = dict[str, bytes]
"""A topology's files by name; MAIN is the one that is read."""


def _sources() -> Iterator[str]:
    """Texts to break: every shipped topology, every example of the guide, and what is broken already."""
    for folder in ("topologies", "tests/malformed"):
        for path in sorted((ROOT / folder).glob("*.yaml")):
            if ".scenario." not in path.name and path.stat().st_size < 20_000:
                yield path.read_bytes().decode(errors="replace")
    yield from re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/topologies.md").read_text(), re.MULTILINE | re.DOTALL)


SOURCES = tuple(_sources())
TOKENS = tuple(dict.fromkeys(token for text in SOURCES for token in re.findall(r"[^\s,{}\[\]]+", text) if len(token) < 60))


def _trees() -> Iterator[Any]:
    for text in SOURCES:
        try:
            # aliases may go in circles, or multiply
            tree = None if re.search(r"[\s\[]\*\w", text) else yaml.safe_load(text)
        except (yaml.YAMLError, ValueError):
            continue
        if isinstance(tree, dict):
            yield tree


TREES = tuple(_trees())


@st.composite
def _written(draw: DrawFn, trees: SearchStrategy[Any]) -> bytes:
    """A tree as text, in one of YAML's ways to write it."""
    tree = draw(trees)
    flow = draw(st.sampled_from((None, False, True)))
    try:
        text = yaml.dump(
            tree,
            Dumper=_Dumper,
            allow_unicode=draw(st.booleans()),
            default_flow_style=flow,
            sort_keys=False,
            width=draw(st.sampled_from((30, 1000))),
        )
    except yaml.YAMLError:
        text = json.dumps(tree)
    return str(text).encode(errors="surrogatepass")


class _Dumper(yaml.SafeDumper):
    """Without anchors, but for what drawing put there on purpose: a value that stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _paths(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _paths(value, (*path, index))


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _with(tree: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The tree with another value at a path."""
    if not path:
        return new
    if isinstance(tree, dict):
        return {key: _with(value, path[1:], new) if key == path[0] else value for key, value in tree.items()}
    return [_with(value, path[1:], new) if index == path[0] else value for index, value in enumerate(tree)]


@st.composite
def _grafted(draw: DrawFn) -> Any:
    """A topology's tree in which values were exchanged, removed, or put elsewhere."""
    tree = draw(st.sampled_from(TREES))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(_paths(tree))))
        tree = _with(tree, path, draw(_graft(_at(tree, path))))
    return tree


@st.composite
def _graft(draw: DrawFn, here: Any) -> Any:
    """What comes in a value's place."""
    match draw(st.integers(0, 5)):
        case 0 | 1:
            return draw(soup)
        case 2:
            other = draw(st.sampled_from(TREES))
            return _at(other, draw(st.sampled_from(list(_paths(other)))))
        case 3:
            return None
        case 4:
            return draw(st.one_of(topologies(), links([]), overlays([]), a_node()))
    key = draw(st.sampled_from(sorted(NODE)))
    value = draw(NODE[key])
    return {**here, key: value} if isinstance(here, dict) else value


_SIGNS = (b"[", b"{", b"]", b"}", b":", b": ", b" #", b"'", b'"', b"*a", b"&a ", b"!!str ", b"|", b"${", b"- ", b"? ", b"%", b"@")
_INDENTS = (b" ", b"  ", b"    ", b"\t", b"- ")


@st.composite
def _broken(draw: DrawFn) -> bytes:
    """A text in which bytes, words or lines were changed, as a slip of the hand or a bad disk would."""
    raw = draw(st.sampled_from(SOURCES)).encode()
    for _ in range(draw(st.integers(1, 6))):
        match draw(st.integers(0, 9)):
            case 0:
                where = draw(st.integers(0, max(0, len(raw) - 1)))
                raw = raw[:where] + bytes([draw(st.integers(0, 255))]) + raw[where + 1 :]
            case 1:
                raw = raw[: draw(st.integers(0, len(raw)))]
            case slip:
                raw = draw(_slipped(raw.split(b"\n"), slip))
    return raw


@st.composite
def _slipped(draw: DrawFn, lines: list[bytes], slip: int) -> bytes:
    """Lines with one of them gone, twice, elsewhere, or changed."""
    at, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    match slip:
        case 2:
            del lines[at]
        case 3:
            lines.insert(other, line)
        case 4:
            lines[at], lines[other] = lines[other], line
        case 5:
            lines[at] = draw(st.sampled_from(_INDENTS)) + line
        case 6:
            lines[at] = line.lstrip() if draw(st.booleans()) else line[1:]
        case 7 | 8:
            parts = re.split(rb"([\s,{}\[\]:]+)", line)
            word = draw(st.one_of(*map(st.sampled_from, (TOKENS, WORDS, KEYS)), st.sampled_from(NUMBERS).map(str)))
            parts[draw(st.integers(0, len(parts) - 1))] = word.encode(errors="surrogatepass")
            lines[at] = b"".join(parts)
        case _:
            where = draw(st.integers(0, len(line)))
            lines[at] = line[:where] + draw(st.sampled_from(_SIGNS)) + line[where:]
    return b"\n".join(lines)


@st.composite
def malformed(draw: DrawFn) -> Files:
    """The files of a topology; most are wrong somewhere."""
    match draw(st.integers(0, 9)):
        case 0 | 1 | 2:
            text = draw(_broken())
        case 3 | 4 | 5:
            text = draw(_written(_grafted()))
        case 6 | 7 | 8:
            text = draw(_written(topologies()))
        case _:
            text = draw(_written(soup)) if draw(st.booleans()) else draw(st.binary(max_size=60))
    files = {MAIN: text, "data.bin": b"\xff\xfe"}
    if b"base.yaml" in text and draw(st.booleans()):
        files["base.yaml"] = draw(_broken()) if draw(st.booleans()) else draw(_written(topologies()))
    return files
