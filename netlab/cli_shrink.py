"""The command that makes a failure small: shrink. A bundle in, a scenario file out that fails in the same way.

Only click is imported here; the command imports what it needs.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from netlab.cli import INCONCLUSIVE, INTERRUPTED, WRONG_INPUT
from netlab.cli_bundle import ask
from netlab.cli_files import UnwritableError
from netlab.cli_options import Length, writable

if TYPE_CHECKING:
    from netlab.bundle.spec import Bundle
    from netlab.shrink.candidates import Progress
    from netlab.shrink.shrinking import Shrinking
    from netlab.units import Duration

NOT_AGAIN = 1


@click.command()
@click.argument("path", metavar="BUNDLE", type=click.Path())
@click.option("-o", "--output", metavar="FILE", help="The scenario file; left out: BUNDLE.shrunk.yaml; - is standard output.")
@click.option(
    "--tries",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="For a failure that does not always come: what fails in one of so many runs fails.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="How many candidates run at once.")
@click.option("--timeout", type=Length(), help="For the whole search; then the best so far is written.")
@click.option("--trust", is_flag=True, help="Run the programs that the bundle names without asking.")
@click.pass_context
def shrink(
    ctx: click.Context, path: str, output: str | None, tries: int, jobs: int, timeout: "Duration | None", trust: bool
) -> None:
    """Find the smallest disturbance, workload and network that still fail as a bundle's scenario did, and write it as a scenario.

    Every candidate is run for real. Ctrl-C ends the search, and the best so far is written.

    Exit status: 0 a scenario was written that fails in the same way; 1 the failure did not come again, and nothing was written; 3
    nothing could be told here of whether it does; 130 interrupted.
    """
    import time

    from netlab.bundle.reading import read
    from netlab.shrink.shrinking import NotReproducedError, Shrinking
    from netlab.shrink.trials import OutOfTimeError

    if output is not None:
        writable(ctx, _parameter(ctx, "output"), output)
    bundle = read(path)
    ask(bundle, path, trust=trust, refused=WRONG_INPUT)
    if output is None:
        output = writable(ctx, _parameter(ctx, "output"), f"{path.removesuffix('.zip').removesuffix('.netlab')}.shrunk.yaml")
    deadline = time.monotonic() + timeout.seconds if timeout is not None else None
    click.echo(f"{path}: {_printable(str(bundle.failed))}", err=True)
    ended = ""
    with _shown() as told:
        search = Shrinking(bundle, tries=tries, jobs=jobs, deadline=deadline, told=told)
        try:
            search.search()
        except OutOfTimeError:
            ended = "out of time"
        except KeyboardInterrupt:
            ended = "interrupted"
        except NotReproducedError as error:
            click.echo(f"{path}: nothing was written: {_printable(str(error))}", err=True)
            ctx.exit(INCONCLUSIVE if error.untold else NOT_AGAIN)
    if search.best is None:
        click.echo(f"{path}: nothing was written: {ended} before the failure appeared again", err=True)
        ctx.exit(INTERRUPTED if ended == "interrupted" else NOT_AGAIN)
    if ended:
        click.echo(f"{ended}: this is the best so far; it is run once more", err=True)
    try:
        same = _finish(search, bundle, path, str(output), early=bool(ended))
    except NotReproducedError as error:
        click.echo(f"{path}: nothing was written: {_printable(str(error))}", err=True)
        same = False
    ctx.exit(INTERRUPTED if ended == "interrupted" else 0 if same else NOT_AGAIN)


def _finish(search: "Shrinking", bundle: "Bundle", path: str, output: str, *, early: bool) -> bool:
    """Run what is left as it will be written, write it, and tell. False if it did not fail then."""
    from netlab.shrink.finishing import finished

    with _shown() as told:
        search.told = told
        done = finished(search, os.path.basename(path), minimal=not early)
    if not done.same:
        often = f"the smallest that failed did not fail in {done.runs} runs more"
        click.echo(f"{path}: nothing was written: {often}; try more --tries", err=True)
        return False
    try:
        with open(output, "w", encoding="utf-8") if output != "-" else os.fdopen(os.dup(1), "w", encoding="utf-8") as file:
            file.write(done.text)
    except OSError as error:
        raise UnwritableError(f"{output}: cannot be written: {error.strerror}") from error
    click.echo(_printable(done.said), err=True)
    for word, there in done.programs:
        state = "is as it was" if there else "is not here as the bundle has it"
        click.echo(f"it runs {_printable(word)}, which {state}", err=True)
    where = "standard output" if output == "-" else output
    click.echo(f"{where}: fails in {done.same} of {done.runs} runs; found in {search.runs} runs; {done.size}", err=True)
    return True


@contextmanager
def _shown() -> "Iterator[Callable[[Progress], None]]":
    """Who is told of progress: a line that changes on a terminal, else a line whenever something got smaller."""
    import threading

    from netlab.shrink.telling import progress_line, size_words

    lock = threading.Lock()
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("") as status:

            def change(progress: "Progress") -> None:
                with lock:
                    status.update(progress_line(progress))

            yield change
        return
    last = ("", "")

    def line(progress: "Progress") -> None:
        nonlocal last
        with lock:
            now = (progress.phase, size_words(progress.size))
            if now != last:
                last = now
                click.echo(progress_line(progress), err=True)

    yield line


def _parameter(ctx: click.Context, name: str) -> click.Parameter:
    return next(one for one in ctx.command.params if one.name == name)


def _printable(text: str) -> str:
    from netlab.report.lines import printable

    return printable(text)
