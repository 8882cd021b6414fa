"""The command line's options that run and conform share, and the types of their values."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from netlab.cli_bundle import bundle_place, seed_or_drawn

if TYPE_CHECKING:
    from netlab.units import Duration


class Length(click.ParamType):  # type: ignore[type-arg]  # not generic in older versions of click, which serve as well
    """A Duration: 5s, 200ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Duration":
        """Read it; click tells what is wrong."""
        from netlab.units import Duration

        try:
            parsed = Duration.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if parsed.ns == 0:
            self.fail("it must be longer than 0", param, ctx)
        return parsed


class Size(click.ParamType):  # type: ignore[type-arg]  # not generic in older versions of click, which serve as well
    """A number of bytes: 8388608, 512k, 8M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it; click tells what is wrong."""
        text = str(value).lower().removesuffix("ib").removesuffix("b")
        factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:], 1)
        number = text[:-1] if factor > 1 else text
        if not (number.isascii() and number.isdigit()) or not int(number):
            self.fail(f"{value!r} is not a size: a whole number of bytes, or with k, M or G, such as 8M", param, ctx)
        return int(number) * factor


def writable(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse before a long run what could not be written after it."""
    if value is not None and value != "-":
        folder = os.path.dirname(value) or "."
        if os.path.isdir(value) or not os.path.isdir(folder):
            raise click.BadParameter(f"{value}: " + ("this is a directory" if os.path.isdir(value) else f"no directory {folder}"))
        if not os.access(value if os.path.exists(value) else folder, os.W_OK):
            raise click.BadParameter(f"{value}: not writable")
    return value


def assigned(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """What ``--set`` gives to each name; the last one counts."""
    values: dict[str, str] = {}
    for text in value:
        name, equals, given = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is no NAME=VALUE, such as hosts=7")
        values[name] = given
    return values


def settings_option(command: Callable[..., None]) -> Callable[..., None]:
    """``--set NAME=VALUE``: the argument ``settings``, a dict of texts by name, for load_topology and load_scenarios.

    A command that loads several files makes ``Settings.of(settings)`` of it once, for all of them, and ``check()``s it at the end.
    """
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        callback=assigned,
        help="A value for a variable of the topology; may be repeated.",
    )(command)


def html_option(command: Callable[..., None]) -> Callable[..., None]:
    """``--html FILE``, for every command whose page is that of a run's result; conform's has the model's chapters."""
    return click.option(
        "--html", metavar="FILE", callback=writable, help="Write one page of HTML that shows what happened; - is standard output."
    )(command)


def _step_summary(ctx: click.Context, param: click.Parameter, value: bool) -> str | None:
    """The file that GitHub Actions gives to a step for its summary."""
    if not value:
        return None
    path = os.environ.get("GITHUB_STEP_SUMMARY", "")
    if not path:
        raise click.BadParameter(
            "GITHUB_STEP_SUMMARY is not set: this is no step of a GitHub job; --summary FILE writes the same anywhere"
        )
    return writable(ctx, param, os.path.abspath(path))


def ci_options(command: Callable[..., None]) -> Callable[..., None]:
    """The reports that CI systems read besides JUnit: ``ctrf``, ``summary`` and ``github_summary``, each a path or None."""
    options = (
        click.option("--ctrf", metavar="FILE", callback=writable, help="Write CTRF, the Common Test Report Format (JSON)."),
        click.option("--summary", metavar="FILE", callback=writable, help="Write Markdown for a CI job: failures, packets drawn."),
        click.option(
            "--github-summary", is_flag=True, callback=_step_summary, help="Append the same to the summary of this GitHub job."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def running(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that runs scenarios."""
    options = (
        click.option("--json", metavar="FILE", callback=writable, help="Write the whole result as JSON; - is standard output."),
        click.option("--junit", metavar="FILE", callback=writable, help="Write JUnit XML."),
        click.option("--pcap", metavar="FILE", callback=writable, help="Write the packets as pcapng, verdicts as their comments."),
        click.option("--timeout", type=Length(), help="How long a call may take, in place of what the scenarios say."),
        click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="How many scenarios run at once."),
        click.option("--capture-buffer", type=Size(), metavar="SIZE", help="Capture buffer of each node: 512k, 8M."),
        click.option("--no-payload", is_flag=True, help="Leave payloads out of what is written."),
        click.option(
            "--allow-inconclusive", is_flag=True, help="Exit with 0, not 3, when some verdict is INCONCLUSIVE and none FAIL."
        ),
        click.option(
            "--seed",
            type=click.IntRange(0),
            metavar="N",
            callback=seed_or_drawn,
            help="What impairments decide by that have no seed of their own; left out, one is drawn, and told after a failure.",
        ),
        click.option(
            "--bundle",
            metavar="FILE|DIR",
            callback=bundle_place,
            help="Write the first failure with all that it takes to replay it; into a directory, each.",
        ),
        click.option("--strict", is_flag=True, help="Known deviations from the document fail."),
    )
    command = ci_options(command)
    for option in reversed(options):
        command = option(command)
    return command
