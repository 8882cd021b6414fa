"""The command conform: which of the documented model's claims are run, and the pages that tell what was found.

Only click is imported here; the command imports what it needs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netlab.cli_files import gathered, refuse
from netlab.cli_options import running, writable
from netlab.cli_run import execute, known_names

if TYPE_CHECKING:
    from netlab.check.result import RunResult
    from netlab.scenario.spec import NotTested, Scenario

AGAIN = 2
"""So often a claim is played again that a busy kernel has left undecided, by not telling all (docs/observation.md)."""


@click.command()
@click.option("--claim", "claims", multiple=True, metavar="ID", help="Only this claim; may be repeated.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="Only the claims of this group; may be repeated.")
@click.option("--core", is_flag=True, help="Only the few that a quick look at a machine runs.")
@click.option("--from-notes", is_flag=True, help="Only those that the notes behind the model state.")
@click.option("--slow", is_flag=True, help="Those too that take a minute or more.")
@click.option("--claims", "paths", multiple=True, metavar="FILE|DIR", type=click.Path(), help="Your own claims, in place of these.")
@click.option(
    "--deviations", metavar="FILE", type=click.Path(), help="Claims that are known not to hold here, each with its reason."
)
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="N", help="So many rounds; of each claim the worst is told.")
@click.option("--markdown", metavar="FILE", callback=writable, help="Write the model chapter by chapter with what was found.")
@click.option("--html", metavar="FILE", callback=writable, help="The same as one page of HTML.")
@running
def conform(
    claims: Sequence[str],
    groups: Sequence[str],
    paths: Sequence[str],
    core: bool,
    from_notes: bool,
    slow: bool,
    deviations: str | None,
    repeat: int,
    markdown: str | None,
    html: str | None,
    **options: Any,
) -> None:
    """Hold this machine against the documented model's claims.

    Options that choose are taken together (--core --group close: the core of close); claims by --claim come on top of them.
    """
    from netlab.report import model_pages
    from netlab.scenario.deviations import load_deviations

    scenarios, not_tested = _claims(paths)
    known_names("claim", claims, [scenario.name for scenario in scenarios])
    known_names("group", groups, [scenario.claim.group for scenario in scenarios if scenario.claim])
    known = load_deviations(deviations, {scenario.name for scenario in scenarios}) if deviations is not None else {}
    chosen = [one for one in scenarios if one.name in claims or _meant(one, groups, core, from_notes, bool(claims))]
    left = [one.name for one in chosen if one.claim is not None and one.claim.slow and not slow and one.name not in claims]
    chosen = [one for one in chosen if one.name not in left]
    if left:
        click.echo(f"left out, since they take a minute or more each (--slow): {', '.join(left)}", err=True)
    untested = not_tested if len(chosen) + len(left) == len(scenarios) else ()

    def pages(result: "RunResult") -> None:
        if markdown is None and html is None:
            return
        document = model_pages.markdown(chosen, untested, result)
        for place, text in ((markdown, document), (html, model_pages.page(document) if html is not None else "")):
            if place == "-":
                click.echo(text, nl=False)
            elif place is not None:
                Path(place).write_text(text)

    execute(
        chosen,
        untested,
        progress=True,
        repeat=repeat,
        known=known,
        again=AGAIN,
        covering=True,
        pages=pages,
        command="conform",
        settings={},
        **options,
    )


def _meant(scenario: "Scenario", groups: Sequence[str], core: bool, from_notes: bool, named: bool) -> bool:
    """Whether a claim is one of those that are chosen by what they are; all are where nothing chooses and none was ``named``."""
    claim = scenario.claim
    if claim is None:
        return False
    if not (groups or core or from_notes):
        return not named
    return (not groups or claim.group in groups) and (not core or claim.core) and (not from_notes or claim.from_notes)


def _claims(paths: Sequence[str]) -> "tuple[Sequence[Scenario], Sequence[NotTested]]":
    """The claims of these files and directories; those that the package brings where there are none."""
    from netlab.files import Kind, found, not_this, shipped_claims
    from netlab.scenario.load import load_claims

    if not paths:
        return shipped_claims()
    files, problems = found(paths)
    scenarios: list[Scenario] = []
    not_tested: list[NotTested] = []
    for file in files:
        if file.kind is Kind.CLAIMS:
            claims, untested = gathered(problems, load_claims, file.path) or ((), ())
            scenarios += claims
            not_tested += untested
        elif file.named:
            problems.append(not_this(file, "name a file of claims, or a directory that holds some"))
    refuse(problems)
    if not scenarios:
        raise click.UsageError(f"no claim in {', '.join(paths)}")
    return scenarios, not_tested
