"""Writes docs/model from the claims, the rules and TCP's table: python -m ci.model_pages. A test says when it is not current."""

import sys
from pathlib import Path

from netlab.files import shipped_claims
from netlab.model.sockets.tables import all_rules
from netlab.report.model_pages import chapters
from netlab.report.rules import page, tcp_page

FOLDER = Path(__file__).parent.parent / "docs" / "model"


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    made = chapters(*shipped_claims())
    others = "[the rules of the sockets API](rules.md), call by call, and [TCP's states](tcp.md)"
    made["README.md"] += f"\nBeside the claims: {others}.\n"
    return {**made, "rules.md": page(all_rules().values()), "tcp.md": tcp_page()}


def main() -> int:
    """Write them; pages of no group go."""
    made = pages()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)
    print(f"{len(made)} pages in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
