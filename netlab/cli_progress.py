"""A bar on standard error that tells how many of a known number of things are done. Only click is imported here."""

import sys
import threading
from typing import Any

import click


class Progress:
    """The bar, gone when the ``with`` statement ends; nothing at all where it is not ``shown``. Any thread may ``advance`` it."""

    def __init__(self, length: int, label: str, *, shown: bool) -> None:
        self._lock = threading.Lock()
        self._bar: Any = click.progressbar(length=length, label=label, file=sys.stderr, show_pos=True) if shown else None

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def advance(self, _: object = None) -> None:
        """One more is done."""
        if self._bar is not None:
            with self._lock:
                self._bar.update(1)
