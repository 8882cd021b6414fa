"""What ``buf(n)`` holds: printable bytes of which none equals its neighbours, so that a shifted or doubled byte shows."""

_ALPHABET = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def pattern(size: int) -> bytes:
    """The first ``size`` bytes of the pattern; it repeats after 3844, so that rows of 62 differ too."""
    rows = len(_ALPHABET)
    period = b"".join(_ALPHABET[row:] + _ALPHABET[:row] for row in range(rows))
    return (period * (size // len(period) + 1))[:size]
