from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from netlab.cli import cli
from netlab.cli_options import settings_option

SCENARIO = "topology:\n  vars: {n: 2}\n  nodes: {h: {count: '${n}'}}\nsteps: [{h1: 's = socket(AF_INET, SOCK_STREAM, 0)'}]\n"


@click.command()
@settings_option
def echo(settings: dict[str, str]) -> None:
    click.echo(repr(settings))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "{}"),
        (["--set", "a=1", "--set", "b=x=y", "--set", "c="], "{'a': '1', 'b': 'x=y', 'c': ''}"),
        (["--set", "a=1", "--set", "a=2"], "{'a': '2'}"),
    ],
)
def test_values_by_name(arguments: list[str], told: str) -> None:
    assert CliRunner().invoke(echo, arguments).output.strip() == told


@pytest.mark.parametrize("text", ["hosts", "=7", ""])
def test_what_gives_no_value_to_a_name_is_refused(text: str) -> None:
    refused = CliRunner().invoke(echo, ["--set", text])
    assert refused.exit_code == 2
    assert f"Invalid value for '--set': {text!r} is no NAME=VALUE, such as hosts=7" in refused.output


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("m=1", '--set m: no variable "m" is declared; the variables are n'),
        ("n=0", "{path}:3:22: 0 is too small: it must be at least 1"),
    ],
)
def test_run_takes_settings_and_tells_those_that_nothing_declares(tmp_path: Path, given: str, told: str) -> None:
    path = tmp_path / "x.scenario.yaml"
    path.write_text(SCENARIO)
    refused = CliRunner().invoke(cli, ["run", str(path), "--set", given])
    assert (refused.exit_code, refused.output.strip()) == (2, told.format(path=path))
