"""The command import: a field capture, or a log of strace's, as a topology and a scenario that reproduce it.

Only click is imported here; each command imports what it needs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netlab.cli_files import UnwritableError

if TYPE_CHECKING:
    from netlab.importing.written import Imported

_KEPT = "it is there already; give another directory with -o, another --name, or --force"


@click.group("import")
def import_() -> None:
    """Turn a capture, or a log of strace's, into a topology and a scenario that reproduce it."""


_directory = click.option(
    "-o", "--output", metavar="DIR", default=".", type=click.Path(file_okay=False), help="Where both files are written (here)."
)
_name = click.option("--name", metavar="NAME", help="What both are called (as the file is).")
_force = click.option("--force", is_flag=True, help="Write over files that are there.")


@import_.command()
@click.argument("file", metavar="FILE")
@_directory
@_name
@_force
@click.option("--real", multiple=True, metavar="ADDRESS|both", help="Whom a real stack plays; a peer plays the others.")
def pcap(file: str, output: str, name: str | None, force: bool, real: Sequence[str]) -> None:
    """Import a capture, pcap or pcapng.

    Servers become real stacks unless --real says otherwise; who calls them becomes a peer, which sends just the captured packets.
    What cannot be reproduced is told, and stands in the scenario as a comment.
    """
    from ipaddress import ip_address

    from netlab.importing.pcap import BOTH, from_capture
    from netlab.importing.written import named
    from netlab.timeline.pcapng_read import read

    for one in real:
        try:
            if one != BOTH:
                ip_address(one)
        except ValueError:
            raise click.UsageError(f"--real {one}: this is no IP address; write one of the capture's, or both") from None
    capture = read(Path(file))
    made = from_capture(capture.packets, named(name or Path(file).name.partition(".")[0]), file, real)
    if capture.dropped:
        click.echo(f"{file}: the capture lost {capture.dropped} packets; what it lacks is lacking here too", err=True)
    _write(made, Path(output), force=force)


def _write(made: "Imported", directory: Path, *, force: bool) -> None:
    """Both files, and what to do with them."""
    files = {directory / f"{made.name}.yaml": made.topology(), directory / f"{made.name}.scenario.yaml": made.scenario()}
    for path in files:
        if path.exists() and not force:
            raise UnwritableError(f"{path}: {_KEPT}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text)
    except OSError as error:
        raise UnwritableError(f"{error.filename}: cannot be written: {error.strerror}") from error
    for note in made.notes:
        click.echo(f"not reproduced: {note}", err=True)
    for path in files:
        click.echo(path)


@import_.command()
@click.argument("file", metavar="FILE")
@_directory
@_name
@_force
def strace(file: str, output: str, name: str | None, force: bool) -> None:
    """Import a log of strace's, written with any options (best: -f -tt -s 1000).

    Each process' calls about internet sockets become steps that assert what they gave. Whom the log does not show, such as the
    server of a client alone, is played by another host. Calls about anything else are left out.
    """
    from netlab.errors import Place, Problem, SpecError
    from netlab.importing.strace import from_log
    from netlab.importing.written import named

    try:
        lines = Path(file).read_bytes().decode(errors="replace").splitlines()
    except OSError as error:
        raise SpecError(Problem(Place(file, 1, 1), f"cannot be read: {error.strerror}")) from None
    _write(from_log(lines, named(name or Path(file).name.partition(".")[0]), file), Path(output), force=force)
