"""What was measured, as rows, and as a table for people. It does not know how anything is measured."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure: what ``who`` took for ``what``, beside the reference's. ``most`` is the goal: of the ratio where it is said what
    the value is held against, else of the value; ``least`` that of the value itself, where more is better."""

    part: str
    what: str
    who: str
    value: float
    unit: str
    against: str = ""
    reference: float | None = None
    most: float | None = None
    least: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of the reference."""
        return self.value / self.reference if self.reference else None

    @property
    def outcome(self) -> str:
        """ "met" or "missed" where there is a goal."""
        if self.least is not None:
            return "met" if self.value >= self.least else "missed"
        if self.most is None:
            return ""
        judged = self.ratio if self.against else self.value
        return "" if judged is None else "met" if judged <= self.most else "missed"

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "ratio": self.ratio, "outcome": self.outcome}


HEADS = ("what", "who", "took", "against", "ratio", "goal", "")


def text(rows: Iterable[Row]) -> str:
    """One table of all rows, in parts."""
    lines: list[tuple[str, ...]] = [HEADS]
    part = ""
    for row in rows:
        if row.part != part:
            part = row.part
            lines.append((f"-- {part}", *[""] * 6))
        lines.append(_cells(row))
    widths = [max(len(line[column]) for line in lines if not line[0].startswith("-- ")) for column in range(len(HEADS))]
    return "\n".join(_line(cells, widths) for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    against = f"{row.against} {_number(row.reference)}" if row.reference is not None else row.against
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    if row.least is not None:
        goal = f">= {row.least:g} {row.unit}"
    else:
        goal = "" if row.most is None else f"<= {row.most:g}" + ("" if row.against else f" {row.unit}")
    return row.what, row.who, f"{_number(row.value)} {row.unit}", against, ratio, goal, row.outcome


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    if cells[0].startswith("-- "):
        return cells[0][3:]
    left = [cells[0].ljust(widths[0]), cells[1].ljust(widths[1])]
    right = [cell.rjust(width) for cell, width in zip(cells[2:6], widths[2:6], strict=True)]
    return ("  " + "  ".join([*left, *right, cells[6]])).rstrip()
