"""The command line: reads arguments, calls what does the work, turns errors into messages and exit statuses.

It refuses to know how anything is done. Only click is imported here; each command is imported when it is used, and imports what it
needs by itself.
"""

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

import netlab

WRONG_INPUT, INCONCLUSIVE, UNABLE, BUG, INTERRUPTED = 2, 3, 4, 70, 130
UNTOLD = 125
"""What tells git-bisect(1) to skip a commit: it takes any other status from 1 to 127 for "bad"."""

_COMMANDS = {
    "netlab.cli_run": ("run", "doctor"),
    "netlab.cli_model": ("model",),
    "netlab.cli_conform": ("conform",),
    "netlab.cli_predict": ("predict",),
    "netlab.cli_files": ("validate", "plan", "graph", "schema"),
    "netlab.cli_labs": ("up", "down", "ls", "gc"),
    "netlab.cli_inside": ("exec_", "shell", "capture", "logs"),
    "netlab.cli_impair": ("impair",),
    "netlab.cli_watch": ("watch",),
    "netlab.cli_replay": ("replay",),
    "netlab.cli_shrink": ("shrink",),
    "netlab.cli_check": ("check",),
    "netlab.cli_diff": ("diff",),
    "netlab.cli_explore": ("explore",),
    "netlab.cli_import": ("import_",),
}
_HOMES = {name.rstrip("_"): (module, name) for module, names in _COMMANDS.items() for name in names}
"""Where each command is, imported when it is used: to make the options of all takes longer than all that down does."""

_UNTOLD = {"replay": UNTOLD}


class _Edge(click.Group):
    """The group of all commands; what a command raises becomes a message and an exit status here, and only here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_HOMES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        # every one for a name that is none of them: click then tells which are like it
        for name in [cmd_name] if cmd_name in _HOMES else _HOMES:
            if name not in self.commands:
                module, attribute = _HOMES[name]
                self.add_command(getattr(import_module(module), attribute))
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        from netlab.errors import HostError, SpecError

        try:
            given = super().invoke(ctx)
            sys.stdout.flush()
            return given
        except click.exceptions.Exit:
            raise
        except click.ClickException as error:
            if _status(ctx, error.exit_code) == error.exit_code:
                raise
            error.show()
            ctx.exit(_status(ctx, error.exit_code))
        except SpecError as error:
            click.echo(_shown(error), err=True)
            ctx.exit(_status(ctx, WRONG_INPUT))
        except HostError as error:
            click.echo(f"this machine cannot do it: {_shown(error)}", err=True)
            ctx.exit(_status(ctx, UNABLE))
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            discard_output()
            ctx.exit(0)
        except Exception:  # noqa: BLE001 - the last resort: whatever is left is a bug, and is told as one
            import traceback

            click.echo(traceback.format_exc(), err=True)
            click.echo(
                "This is a bug of netlab's. Please report it with the lines above and the output of netlab-ns doctor.", err=True
            )
            ctx.exit(_status(ctx, BUG))


def _shown(error: Exception) -> str:
    """What an error says, in which a file from elsewhere may have put what a terminal acts upon."""
    from netlab.report.lines import printable

    return "\n".join(printable(line) for line in str(error).split("\n"))


def _status(ctx: click.Context, status: int) -> int:
    """What a failed command exits with."""
    return _UNTOLD.get(ctx.invoked_subcommand or "", status)


@click.group(cls=_Edge, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(netlab.__version__, prog_name="netlab-ns")
def cli() -> None:
    """Networks from YAML, real sockets, one timeline, judged by a cited model of the sockets API.

    Exit status: 0 all passed, 1 some verdict is FAIL, 2 the input is wrong, 3 none failed but some are INCONCLUSIVE, 4 nothing
    could run on this machine, 70 a bug of netlab's, 130 interrupted.
    """


def main() -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A name or an output that the terminal's encoding lacks must not end a report.
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        cli(prog_name="netlab-ns")
    finally:
        gc.freeze()  # all ends with the process: to look for cycles first takes a tenth of a quick command's time


def discard_output() -> None:
    """Nobody reads standard output any more: what is still buffered for it goes nowhere, and quietly."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
