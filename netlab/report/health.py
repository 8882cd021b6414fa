"""What doctor found, as lines for a person or as one JSON object."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from netlab.doctor import Diagnosis

_LEVELS = (("required", "Needed by every lab:"), ("observer", "Observers:"), ("optional", "Good to have:"))


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Each thing with yes or no; what is missing with the reason, what it is needed for, and the command that supplies it."""
    yield f"Linux {diagnosis.kernel} on {diagnosis.machine}, as user {diagnosis.user}: observation tier {diagnosis.tier}"
    if diagnosis.note:
        yield f"  {diagnosis.note}"
    wide = max(len(check.name) for check in diagnosis.checks)
    for level, title in _LEVELS:
        yield title
        for check in diagnosis.checks:
            if check.level != level:
                continue
            yield f"  {'yes' if check.available else 'no ':<3}  {check.name:<{wide}}  {check.needed}"
            if not check.available:
                yield f"         {check.reason}"
                if check.fix:
                    yield f"         fix: {check.fix}"
    yield "Labs can be built here." if diagnosis.usable else "No lab can be built here."


def json_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The same as one JSON object, line by line."""
    yield from json.dumps({"schema": 1, "usable": diagnosis.usable, **asdict(diagnosis)}, indent=2).splitlines()
