"""What the pages of the documents hold: named files, commands in their order, and what commands print.

A file is a block of code whose introduction ends with its name: Save this as `slow.scenario.yaml`. A command is an indented
line, or one after `$ `; its comment may say "exit status 1". A block of text right after a command is what it prints, but for
numbers; `...` stands for any lines.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
RENDERED = (DOCS / "model", DOCS / "reference", DOCS / "decisions")
"""Made from the code, and held against it elsewhere; and history, whose commands are those of their day."""

_FENCE = re.compile(r"^ *```(\w*)\s*$")
_NAMED = re.compile(r"`([\w.-]+\.(?:yaml|yml|py|json))`[^`]*:\s*$")
_COMMAND = re.compile(r"^(?: {4,}|\$ )((?:netlab-ns|pytest|python3?|sudo|git|make|pip|mkdir|cd|sh|curl|\.) .*)$")
_SETTING = re.compile(r"[A-Z_]+=\S+")
_STATUS = re.compile(r"(?:exit status|退出状态) (\d+)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code, with the name of the file that it is, if it is one."""

    language: str
    name: str
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command as it stands on a page, what it must exit with, and what it prints, if the page says so."""

    text: str
    status: int
    prints: str
    line: int

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def is_usage(self) -> bool:
        """Whether it only says how a command is written: FILE, NAME..., [OPTION]."""
        return any(re.fullmatch(r"\[.*|.*\.\.\.|[A-Z][A-Z|.]+", word) for word in self.words[1:])


def pages() -> list[Path]:
    """The pages that people write, the README first."""
    found = [path for path in sorted(DOCS.rglob("*.md")) if not set(RENDERED) & set(path.parents)]
    return [ROOT / "README.md", *found]


def parsed(page: Path) -> list[Block | Command]:
    """What is on a page, in its order."""
    made: list[Block | Command] = []
    lines = iter(enumerate(page.read_text().splitlines(), 1))
    before = ""
    for number, line in lines:
        if fence := _FENCE.match(line):
            text = _until_the_fence(lines)
            _add(made, fence[1], before, text, number)
            before = ""
        elif command := _COMMAND.match(line):
            made.append(_command(command[1], number))
            before = ""
        elif line.strip():
            before = f"{before} {line.strip()}"
        elif not before.endswith(":"):
            before = ""
    return made


def _until_the_fence(lines: Iterator[tuple[int, str]]) -> str:
    taken = []
    for _, line in lines:
        if line.strip() == "```":
            break
        taken.append(line)
    return "".join(f"{line}\n" for line in taken)


def _add(made: list[Block | Command], language: str, before: str, text: str, number: int) -> None:
    last = made[-1] if made else None
    if language == "text" and not before and isinstance(last, Command):
        made[-1] = Command(text=last.text, status=last.status, prints=text, line=last.line)
    elif language in ("sh", "bash", "console"):
        for offset, line in enumerate(text.splitlines(), 1):
            if command := _COMMAND.match(line if line.startswith("$ ") else f"$ {line}"):
                made.append(_command(command[1], number + offset))
    else:
        name = _NAMED.search(before)
        made.append(Block(language=language, name=name[1] if name else "", text=text, line=number))


def _command(text: str, number: int) -> Command:
    written, _, comment = text.partition("  #")
    status = _STATUS.search(comment)
    return Command(text=written.strip(), status=int(status[1]) if status else 0, prints="", line=number)


def blocks(language: str, page: Path) -> list[Block]:
    """The blocks of a page in one language."""
    return [one for one in parsed(page) if isinstance(one, Block) and one.language == language]


def commands(page: Path) -> list[Command]:
    """The commands of a page."""
    return [one for one in parsed(page) if isinstance(one, Command)]


def inline(page: Path) -> list[str]:
    """The commands of netlab's that stand within sentences."""
    return re.findall(r"`(netlab-ns [^`]+)`", page.read_text())


def missing(said: str, printed: str) -> list[str]:
    """The lines that a page says a command prints, and that it did not print in this order; numbers and spaces may be others."""
    seen = iter([_masked(line) for line in printed.splitlines()])
    return [line for line in said.splitlines() if line.strip() not in ("", "...") and _masked(line) not in seen]


def _masked(line: str) -> str:
    return " ".join(_NUMBER.sub("0", line.replace("~", " ")).split())
