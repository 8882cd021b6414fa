"""A folder that every user may enter, which pytest's own are not."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="netlab-tests-") as name:
        Path(name).chmod(0o777)
        yield Path(name)
