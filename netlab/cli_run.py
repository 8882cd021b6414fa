"""The command run, and how every command runs scenarios; model, which tells what is held true; doctor, what can be judged here.

Only click is imported here; each command imports what it needs.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from netlab.cli import INCONCLUSIVE, UNABLE, discard_output
from netlab.cli_bundle import after_failure
from netlab.cli_files import UnwritableError, gathered, refuse
from netlab.cli_options import html_option, running, settings_option
from netlab.cli_progress import Progress

if TYPE_CHECKING:
    from netlab.check.result import RunResult
    from netlab.scenario.spec import NotTested, Scenario

FAILED = 1
REPORTS = ("json", "junit", "pcap", "ctrf", "summary", "github_summary")
"""The options that name where a report of every run goes."""


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR|NAME...", type=click.Path())
@settings_option
@html_option
@running
def run(paths: Sequence[str], settings: dict[str, str], **options: Any) -> None:
    """Build, run and judge scenarios: files, all below directories, and by name (drop-the-first-syn) those that netlab ships."""
    from netlab.files import Kind, found, not_this
    from netlab.scenario.load import load_claims, load_scenarios
    from netlab.topology.expanding.variables import Settings

    files, problems = found(paths)
    shared = Settings.of(settings)
    scenarios: list[Scenario] = []
    not_tested: list[NotTested] = []
    for file in files:
        if file.kind is Kind.CLAIMS:
            claims, untested = gathered(problems, lambda path: load_claims(path, shared), file.path) or ((), ())
            scenarios += claims
            not_tested += untested
        elif file.kind is Kind.SCENARIO:
            scenarios += gathered(problems, lambda path: load_scenarios(path, shared), file.path) or ()
        elif file.named:
            problems.append(not_this(file, "run takes scenarios; see netlab-ns plan FILE for a topology"))
        elif file.kind is Kind.OTHER:
            click.echo(f"{file.path}: left out: neither a topology, nor a scenario, nor claims", err=True)
    refuse(problems)
    if not scenarios:
        raise click.UsageError(f"no scenario in {', '.join(paths)}")
    shared.check()
    execute(scenarios, not_tested, progress=False, command="run", settings=settings, **options)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--ci", is_flag=True, help="Explain this CI runner, and what to put into the workflow.")
def doctor(as_json: bool, ci: bool) -> None:
    """Tell what this machine can do, what each missing thing would need, and the command that supplies it."""
    from netlab.doctor import diagnose, told, told_as_json

    diagnosis = diagnose(clocks=not ci)
    if ci:
        from netlab import runner_advice
        from netlab.runner import look

        runner = look(os.environ)
        lines = runner_advice.told_as_json(runner, diagnosis) if as_json else runner_advice.told(runner, diagnosis)
    else:
        lines = told_as_json(diagnosis) if as_json else told(diagnosis)
    for line in lines:
        click.echo(line)
    if not diagnosis.usable:
        click.get_current_context().exit(UNABLE)


def execute(
    scenarios: Sequence["Scenario"],
    not_tested: Sequence["NotTested"],
    *,
    progress: bool,
    repeat: int = 1,
    known: Mapping[str, str] | None = None,
    again: int = 0,
    covering: bool = False,
    pages: Callable[["RunResult"], None] | None = None,
    **options: Any,
) -> NoReturn:
    """Run scenarios ``repeat`` times, write all that was asked for, and exit with the status of the worst of each.

    ``known`` has the user's own deviations; ``again`` is RunOptions'; with ``covering`` the model's rules are counted that
    were taken; ``pages`` writes what else there is to write. Raises UnwritableError.
    """
    import time

    import msgspec

    from netlab.check.covered import covered
    from netlab.report.outputs import Outputs
    from netlab.report.redact import without_payload
    from netlab.report.rounds import accepted, stale, unsteady, worst
    from netlab.report.strict import strict
    from netlab.run import RunOptions, run_all

    outputs = Outputs(html=options.get("html"), **{name: options[name] for name in REPORTS})
    if outputs.paths.count("-") > 1:
        raise click.UsageError("only one report can go to standard output")
    chosen = {"timeout": options["timeout"], "jobs": options["jobs"], "seed": options["seed"], "again": again}
    if options["capture_buffer"] is not None:
        chosen["capture_buffer"] = options["capture_buffer"]
    began = time.monotonic()
    with Progress(len(scenarios) * repeat, "claims", shown=progress and sys.stderr.isatty()) as shown:
        rounds = [run_all(scenarios, RunOptions(**chosen), shown.advance, not_tested=not_tested) for _ in range(repeat)]
    elapsed = time.monotonic() - began
    result = worst(rounds)
    if covering:
        judged = [(one.timeline, one.verdicts) for each in rounds for one in each.scenarios]
        result = msgspec.structs.replace(result, covered=covered(judged))
    no_longer = stale(result, known or {})
    if known:
        result = accepted(result, known)
    if options["strict"]:
        result = strict(result)
    if options["no_payload"]:
        result = without_payload(result)
    try:
        outputs.write(result, elapsed=elapsed)
        if pages is not None:
            pages(result)
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        raise UnwritableError(f"{error.filename}: cannot be written: {error.strerror}") from error
    for name, outcomes in unsteady(rounds).items():
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        click.echo(f"{name} came out differently in {repeat} rounds: {told}; shown is the worst", err=True)
    for name in no_longer:
        click.echo(f"{name} is said to deviate, and it does not", err=True)
    after_failure(result, scenarios, **options)
    click.get_current_context().exit(status(result, allow_inconclusive=options["allow_inconclusive"]))


def status(result: "RunResult", *, allow_inconclusive: bool = False) -> int:
    """The exit status of a finished run."""
    if result.outcome == "FAIL":
        return FAILED
    if not any(scenario.timeline.observations for scenario in result.scenarios):
        return UNABLE  # not one lab came up
    return INCONCLUSIVE if result.outcome == "INCONCLUSIVE" and not allow_inconclusive else 0


def known_names(what: str, names: Sequence[str], there: Sequence[str]) -> None:
    """Refuse names that are not there, with the nearest that is."""
    import difflib

    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            hint = f"did you mean {near[0]}?" if near else f"netlab-ns model lists every {what}"
            raise click.UsageError(f"no {what} {name!r}; {hint}")
