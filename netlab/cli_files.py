"""The commands about files: validate, plan, graph, schema. None of them touches the kernel.

Only click is imported here; each command imports what it needs.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from netlab.cli_options import settings_option, writable

if TYPE_CHECKING:
    from netlab.errors import Problem
    from netlab.topology.spec import Topology

T = TypeVar("T")

_FORMATS = {"svg": (".svg",), "dot": (".dot", ".gv"), "mermaid": (".mmd", ".mermaid"), "text": (".txt",)}


class UnwritableError(click.ClickException):
    """What was asked for cannot be written where the user wants it."""

    exit_code = 2


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR...", type=click.Path())
@settings_option
def validate(paths: Sequence[str], settings: dict[str, str]) -> None:
    """Check topologies, scenarios and claims, and tell everything that is wrong with them."""
    from netlab.files import Kind, found, not_this
    from netlab.scenario.load import load_claims, load_scenarios
    from netlab.topology.expanding.variables import Settings
    from netlab.topology.load import load_topology

    files, problems = found(paths)
    shared = Settings.of(settings)
    for file in files:
        told: object = None
        if file.kind is Kind.TOPOLOGY:
            topology = gathered(problems, lambda path: load_topology(path, shared), file.path)
            told = topology and f"topology {topology.name}, {_many(topology.nodes, 'node')}, {_many(topology.links, 'link')}"
        elif file.kind is Kind.SCENARIO:
            scenarios = gathered(problems, lambda path: load_scenarios(path, shared), file.path)
            told = scenarios and ", ".join(f"scenario {one.name}, {_many(one.steps, 'step')}" for one in scenarios)
        elif file.kind is Kind.CLAIMS:
            both = gathered(problems, lambda path: load_claims(path, shared), file.path)
            told = both and f"{_many(both[0], 'claim')}, {len(both[1])} not tested"
        else:
            problems.append(not_this(file, "leave it out, or mend its top-level keys"))
        if told:
            click.echo(f"{file.path}: OK: {told}")
    refuse(problems)
    if not files:
        raise click.UsageError(f"no YAML file in {', '.join(paths)}")
    shared.check()


@click.command()
@click.argument("path", metavar="FILE")
@settings_option
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def plan(path: str, settings: dict[str, str], as_json: bool) -> None:
    """Print what would be built from a topology, a file or a name, or for a scenario; touches no kernel."""
    from netlab.topology.plan import plan as planned

    plans = [(topology.name, planned(topology)) for topology in _topologies(path, settings)]
    if as_json:
        from netlab.report.plan_json import plans_as_json

        lines = list(plans_as_json(plans))
    else:
        from netlab.topology.planning.plan_lines import lines as lines_of

        lines = [line for _, each in plans for line in lines_of(each)]
    for line in lines:
        click.echo(line)


@click.command()
@click.argument("path", metavar="FILE")
@settings_option
@click.option("--format", "form", type=click.Choice(list(_FORMATS)), help="Left out: by the suffix of the output, else text.")
@click.option("-o", "--output", metavar="OUTPUT", callback=writable, help="Where to write it; - or left out: standard output.")
def graph(path: str, settings: dict[str, str], form: str | None, output: str | None) -> None:
    """Draw a topology, a file or a name, or a scenario's: as a picture (SVG), as text, for Graphviz or for mermaid."""
    from netlab.report import graph_svg, graph_text

    chosen = form or _format_of(output or "")
    topologies = dict.fromkeys(_topologies(path, settings))
    if len(topologies) > 1:
        raise click.UsageError(f"{path} has {len(topologies)} topologies; graph draws one")
    draw = {"svg": graph_svg.svg, "dot": graph_text.dot, "mermaid": graph_text.mermaid, "text": graph_text.text}[chosen]
    write(draw(next(iter(topologies))), output)


@click.command()
@click.argument("what", default="topology", type=click.Choice(["topology", "scenario", "claims", "result"]))
@click.option("-o", "--output", metavar="OUTPUT", callback=writable, help="Where to write it; - or left out: standard output.")
def schema(what: str, output: str | None) -> None:
    """Print the JSON Schema of a topology, a scenario or a file of claims, by which an editor completes and checks, or of what
    runs write with --json."""
    from netlab.json_schemas import schema_text

    write(schema_text(what), output)


def _format_of(output: str) -> str:
    """The format that a file's name asks for."""
    suffix = os.path.splitext(output)[1].lower()
    for form, suffixes in _FORMATS.items():
        if suffix in suffixes:
            return form
    if suffix:
        known = ", ".join(each for suffixes in _FORMATS.values() for each in suffixes)
        raise click.UsageError(f"{output}: no format has the suffix {suffix}, only {known}; say which with --format")
    return "text"


def write(text: str, output: str | None) -> None:
    """Write the text to a file, or to standard output for None and "-"."""
    if output is None or output == "-":
        click.echo(text, nl=False)
        return
    try:
        with open(output, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UnwritableError(f"{output}: cannot be written: {error.strerror}") from error


def gathered(problems: "list[Problem]", load: Callable[[str], T], path: str) -> T | None:
    """What ``load`` gives for the file; None after a SpecError, whose problems are kept so that all files' are told at once."""
    from netlab.errors import SpecError

    try:
        return load(path)
    except SpecError as error:
        problems += error.problems
        return None


def refuse(problems: "Sequence[Problem]") -> None:
    """Raise the SpecError of these problems, if there are any."""
    from netlab.errors import SpecError

    if problems:
        raise SpecError(*problems)


def _topologies(path: str, settings: dict[str, str]) -> "list[Topology]":
    """The topology of a file or a name, or those of a scenario or of claims."""
    from netlab.files import Kind, kind_of

    if os.path.exists(path) and kind_of(path) in (Kind.SCENARIO, Kind.CLAIMS):
        from netlab.scenario.load import load_scenarios

        return [scenario.topology for scenario in load_scenarios(path, settings)]
    from netlab.topology.load import find_topology, load_topology

    return [load_topology(find_topology(path, None), settings)]


def _many(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}" if len(things) == 1 else f"{len(things)} {word}s"
