"""The command that impairs the links of a lab that stays, and shows what was done to their packets: impair.

It reads arguments and tells; how anything is done is not known here.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli_chosen import CannotError, NotThereError, chosen, connected

if TYPE_CHECKING:
    from netlab.impair.asking import Impaired, ImpairedLink, Report


@click.command()
@click.argument("lab")
@click.argument("direction", required=False)
@click.argument("what", nargs=-1)
@click.option("--heal", is_flag=True, help="End what commands did to DIRECTION, or to all; what the topology says stays.")
@click.option("--release", "barrier", metavar="BARRIER", help="Let go of the packets that are held at a barrier.")
@click.option("--decisions", is_flag=True, help="Show the latest packets to which something was done, too.")
@click.option("--json", "as_json", is_flag=True, help="Tell it as JSON, with the latest decisions.")
def impair(
    lab: str, direction: str | None, what: Sequence[str], heal: bool, barrier: str | None, decisions: bool, as_json: bool
) -> None:
    """Impair a DIRECTION of a link of a lab while it stays; without WHAT, show what each direction has.

    WHAT is said as in a topology's file: quantities (delay=10ms loss=1%), or a rule ('{match: S., nth: 2, action: drop}').
    DIRECTION is 'client->server', in quotes; 'client:eth0->server:eth0' where several links join the two; or both, where there is
    one link. Rules come after those that are there already; quantities stand in place of those before. The lab must have been
    built with up --impairable, or its topology have rules on that link.

    WHAT may also be up, down or mtu=1280; DIRECTION is then an interface (client:eth0), or means both ends of a link.
    """
    from netlab.errors import HostError
    from netlab.impair.asking import Asked, LacksError, WrongError
    from netlab.lab.staying import UnreachableError

    if sum((bool(what), heal, barrier is not None)) > 1:
        raise click.UsageError("one at a time: WHAT, --heal or --release")
    if barrier is not None and direction is not None:
        raise click.UsageError("--release takes no DIRECTION: a barrier may hold packets of several")
    if direction is not None and direction.endswith("-"):
        raise click.UsageError(f"{direction} is no direction: put it in quotes, since a shell takes the > for a redirection")
    staying = chosen(lab)
    try:
        with connected(staying) as connection, Asked(connection) as asked:
            if heal:
                report = asked.ask("heal", way=direction or "")
            elif barrier is not None:
                report = asked.ask("release", barrier=barrier)
            elif what and direction is not None:
                report = asked.ask("impair", way=direction, what=what[0] if len(what) == 1 else shlex.join(what))
            else:
                report = asked.ask("show")
    except WrongError as error:
        raise NotThereError(str(error)) from None
    except LacksError as error:
        raise HostError(*str(error).split("\n  fix: ", 1)) from None
    except UnreachableError as error:
        raise CannotError(str(error)) from error
    if as_json:
        click.echo(_json(staying.name, report))
        return
    lines = list(_told(staying.name, report, direction if not what and not heal else None))
    for line in [*lines, *(_decisions(report) if decisions else ())]:
        click.echo(line)


def _json(lab: str, report: "Report") -> str:
    import json
    from dataclasses import asdict

    return json.dumps({"lab": lab, **asdict(report)}, indent=2)


def _told(lab: str, report: "Report", only: str | None) -> Iterator[str]:
    """What is done on each link, and what came of it, for people."""
    possible = [link for link in report.links if link.impairable]
    number = f"{len(report.links)} link{'' if len(report.links) == 1 else 's'}"
    seed = "" if report.seed is None else f", seed {report.seed}"
    yield f"{lab}: {len(possible)} of {number} can be impaired{seed}"
    rows = [row for link in report.links for row in _rows(link, only)]
    if only is not None and not rows:
        known = ", ".join(direction for link in possible for direction in link.directions)
        raise NotThereError(f"{lab} has no direction {only} that can be impaired; there are: {known}")
    width = max((len(name) for name, _ in rows), default=0)
    for name, lines in rows:
        for index, line in enumerate(lines):
            yield f"  {name if index == 0 else '':<{width}}  {line}"
    disturbed = [link for link in possible if any(link.directions.values()) and (only is None or only in link.directions)]
    for engine in dict.fromkeys(link.engine for link in disturbed):
        yield f"engine {engine}"
    yield f"{report.forwarded} frame{'' if report.forwarded == 1 else 's'} forwarded, {report.lost} lost"
    if report.reason:
        yield report.reason


def _rows(link: "ImpairedLink", only: str | None) -> Iterator[tuple[str, list[str]]]:
    """Each direction of a link with what is done in it, and each end that is not as in the topology; or ``only`` one of these."""
    for direction, each in link.directions.items():
        if only in (None, direction):
            yield direction, [_line(one) for one in each] or ["nothing"]
    for interface, changed in link.interfaces.items():
        if only == interface or (only is None and changed):
            yield interface, [changed or "as in the topology"]


def _line(one: "Impaired") -> str:
    did = ", ".join(f"{action} {count}" for action, count in one.did.items())
    return f"{one.what}  {one.place or one.by}" + (f": {did}" if did else "")


def _decisions(report: "Report") -> Iterator[str]:
    import time

    for one in report.latest:
        clock = time.strftime("%H:%M:%S", time.localtime(one.time // 1_000_000_000))
        yield f"  {clock}.{one.time % 1_000_000_000 // 1000:06d}  {one.direction}  {one.action}  {one.packet}"
