"""What run and conform do about a failure: tell the seed that it came by, write its bundle; what replay and shrink ask before
they run one.

Only click is imported here.
"""

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from netlab.bundle.spec import Bundle
    from netlab.check.result import RunResult, ScenarioResult
    from netlab.scenario.spec import Scenario

SUFFIX = ".netlab"


def bundle_place(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse before a long run a bundle that could not be written after it. A directory gets one for each failure."""
    if value is not None:
        folder = value if os.path.isdir(value) else os.path.dirname(value) or "."
        if value.endswith("/") and not os.path.isdir(value):
            raise click.BadParameter(f"{value}: no such directory")
        if not os.path.isdir(folder):
            raise click.BadParameter(f"{value}: no directory {folder}")
        if not os.access(folder, os.W_OK):
            raise click.BadParameter(f"{value}: not writable")
        if os.path.exists(value) and not os.path.isfile(value) and not os.path.isdir(value):
            raise click.BadParameter(f"{value}: no regular file, and a bundle is written as one")
    return value


def seed_or_drawn(ctx: click.Context, param: click.Parameter, value: int | None) -> int:
    """A run without a seed draws one, so that no two runs are the same unless they are asked to be."""
    import secrets

    return secrets.randbits(32) if value is None else value


def after_failure(
    result: "RunResult", scenarios: Sequence["Scenario"], *, command: str, settings: dict[str, str], **options: Any
) -> None:
    """Tell the seed, and the command that repeats what failed by it; write the bundles that were asked for. ``scenarios`` are those
    of the result, in its order; ``command`` is "run" or "conform"."""
    failed = [(one, there) for one, there in zip(scenarios, result.scenarios, strict=True) if there.outcome == "FAIL"]
    if not failed:
        return
    from netlab.bundle.loading import parts
    from netlab.topology.spec import Rule, Shape

    drawn = [one for one, _ in failed if any(True for kind in (Rule, Shape) for _ in parts(one, kind))]
    if drawn:
        names = dict.fromkeys(one.place.file if command == "run" else f"--claim={one.name}" for one in drawn)
        words = [*names, *(f"--set={name}={text}" for name, text in settings.items())]
        words += [f"--timeout={options['timeout']}"] * (options["timeout"] is not None) + ["--strict"] * options["strict"]
        words.append(f"--seed={options['seed']}")
        click.echo(f"seed {options['seed']}; to repeat: netlab-ns {command} {shlex.join(words)}", err=True)
    place = options["bundle"]
    if place is not None:
        many = os.path.isdir(place)
        for number, (scenario, there) in enumerate(failed):
            if many or number == 0:
                path = os.path.join(place, _file_name(scenario.name, number)) if many else place
                _write(scenario, _alone(result, there), path, settings, options)
        if len(failed) > 1 and not many:
            click.echo(f"{place} holds the first of {len(failed)} failures; name a directory to get a bundle of each", err=True)


def ask(bundle: "Bundle", path: str, *, trust: bool, refused: int) -> None:
    """Go on only if the user lets the bundle do what it would do besides sockets; else exit with the status ``refused``."""
    import sys

    from netlab.bundle.asking import touches
    from netlab.report.lines import printable

    lines = touches(bundle)
    if not lines or trust:
        return
    who = "as root" if os.geteuid() == 0 else "as you"
    click.echo(f"{printable(path)} comes from elsewhere, perhaps; on this machine, {who}:", err=True)
    for line in lines:
        click.echo(f"  {printable(line)}", err=True)
    if not sys.stdin.isatty():
        click.echo("nothing was run: there is no terminal to ask at; add --trust if you trust it", err=True)
        click.get_current_context().exit(refused)
    if not click.confirm("Run it?", err=True):
        click.get_current_context().exit(refused)


def _alone(result: "RunResult", scenario: "ScenarioResult") -> "RunResult":
    """The run's result with this scenario alone."""
    import msgspec

    return msgspec.structs.replace(result, scenarios=(scenario,), not_tested=())


def _write(scenario: "Scenario", result: "RunResult", path: str, settings: dict[str, str], options: Any) -> None:
    """Write one bundle. That it cannot be written is told, and changes nothing about the run's own result."""
    from netlab.bundle.making import bundle_of
    from netlab.bundle.writing import save
    from netlab.errors import SpecError

    timeout = options["timeout"]
    try:
        bundle = bundle_of(
            scenario,
            result.scenarios[0],
            seed=options["seed"],
            host=result.host,
            settings=settings,
            timeout=timeout.ns if timeout is not None else 0,
            capture_buffer=options["capture_buffer"] or 0,
            strict=options["strict"],
        )
        save(bundle, path, result)
    except SpecError as error:
        click.echo(f"{path} was not written: {error}", err=True)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        click.echo(f"{path} was not written: {told}", err=True)
    else:
        click.echo(f"to replay {scenario.name}: netlab-ns replay {shlex.quote(path)}", err=True)


def _file_name(name: str, number: int) -> str:
    """A file's name for the bundle of a scenario of this name, which may hold anything."""
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).lstrip(".")[:100]
    return f"{plain or 'scenario'}{f'-{number}' if number else ''}{SUFFIX}"
