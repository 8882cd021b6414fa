"""The README opens with its two commands, and the Chinese one says the same; its examples and commands: test_documents.py."""

import re
from pathlib import Path

from documents import ROOT, Block, Command, parsed

README, CHINESE = ROOT / "README.md", ROOT / "README.zh.md"


def headings(page: Path) -> list[str]:
    """The levels of its headings, in order: what they say is in another language."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+", text, re.MULTILINE)


def examples(page: Path) -> list[tuple[str, ...]]:
    """Blocks as they are, commands without their comments."""
    return [
        (one.language, one.name, one.text) if isinstance(one, Block) else (one.text, str(one.status), one.prints)
        for one in parsed(page)
    ]


def links(page: Path) -> list[str]:
    """Where its links lead, but for each to the other."""
    found = re.findall(r"\]\(([^)]+)\)", page.read_text())
    return [link for link in found if link not in (README.name, CHINESE.name)]


def test_the_two_commands_open_it() -> None:
    lines = README.read_text().splitlines()
    assert [line.split("#")[0].strip() for line in lines[2:4]] == ["make demo", "make test"]


def test_every_link_leads_somewhere() -> None:
    for page in (README, CHINESE):
        local = [link.split("#")[0] for link in links(page) if "://" not in link]
        assert [link for link in local if not (ROOT / link).exists()] == []
        assert len(local) >= 15


def test_the_chinese_readme_is_in_step() -> None:
    assert headings(CHINESE) == headings(README)
    assert examples(CHINESE) == examples(README)
    assert links(CHINESE) == links(README)
    assert any(isinstance(one, Command) for one in parsed(CHINESE))
