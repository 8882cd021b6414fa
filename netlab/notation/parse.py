"""The notation's front door: text in, data out; what is wrong is a NotationError with its column and, where known, the fix."""

from netlab.notation.lexer import NotationError, Scanner
from netlab.notation.parse_calls import parse_step
from netlab.notation.parse_packets import parse_packet
from netlab.notation.parse_results import parse_result
from netlab.notation.parse_values import parse_value as _parse_next_value
from netlab.notation.values import Value

__all__ = ["NotationError", "parse_packet", "parse_result", "parse_step", "parse_value"]


def parse_value(text: str) -> Value:
    """Read a text that is one value and nothing else."""
    scanner = Scanner(text)
    value = _parse_next_value(scanner)
    scanner.end("the value")
    return value
