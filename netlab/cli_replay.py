"""The command that runs a bundle again: replay. Its exit status is what git-bisect(1) asks of a test.

Only click is imported here; the command imports what it needs.
"""

import sys
from typing import TYPE_CHECKING, Any

import click

from netlab.cli import UNTOLD, discard_output
from netlab.cli_bundle import ask
from netlab.cli_files import UnwritableError
from netlab.cli_options import ci_options, html_option, writable
from netlab.cli_progress import Progress

if TYPE_CHECKING:
    from netlab.bundle.repeating import Runs
    from netlab.bundle.spec import Bundle
    from netlab.check.result import HostFacts, ScenarioResult

_FAILED_AGAIN = 1
_MOST_UNTIL_FAIL = 1000
_NAMED = 3
"""Of packets that are missing, so many by name."""


@click.command()
@click.argument("path", metavar="BUNDLE")
@click.option("--times", type=click.IntRange(1), metavar="N", help="Run it N times, and tell the rate at which it fails again.")
@click.option(
    "--until-fail",
    is_flag=True,
    help=f"Stop at the first run that fails in the same way, after --times ({_MOST_UNTIL_FAIL} if left out) at the latest.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="How many runs there are at once.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Let the rules decide anew by this seed, not as recorded.")
@click.option("--trust", is_flag=True, help="Run the programs that the bundle names without asking.")
@click.option("--json", metavar="FILE", callback=writable, help="Write the run that is shown as JSON; - is standard output.")
@click.option("--junit", metavar="FILE", callback=writable, help="Write the run that is shown as JUnit XML.")
@click.option("--pcap", metavar="FILE", callback=writable, help="Write the packets of the run that is shown as pcapng.")
@html_option
@ci_options
def replay(path: str, times: int | None, until_fail: bool, jobs: int, seed: int | None, trust: bool, **files: str | None) -> None:
    """Run the failed scenario of a bundle again, with every impairment as it was recorded.

    Exit status, as git bisect run wants it: 0 the failure did not come again, 1 it did at least once, 125 nothing could be told:
    all runs were INCONCLUSIVE or failed in another way, the bundle cannot be read, this machine lacks something.
    """
    from functools import partial

    import netlab
    from netlab.bundle.comparing import differences
    from netlab.bundle.making import versions
    from netlab.bundle.reading import read
    from netlab.bundle.repeating import Runs, repeat
    from netlab.bundle.running import missed, run_bundle
    from netlab.host_facts import host_facts
    from netlab.report.outputs import Outputs

    outputs = Outputs(**files)
    if outputs.paths.count("-") > 1:
        raise click.UsageError("only one report can go to standard output")
    bundle = read(path)
    ask(bundle, path, trust=trust, refused=UNTOLD)
    host = host_facts()
    say = partial(click.echo, file=outputs.text)
    for line in _headed(bundle, path, seed, differences(bundle, host, netlab.__version__, versions())):
        say(line)
    if jobs > 1 and _exclusive(bundle):
        say("one run at a time: the claim is exclusive, since others' sockets count in what it measures")
        jobs = 1
    most = times or (_MOST_UNTIL_FAIL if until_fail else 1)
    run = partial(run_bundle, bundle, seed=seed)
    runs, short = Runs(), list[tuple[str, ...]]()
    with Progress(most, "runs", shown=most > 1 and sys.stderr.isatty()) as bar:

        def told(result: "ScenarioResult") -> None:
            if seed is None and (packets := missed(bundle, result)):
                short.append(packets)
            bar.advance()

        try:
            repeat(run, bundle.failed, times=most, jobs=jobs, until_fail=until_fail, told=told, runs=runs)
        except KeyboardInterrupt:
            for line in _counted(runs):
                say(f"until now: {line}")
            raise
    _show(runs, outputs, host)
    for line in [*_missing(bundle, short), *_counted(runs)]:
        say(line)
    click.get_current_context().exit(_status(runs))


def _exclusive(bundle: "Bundle") -> bool:
    from netlab.bundle.loading import loaded

    with loaded(bundle) as scenario:
        return scenario.claim is not None and scenario.claim.exclusive


def _headed(bundle: "Bundle", path: str, seed: int | None, differing: Any) -> "list[str]":
    """What the bundle is, and how this machine differs from the one that it comes from."""
    from netlab.bundle.running import about_packets
    from netlab.report.lines import printable

    failed = f"{path}: {bundle.scenario} failed on Linux {bundle.host.kernel} by netlab {bundle.netlab}: {bundle.failed}"
    how = f"following {_many(about_packets(bundle.decisions).total(), 'recorded decision')} (seed {bundle.seed})"
    if seed is not None:
        how = f"the rules decide anew, by seed {seed}"
    return [printable(line) for line in (failed, how, *(f"not the same: {line}" for line in differing))]


def _show(runs: "Runs", outputs: Any, host: "HostFacts") -> None:
    """The report of one run, and the files that were asked for."""
    import netlab
    from netlab.check.result import RunResult

    if runs.shown is None:
        return
    try:
        outputs.write(RunResult(netlab=netlab.__version__, host=host, scenarios=(runs.shown,)))
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        raise UnwritableError(f"{error.filename}: cannot be written: {error.strerror}") from error


def _missing(bundle: "Bundle", short: "list[tuple[str, ...]]") -> "list[str]":
    """In how many runs packets of the record did not come up, and which in the worst."""
    from netlab.bundle.running import about_packets
    from netlab.report.lines import printable

    if not short:
        return []
    worst = max(short, key=len)
    names = ", ".join(worst[:_NAMED]) + (" ..." if len(worst) > _NAMED else "")
    wanted = about_packets(bundle.decisions).total()
    told = (
        f"not all packets of the record came up in {_many(len(short), 'run')}: {len(worst)} of {wanted} were missing in the worst"
    )
    return [printable(f"{told} ({names})")]


def _counted(runs: "Runs") -> "list[str]":
    """The rate, of the runs that told anything."""
    from netlab.bundle.repeating import wilson
    from netlab.bundle.running import Again

    hits, total = runs.ended[Again.SAME], runs.total - runs.ended[Again.UNTOLD]
    if not runs.total:
        return ["no run has ended"]
    if runs.total == 1:
        return [f"replayed once: {runs.best.value}"]
    told = f"the same failure {hits} of {_many(total, 'time')}"
    if total:
        low, high = (f"{bound:.1%}" for bound in wilson(hits, total))
        told += f": {hits / total:.1%}, 95% confidence interval {low} to {high}"
    others = [f"{how.value} {runs.ended[how]}" for how in Again if how is not Again.SAME and runs.ended[how]]
    return ["; ".join([told, *others])]


def _status(runs: "Runs") -> int:
    from netlab.bundle.running import Again

    if runs.ended[Again.SAME]:
        return _FAILED_AGAIN
    return 0 if runs.ended[Again.PASSED] else UNTOLD


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
