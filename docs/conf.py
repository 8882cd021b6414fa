"""How Sphinx builds these pages: sh ci/docs. The reference is written from the code first, and every warning is an error."""

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from ci import reference_pages  # noqa: E402 - found by the line above
from netlab import __version__  # noqa: E402

reference_pages.write()

project = "netlab"
author = "the netlab project"
release = version = __version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
nitpicky = True
html_theme = "alabaster"
html_theme_options = {"description": "pytest for the network stack", "page_width": "70rem", "sidebar_width": "16rem"}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_show_sourcelink = False
pygments_style = "friendly"


def setup(app: Sphinx) -> None:
    """A diagram in mermaid is text here; GitHub draws it."""
    app.add_lexer("mermaid", TextLexer)
