"""The command that holds two results against each other: diff.

Only click is imported here; the command imports what it needs.
"""

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from netlab.check.result import RunResult

DIFFERENT = 1


@click.command()
@click.argument("a", metavar="A.json")
@click.argument("b", metavar="B.json")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def diff(a: str, b: str, as_json: bool) -> None:
    """Two results side by side, as --json wrote them: the machines, the verdicts that changed, the times.

    Exit status: 0 the same verdicts, 1 some verdict changed, came or went, 2 a file is no result. Machines and times are told and
    decide nothing.
    """
    from netlab.report.differing import difference, told, told_as_json
    from netlab.report.text import write_lines

    found = difference(_read(a), _read(b), names=(a, b))
    if as_json:
        click.echo(told_as_json(found))
    else:
        write_lines(told(found), sys.stdout)
    if found.differs:
        click.get_current_context().exit(DIFFERENT)


def _read(path: str) -> "RunResult":
    """A result. Raises SpecError for a file that cannot be read or is none."""
    from netlab.errors import Place, Problem, SpecError
    from netlab.report.json import loads

    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise SpecError(Problem(Place(path, 0, 0), f"cannot be read: {error.strerror}")) from error
    try:
        return loads(data)
    except ValueError as error:
        fix = "netlab-ns run FILE --json RESULT writes one; netlab-ns schema result tells the format"
        raise SpecError(Problem(Place(path, 0, 0), f"this is no result: {error}", fix)) from error
