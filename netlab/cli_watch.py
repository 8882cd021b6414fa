"""The command that watches an unmodified program in a lab: watch.

It reads arguments and tells; how anything is done is not known here.
"""

import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from netlab.cli import INCONCLUSIVE, discard_output
from netlab.cli_files import UnwritableError
from netlab.cli_options import Length, Size, ci_options, html_option, settings_option, writable

if TYPE_CHECKING:
    from netlab.companions import Beside
    from netlab.topology.spec import Topology
    from netlab.watched import Judged, Watched

FAULT = 1
_SAID = 5


class _Watch(click.Command):
    """The command; a program's own option, given without --, is told of as that."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            fix = "a program with options of its own stands after --: netlab-ns watch TOPOLOGY HOST -- PROGRAM ARGS"
            raise click.UsageError(f"{error.format_message()} {fix}", ctx) from None


@click.command(cls=_Watch)
@click.argument("topology")
@click.argument("host")
@click.argument("argv", nargs=-1, required=True, metavar="-- PROGRAM [ARGS]...")
@settings_option
@click.option("--with", "beside", multiple=True, metavar='"HOST: PROGRAM ARGS"', help="Run this too, once HOST's program listens.")
@click.option("--before", multiple=True, metavar='"HOST: PROGRAM ARGS"', help="Run this too, before the program starts.")
@click.option("--until-exit", "until", metavar="HOST", help="It is over when the programs of this host have ended.")
@click.option("--for", "longest", type=Length(), metavar="DURATION", help="It is over after so long at the latest: 10s.")
@click.option("--ready", type=Length(), default="2s", show_default=True, help="How long to wait for a program to listen.")
@click.option("--live/--quiet", "live", default=None, help="Show what happens, or not; left out: on a terminal.")
@click.option(
    "--json", metavar="FILE", callback=writable, help="Write the timeline and the findings as JSON; - is standard output."
)
@click.option("--junit", metavar="FILE", callback=writable, help="Write the findings as JUnit XML.")
@click.option("--pcap", metavar="FILE", callback=writable, help="Write the packets as pcapng, findings as their comments.")
@html_option
@ci_options
@click.option("--capture-buffer", type=Size(), metavar="SIZE", help="Capture buffer of each node: 512k, 8M.")
@click.option("--no-payload", is_flag=True, help="Leave payloads out of what is written.")
@click.option(
    "--allow-inconclusive", is_flag=True, help="Exit with 0, not 3, when there is no fault but something is INCONCLUSIVE."
)
def watch(
    topology: str,
    host: str,
    argv: Sequence[str],
    settings: dict[str, str],
    beside: Sequence[str],
    before: Sequence[str],
    until: str | None,
    live: bool | None,
    **options: Any,
) -> None:
    """Run an unmodified program in HOST of a network, watch all that its sockets do, and tell what is wrong with it.

    TOPOLOGY is a file or a name. The program has this terminal, as with exec. Ctrl-C ends it. What is
    told goes to standard error: standard output is the program's, or with --json - that report's.

    Exit status: 0 no fault, 1 a fault was found, 2 the input is wrong, 3 inconclusive, 4 this machine cannot do it, 126 or 127 the
    program cannot be executed or is not there, 130 interrupted.
    """
    from netlab.report.live import Live, Quiet
    from netlab.topology.load import load_topology
    from netlab.watch import watch as watch_it
    from netlab.watch_wanted import ProgramError, Watch
    from netlab.watched import judged

    program = argv[1:] if argv[0] == "--" else argv
    if not program:
        raise click.UsageError("no program: netlab-ns watch TOPOLOGY HOST -- PROGRAM ARGS")
    if program[0].startswith("-"):
        raise click.UsageError(
            f"{program[0]} stands after the host: netlab-ns watch {program[0]} ... TOPOLOGY HOST -- PROGRAM ARGS"
        )
    reports = {name: options.pop(name) for name in ("json", "junit", "pcap", "html", "ctrf", "summary", "github_summary")}
    if list(reports.values()).count("-") > 1:
        raise click.UsageError("only one report can go to standard output")
    loaded = load_topology(topology, settings)
    others = [_beside(text, loaded, first=first) for texts, first in ((before, True), (beside, False)) for text in texts]
    _check_host(loaded, host)
    if until is not None and until not in {host, *(one.host for one in others)}:
        raise click.UsageError(f"--until-exit {until}: no program is to run there")
    wanted = Watch(
        host=host,
        argv=tuple(argv),
        beside=tuple(others),
        until=until or "",
        longest=options["longest"],
        ready=options["ready"],
        stdout=sys.stderr.fileno() if "-" in reports.values() else None,
        **({} if options["capture_buffer"] is None else {"capture_buffer": options["capture_buffer"]}),
    )
    shown = live if live is not None else sys.stderr.isatty()
    try:
        with _signals() as interrupted:
            seen = watch_it(loaded, wanted, Live(sys.stderr, host) if shown else Quiet(), interrupted)
    except ProgramError as error:
        click.echo(f"netlab-ns: {error}", err=True)
        click.get_current_context().exit(error.status)
    found = judged(seen, f"watch {topology} {host}", loaded)
    _tell(seen, found, quiet=not shown)
    _write(found, reports, no_payload=options["no_payload"])
    click.get_current_context().exit(_status(seen, found, allow_inconclusive=options["allow_inconclusive"]))


def _beside(text: str, topology: "Topology", *, first: bool) -> "Beside":
    from netlab.companions import Beside

    host, colon, words = text.partition(":")
    try:
        argv = tuple(shlex.split(words))
    except ValueError as error:
        raise click.UsageError(f"{text!r}: {error}") from None
    if not colon or not argv:
        raise click.UsageError(f'{text!r} is no program of a host, such as "client: curl -s http://server/"')
    _check_host(topology, host.strip())
    return Beside(host=host.strip(), argv=argv, first=first)


def _check_host(topology: "Topology", host: str) -> None:
    """Refuse a node that is not there, or that has no sockets of a kernel."""
    from netlab.validate import did_you_mean, named

    kinds = {node.name: node.kind for node in topology.nodes}
    if host not in kinds:
        meant = did_you_mean(host, list(kinds)) or f"there is {named(kinds)}"
        raise click.UsageError(f"{topology.name} has no node {host}; {meant}")
    if kinds[host] in ("peer", "switch"):
        fix = f"choose one of {named(name for name, kind in kinds.items() if kind not in ('peer', 'switch'))}"
        raise click.UsageError(f"{host} is a {kinds[host]}, in which no program has a network to use; {fix}")


@contextmanager
def _signals() -> Iterator[Callable[[], int]]:
    """The signals that asked for the end, one after the other: the watch ends in its own time, and tells what it found."""
    came: list[int] = []
    asked = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in asked}
    try:
        yield lambda: came.pop(0) if came else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(seen: "Watched", found: "Judged", *, quiet: bool) -> None:
    from netlab.report.findings_text import summary, told
    from netlab.report.lines import printable
    from netlab.report.text import Line, write_lines

    def lines() -> Iterator[Line]:
        yield Line(f"watched for {seen.elapsed:.1f} s, until {seen.why}", "head")
        for one in seen.programs:
            yield Line(f"  {one.host}: {printable(one.told)}", indent=4)
            said = one.stderr.strip().splitlines()[-_SAID:]
            if quiet and one.status:
                yield from (Line(f"    | {printable(line)}", "dim", indent=6) for line in said)
        yield from summary(found.result.scenarios[0])
        yield Line()
        yield from told(found.result.scenarios[0], found.findings, found.undecided)

    write_lines(lines(), sys.stderr)
    sys.stderr.flush()


def _write(found: "Judged", reports: dict[str, str | None], *, no_payload: bool) -> None:
    from netlab.report.outputs import Outputs
    from netlab.report.redact import without_payload

    result = without_payload(found.result) if no_payload else found.result
    try:
        Outputs(**reports).write_files(result)
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        raise UnwritableError(f"{error.filename}: cannot be written: {error.strerror}") from error


def _status(seen: "Watched", found: "Judged", *, allow_inconclusive: bool) -> int:
    if seen.signal:
        return 128 + seen.signal
    if not seen.started:
        return seen.programs[0].status or FAULT
    if found.result.outcome == "FAIL":
        return FAULT
    return INCONCLUSIVE if found.result.outcome == "INCONCLUSIVE" and not allow_inconclusive else 0
