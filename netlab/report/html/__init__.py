"""A run's result as one page of HTML that needs nothing else: no script, nothing fetched, safe to open whatever is in it.

Everything that programs and packets said is text in it, never markup; a Content-Security-Policy forbids what would be more.
"""

from netlab.check.result import RunResult

__all__ = ["dumps"]


def dumps(result: RunResult, *, elapsed: float | None = None) -> bytes:
    """The page, in UTF-8; ``elapsed`` is the run's wall time in seconds, where that is known. Jinja2 is imported here only."""
    from netlab.report.html.page import render

    return render(result, elapsed=elapsed).encode()
