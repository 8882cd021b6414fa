"""The command predict: what the model allows at each step of scenarios; touches no kernel.

Only click is imported here; the command imports what it needs.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from netlab.cli_files import gathered, refuse, write
from netlab.cli_options import settings_option, writable

if TYPE_CHECKING:
    from netlab.model.sockets.predict import Prediction
    from netlab.scenario.spec import Scenario


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR...", type=click.Path())
@settings_option
@click.option("--profile", type=click.Choice(["linux", "posix"]), default="linux", help="Whose rules: Linux' or POSIX'.")
@click.option("--json", "as_json", metavar="FILE", callback=writable, is_flag=False, flag_value="-", help="As one JSON object.")
def predict(paths: Sequence[str], settings: dict[str, str], profile: str, as_json: str | None) -> None:
    """Print what the model allows at each step: values, errnos, what is given besides, states, being blocked; touches no kernel.

    A step is predicted given the results that earlier steps assert; one without counts as a success, -> ? as any outcome that the
    model allows.
    """
    from netlab.model.sockets.predict import predict as predicted

    scenarios = _scenarios(paths, settings)
    found = [(scenario, predicted(scenario, "posix" if profile == "posix" else "linux")) for scenario in scenarios]
    if as_json is not None:
        told = [_object(scenario, steps) for scenario, steps in found]
        document = told[0] if len(told) == 1 else {"scenarios": told}
        write(json.dumps({"schema": 1, **document}, indent=2) + "\n", as_json)
        return
    for scenario, steps in found:
        click.echo(f"{scenario.place.file}: {scenario.name}")
        for step in steps:
            for line in _lines(step):
                click.echo("  " + line)


def _scenarios(paths: Sequence[str], settings: dict[str, str]) -> "list[Scenario]":
    """The scenarios, and the claims, of these files and directories."""
    from netlab.files import Kind, found, not_this
    from netlab.scenario.load import load_claims, load_scenarios
    from netlab.topology.expanding.variables import Settings

    files, problems = found(paths)
    shared = Settings.of(settings)
    scenarios: list[Scenario] = []
    for file in files:
        if file.kind is Kind.SCENARIO:
            scenarios += gathered(problems, lambda path: load_scenarios(path, shared), file.path) or ()
        elif file.kind is Kind.CLAIMS:
            claims, _ = gathered(problems, lambda path: load_claims(path, shared), file.path) or ((), ())
            scenarios += claims
        elif file.named:
            problems.append(not_this(file, "name a scenario, a file of claims, or a directory that holds some"))
    refuse(problems)
    shared.check()
    if not scenarios:
        raise click.UsageError(f"no scenario in {', '.join(paths)}")
    return scenarios


def _object(scenario: "Scenario", steps: "Sequence[Prediction]") -> dict[str, Any]:
    import msgspec

    return {"file": scenario.place.file, "name": scenario.name, "steps": msgspec.to_builtins(steps)}


def _lines(step: "Prediction") -> list[str]:
    """One step as text: as written, then each outcome, then the rules with their sources."""
    from netlab.model.sockets.oracle import show

    if not step.modelled:
        return [step.call, "    not modelled"]
    lines = [step.call]
    for outcome in step.allowed:
        states = ", ".join(f"{name} {state}" for name, state in outcome.get("state", {}).items())
        lines.append(f"    {show(dict(outcome))}" + (f"    ({states})" if states else ""))
    lines += [f"        {rule} [{step.sources[rule]}]" for rule in step.rules]
    if step.contradicted:
        lines.append("    the step asserts something else")
    return lines
