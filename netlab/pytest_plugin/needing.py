"""Whether this machine has what a test's mark ``needs`` names; where it has not, the test is skipped with the command that helps.

What a machine can have, and how that is found out, the doctor knows.
"""

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from netlab.diagnosis import Diagnosis

__all__ = ["skip_without"]

_DIAGNOSIS: "pytest.StashKey[Diagnosis]" = pytest.StashKey()


def skip_without(item: pytest.Item) -> None:
    """Skip the test where this machine lacks what it needs; fail it where nobody knows what that is."""
    lacking: list[str] = []
    for mark in item.iter_markers("needs"):
        if unknown := mark.kwargs.keys() - {"program"}:
            pytest.fail(f"the marker needs takes names and program=, not {', '.join(sorted(unknown))}=", pytrace=False)
        for name in mark.args:
            lacking += _lacking(item, name)
        programs = mark.kwargs.get("program", ())
        lacking += [f"the program {each} on the PATH" for each in _several(programs) if shutil.which(each) is None]
    if lacking:
        pytest.skip(f"needs {'; and '.join(dict.fromkeys(lacking))}")


def _several(names: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _lacking(item: pytest.Item, name: object) -> list[str]:
    checks = {check.name: check for check in _diagnosis(item.config).checks}
    if name not in checks:
        from netlab.notation.spelling import did_you_mean

        hint = did_you_mean(str(name), checks) or f"there are {', '.join(checks)}"
        pytest.fail(f'the marker needs: there is no capability "{name}"; {hint}; a program is program="curl"', pytrace=False)
    check = checks[str(name)]
    if check.available:
        return []
    return [f"{check.name}: {check.reason}" + (f" (fix: {check.fix})" if check.fix else "")]


def _diagnosis(config: pytest.Config) -> "Diagnosis":
    """Found out once in each process, when first asked for: it takes some tenths of a second."""
    if _DIAGNOSIS not in config.stash:
        from netlab.doctor import diagnose

        config.stash[_DIAGNOSIS] = diagnose()
    return config.stash[_DIAGNOSIS]
