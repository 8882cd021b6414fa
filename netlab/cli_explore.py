"""The command explore: generated sequences of calls, made for real and judged by the model of sockets.

Only click is imported here; the command imports what it needs.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netlab.cli import INTERRUPTED
from netlab.cli_files import UnwritableError
from netlab.cli_options import writable

if TYPE_CHECKING:
    from netlab.explore.coverage import Coverage
    from netlab.explore.running import Explored

FAILED = 1


@click.command()
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="M", help="How long; 1 unless --sequences is given.")
@click.option("--sequences", type=click.IntRange(1), metavar="N", help="How many sequences to try, at most.")
@click.option("--seed", type=click.IntRange(0), metavar="S", help="What the sequences are drawn by; left out: drawn, and told.")
@click.option(
    "--hosts", type=click.IntRange(1, 2), default=2, show_default=True, help="How many hosts the sequences are played on."
)
@click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="How many searches at once, each in a lab of its own."
)
@click.option(
    "--json", "json_file", metavar="FILE", callback=writable, help="Write all that was found as JSON; - is standard output."
)
@click.option("--keep", metavar="DIR", type=click.Path(file_okay=False), help="Write each disagreement there as a scenario file.")
@click.pass_context
def explore(
    ctx: click.Context,
    minutes: float | None,
    sequences: int | None,
    seed: int | None,
    hosts: int,
    jobs: int,
    json_file: str | None,
    keep: str | None,
) -> None:
    """Make up sequences of calls, legal and illegal, make them for real, and hold what comes against the model of sockets.

    A sequence whose outcome the model does not allow is made as short as it gets. Either the model is wrong then, or the machine.

    Exit status: 0 no disagreement, 1 some, 4 no lab could be built here, 130 interrupted (what was found is told).
    """
    import secrets

    from netlab.explore.running import explore as search

    if seed is None:
        seed = secrets.randbelow(1 << 31)
    seconds = 60 * minutes if minutes is not None else 60.0 if sequences is None else float("inf")
    click.echo(f"seed {seed}", err=True)
    done = search(
        seed=seed,
        seconds=seconds,
        sequences=sequences or float("inf"),
        hosts=hosts,
        jobs=jobs,
        told=_told if sys.stderr.isatty() else None,
    )
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    _write(done, seed, json_file, keep)
    ctx.exit(INTERRUPTED if done.interrupted else FAILED if done.found else 0)


def _told(coverage: "Coverage", disagreements: int) -> None:
    """One line that changes."""
    told = f"{coverage.sequences} sequences, {len(coverage.rules)} rules reached, {disagreements} disagreements"
    click.echo(f"\r\x1b[K{told}", nl=False, err=True)


def _write(done: "Explored", seed: int, json_file: str | None, keep: str | None) -> None:
    import json

    from netlab.explore import telling
    from netlab.model.sockets.tables import all_rules
    from netlab.report.lines import printable

    rules = telling.trial_rules(all_rules())
    lines = telling.summary(done.coverage, rules, done.seconds, done.processor)
    lines += ["outcomes seen:", *telling.outcomes(done.coverage)]
    missing = done.coverage.unseen(telling.wanted(rules))
    if missing:
        lines.append("not seen: " + ", ".join(f"{call} {errno or 'success'}" for call, errno in missing))
    unreached = telling.unreached(done.coverage, rules)
    lines += ["rules not reached:", *unreached] if unreached else []
    for number, one in enumerate(done.found, 1):
        lines += ["", *telling.disagreement(one, number, len(done.found))]
    for line in lines:
        click.echo(printable(line), err=json_file == "-")
    try:
        if keep is not None and done.found:
            os.makedirs(keep, exist_ok=True)
            for number, one in enumerate(done.found, 1):
                file = Path(keep) / f"{number:02}-{one.disagreement.call}.scenario.yaml"
                file.write_text(telling.scenario(one), encoding="utf-8")
                click.echo(f"written: {file}", err=True)
        if json_file is not None:
            whole = telling.as_json(done.found, done.coverage, rules, seed=seed, seconds=done.seconds, processor=done.processor)
            text = json.dumps(whole, indent=1) + "\n"
            if json_file == "-":
                click.echo(text, nl=False)
            else:
                Path(json_file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnwritableError(f"{error.filename}: cannot be written: {error.strerror}") from error
