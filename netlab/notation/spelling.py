"""Guesses which of several words was meant by one that is none of them."""

from collections.abc import Iterable


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """``did you mean "x"?``, or "" when nothing is close."""
    import difflib  # what is written without a mistake need not wait for it

    pool = list(candidates)
    by_lower = {candidate.lower(): candidate for candidate in pool}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f'did you mean "{by_lower[close[0]]}"?' if close else ""
