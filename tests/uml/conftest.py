"""The fixture ``guest``: a second kernel, or a skip that says what is missing."""

from pathlib import Path

import pytest
from uml.guest import Guest, lacking


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    if reason := lacking():
        pytest.skip(reason)
    return Guest(tmp_path)
