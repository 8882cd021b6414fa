"""The fixture of the tests of edges."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edges.play import Reach

pytest.register_assert_rewrite("edges.play")  # its assertions are the tests'


@pytest.fixture
def reach(tmp_path: Path, record_property: Callable[[str, object], None]) -> "Reach":
    """Plays a scenario, and records which edges it reached."""
    from edges.play import Reach

    return Reach(tmp_path, record_property)
