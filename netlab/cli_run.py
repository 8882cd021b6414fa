"""The commands that judge: run, conform, model; and doctor, which tells what can be judged here.

Only click is imported here; each command imports what it needs.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from netlab.cli import INCONCLUSIVE, UNABLE, discard_output
from netlab.cli_files import UnwritableError, gathered, refuse
from netlab.cli_options import running, settings_option

if TYPE_CHECKING:
    from netlab.check.result import RunResult
    from netlab.scenario.spec import NotTested, Scenario

FAILED = 1


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR...", type=click.Path())
@settings_option
@running
def run(paths: Sequence[str], settings: dict[str, str], **options: Any) -> None:
    """Build, run and judge scenarios."""
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
    _run(scenarios, not_tested, progress=False, **options)


@click.command()
@click.option("--claim", "claims", multiple=True, metavar="ID", help="Only this claim; may be repeated.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="Only the claims of this group; may be repeated.")
@running
def conform(claims: Sequence[str], groups: Sequence[str], **options: Any) -> None:
    """Hold this machine against the documented model's claims."""
    from netlab.files import shipped_claims

    scenarios, not_tested = shipped_claims()
    _known("claim", claims, [scenario.name for scenario in scenarios])
    _known("group", groups, [scenario.claim.group for scenario in scenarios if scenario.claim])
    if claims or groups:
        chosen = [one for one in scenarios if one.name in claims or (one.claim is not None and one.claim.group in groups)]
        _run(chosen, (), progress=True, **options)
    else:
        _run(scenarios, not_tested, progress=True, **options)


@click.command()
@click.argument("claim", required=False, metavar="[ID]")
def model(claim: str | None) -> None:
    """List the documented model's claims, show one by its id, or the table of TCP's states (tcp)."""
    from netlab.files import shipped_claims
    from netlab.report import model as tell

    if claim == "tcp":
        lines = tell.tcp_states()
    else:
        scenarios, not_tested = shipped_claims()
        if claim is not None:
            _known("claim", [claim], [one.name for one in scenarios] + [one.id for one in not_tested])
        lines = tell.claims(scenarios, not_tested) if claim is None else tell.claim(claim, scenarios, not_tested)
    for line in lines:
        click.echo(line)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def doctor(as_json: bool) -> None:
    """Tell what this machine can do, what each missing thing would need, and the command that supplies it."""
    from netlab.doctor import diagnose, told, told_as_json

    diagnosis = diagnose(clocks=True)
    for line in told_as_json(diagnosis) if as_json else told(diagnosis):
        click.echo(line)
    if not diagnosis.usable:
        click.get_current_context().exit(UNABLE)


def _run(scenarios: Sequence["Scenario"], not_tested: Sequence["NotTested"], *, progress: bool, **options: Any) -> None:
    import time

    from netlab.report.outputs import Outputs
    from netlab.report.redact import without_payload
    from netlab.report.strict import strict
    from netlab.run import RunOptions, run_all

    outputs = Outputs(json=options["json"], junit=options["junit"], pcap=options["pcap"])
    if outputs.paths.count("-") > 1:
        raise click.UsageError("only one report can go to standard output")
    chosen = {"timeout": options["timeout"], "jobs": options["jobs"]}
    if options["capture_buffer"] is not None:
        chosen["capture_buffer"] = options["capture_buffer"]
    began = time.monotonic()
    with _Progress(len(scenarios), shown=progress and sys.stderr.isatty()) as shown:
        result = run_all(scenarios, RunOptions(**chosen), shown.advance, not_tested=not_tested)
    elapsed = time.monotonic() - began
    if options["strict"]:
        result = strict(result)
    if options["no_payload"]:
        result = without_payload(result)
    try:
        outputs.write(result, elapsed=elapsed)
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        raise UnwritableError(f"{error.filename}: cannot be written: {error.strerror}") from error
    click.get_current_context().exit(status(result, allow_inconclusive=options["allow_inconclusive"]))


def status(result: "RunResult", *, allow_inconclusive: bool = False) -> int:
    """The exit status of a finished run."""
    if result.outcome == "FAIL":
        return FAILED
    if not any(scenario.timeline.observations for scenario in result.scenarios):
        return UNABLE  # not one lab came up
    return INCONCLUSIVE if result.outcome == "INCONCLUSIVE" and not allow_inconclusive else 0


class _Progress:
    """A bar on standard error, gone when the run is over. ``advance`` may be called from any thread."""

    def __init__(self, length: int, *, shown: bool) -> None:
        import threading

        self._lock = threading.Lock()
        self._bar: Any = click.progressbar(length=length, label="claims", file=sys.stderr, show_pos=True) if shown else None

    def __enter__(self) -> "_Progress":
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def advance(self, _: object) -> None:
        """One more is done."""
        if self._bar is not None:
            with self._lock:
                self._bar.update(1)


def _known(what: str, names: Sequence[str], there: Sequence[str]) -> None:
    import difflib

    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            hint = f"did you mean {near[0]}?" if near else f"netlab-ns model lists every {what}"
            raise click.UsageError(f"no {what} {name!r}; {hint}")
