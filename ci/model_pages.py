"""Writes docs/model from the claims: python -m ci.model_pages. A test says when the pages are not current."""

import sys
from pathlib import Path

from netlab.files import shipped_claims
from netlab.report.model_pages import chapters

FOLDER = Path(__file__).parent.parent / "docs" / "model"


def main() -> int:
    """Write them; pages of no group go."""
    pages = chapters(*shipped_claims())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text)
    print(f"{len(pages)} pages in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
