"""Reads a user's own file of deviations: claims that are known not to hold on their machine, each with the reason.

What becomes of a verdict that such a file names is not known here.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import Field

from netlab.document import Document
from netlab.errors import Problem, SpecError
from netlab.validate import Piece, did_you_mean, validated

__all__ = ["load_deviations"]


class DeviationsFile(Piece):
    """The whole file."""

    deviations: dict[str, Annotated[str, Field(min_length=1)]] = Field(description="the reason, by the id of the claim")


def load_deviations(path: str | Path, claims: Collection[str]) -> dict[str, str]:
    """The reasons by claim. Raises SpecError with all that is wrong, names of no claim among it."""
    document = Document.read(path)
    if not isinstance(document.data, dict):
        message = "a file of deviations is a mapping"
        raise SpecError(document.root.problem(message=message, fix="write deviations: {CLAIM: why it does not hold here}"))
    file, problems = validated(DeviationsFile, document.root)
    found = dict(file.deviations) if file is not None else {}
    for name in found:
        if name not in claims:
            place = document.root.at("deviations").place(name, key=True)
            problems.append(Problem(place, f'no claim "{name}"', did_you_mean(name, claims) or "netlab-ns model lists the claims"))
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return found
