"""The commands that build, list and end labs that stay: up, down, ls, gc.

It reads arguments and tells; how anything is done is not known here. Each command imports what it needs: most take little longer
than Python's own start.
"""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from netlab.cli_chosen import CannotError, chosen, connected, user_name
from netlab.cli_options import settings_option

if TYPE_CHECKING:
    from netlab.lab.described import Described
    from netlab.lab.records import Exposed
    from netlab.lab.staying import Connection, Staying

_SHOWN = 24


@click.command()
@click.argument("topology")
@click.option("--name", help="What to call the lab; left out: as the topology, with a number where that is taken.")
@settings_option
@click.option("--expose", is_flag=True, help="Name the namespaces LAB.HOST under /run/netns, for ip netns exec (root).")
@click.option("--impairable", is_flag=True, help="Carry the frames of all links where netlab-ns impair can get at them: slower.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    help="What impairments decide by that have no seed of their own; else chance does.",
)
@click.option("--json", "as_json", is_flag=True, help="Tell what was built as JSON.")
def up(
    topology: str, name: str | None, settings: dict[str, str], expose: bool, impairable: bool, seed: int | None, as_json: bool
) -> None:
    """Build the network of TOPOLOGY, a file or a name, and let it stay until it is taken down."""
    from netlab.errors import HostError
    from netlab.lab.keeper import Keeper

    if expose and os.geteuid() != 0:
        raise HostError("only root can name namespaces under /run/netns", "sudo netlab-ns up --expose ..., or leave out --expose")
    with Keeper.begin() as keeper:  # it starts while all else is imported and the topology is read
        from dataclasses import replace

        from netlab.lab.described import json_of
        from netlab.lab.staying import LONGEST_NAME, Staying, TakenError, is_name
        from netlab.topology.find import topology_file
        from netlab.up import build

        if name is not None and not is_name(name):
            allowed = f"at most {LONGEST_NAME} letters, digits, '.', '_' and '-', the first a letter or a digit"
            raise click.UsageError(f"{name!r} cannot be a lab's name: {allowed}")
        try:
            described, shortfalls = build(topology_file(topology), settings, name, keeper, impairable=impairable, seed=seed)
        except TakenError:
            raise click.UsageError(f"a lab {name} stays already; netlab-ns down {name} ends it") from None
    with connected(Staying(described.uid, described.name)) as connection:
        described = replace(described, pid=connection.pid)
    if expose:
        _expose(described)
    if as_json:
        click.echo(json_of(described))
        return
    for line in _told(described, _SHOWN):
        click.echo(line)
    for shortfall in shortfalls:
        click.echo(f"  without: {shortfall}")
    for line in _usage(described, expose=expose):
        click.echo(line)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--all", "every", is_flag=True, help="Every lab of yours.")
def down(names: Sequence[str], every: bool) -> None:
    """End labs; without a NAME the only one that stays. Their programs are killed, and nothing is left."""
    from netlab.lab.staying import staying

    if every and names:
        raise click.UsageError("either names or --all, not both")
    labs = [lab for lab in staying() if lab.uid == os.geteuid()] if every else [chosen(name) for name in names or (None,)]
    for lab in dict.fromkeys(labs):
        _end(lab)
        click.echo(f"{lab.name} is down")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list, with every node and its addresses.")
def ls(names: Sequence[str], as_json: bool) -> None:
    """List the labs that stay; with a NAME, that lab's nodes and their addresses. Root sees the labs of all users."""
    from netlab.lab.described import json_of, read
    from netlab.lab.staying import printable, staying

    own = os.geteuid()
    found: list[Described] = []
    for lab in [chosen(name) for name in names] or [lab for lab in staying() if own in (0, lab.uid)]:
        try:
            with connected(lab) as connection:
                found.append(read(connection))
        except CannotError as error:
            if names:
                raise
            error.show()
    if as_json:
        click.echo(json_of(found))
    elif names:
        for described in found:
            for line in _told(described):
                click.echo(printable(line))
    else:
        for line in _table(found, users=any(one.uid != own for one in found)):
            click.echo(printable(line))


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what there is.")
def gc(dry_run: bool) -> None:
    """Remove what labs that died left: names under /run/netns that --expose made; everything else ends with its lab."""
    from netlab.errors import HostError
    from netlab.lab import exposed, records

    dead = [record for record in records.every() if not _lives(record)]
    if dead and not dry_run and os.geteuid() != 0:
        raise HostError(f"only root can remove what {', '.join(record.lab for record in dead)} left", "sudo netlab-ns gc")
    for record in dead:
        names = exposed.left(record) if dry_run else exposed.conceal(record)
        verb = "left" if dry_run else "removed"
        click.echo(f"{verb} of the lab {record.lab}: its record{''.join(f', {exposed.NAMES / name}' for name in names)}")
    if not dead:
        click.echo("nothing is left of labs that died")


def _expose(described: "Described") -> None:
    from netlab.lab import exposed, records
    from netlab.lab.staying import Staying

    lab = Staying(described.uid, described.name)
    try:
        with connected(lab) as connection:
            opened = {node.name: partial(_network, connection, node.number) for node in described.nodes}
            left = records.read(lab.name)
            if left is not None:  # of a lab that died: the name is ours now
                exposed.conceal(left)
            exposed.expose(lab.name, described.id, opened)
    except BaseException as error:
        _end(lab)
        if isinstance(error, exposed.NameTakenError):
            raise click.UsageError(str(error)) from None
        raise


def _network(connection: "Connection", number: int) -> int:
    return connection.ask("network", node=number)[1][0]


def _end(lab: "Staying") -> None:
    """End a lab, and take away the names that it exposed."""
    from netlab.lab.staying import GoneError

    try:
        with connected(lab) as connection:
            connection.end()
    except CannotError as error:
        if not isinstance(error.__cause__, GoneError):
            raise
    if lab.uid == 0:
        from netlab.lab import records

        record = records.read(lab.name)
        if record is not None:
            from netlab.lab import exposed

            exposed.conceal(record)


def _lives(record: "Exposed") -> bool:
    """Whether the lab that a record is of still stays. A user who may not ask it takes its name for an answer."""
    from netlab.lab.described import read
    from netlab.lab.staying import Staying, staying

    lab = Staying(0, record.lab)
    if lab not in staying() or os.geteuid() != 0:
        return lab in staying()
    try:
        with connected(lab) as connection:
            return read(connection).id == record.id
    except CannotError as error:
        from netlab.lab.staying import GoneError

        return not isinstance(error.__cause__, GoneError)


def _told(described: "Described", most: int | None = None) -> Iterator[str]:
    """A lab for people: each node with its addresses."""
    counts = ((len(described.nodes), "node"), (described.links, "link"))
    yield f"{described.name}: " + ", ".join(f"{number} {what}{'' if number == 1 else 's'}" for number, what in counts)
    shown = described.nodes[:most]
    name, kind = max(len(node.name) for node in shown), max(len(node.kind) for node in shown)
    for node in shown:
        interfaces = "; ".join(" ".join((interface, *addresses)) for interface, addresses in node.interfaces.items())
        yield f"  {node.name:<{name}}  {node.kind:<{kind}}  {interfaces}".rstrip()
    if len(shown) < len(described.nodes):
        yield f"  and {len(described.nodes) - len(shown)} more: netlab-ns ls {described.name}"


def _usage(described: "Described", *, expose: bool) -> Iterator[str]:
    from netlab.lab.staying import staying

    only = sum(lab.uid == described.uid for lab in staying()) == 1
    host = next((node.name for node in described.nodes if node.kind == "host"), described.nodes[0].name)
    where = host if only else f"--lab {described.name} {host}"
    yield f"enter a node:   netlab-ns shell {where}"
    yield f"run a program:  netlab-ns exec {where} -- PROGRAM ARGS"
    if expose:
        yield f"                ip netns exec {described.name}.{host} PROGRAM ARGS"
    yield f"end it:         netlab-ns down {described.name}"


def _table(found: "Sequence[Described]", *, users: bool) -> Iterator[str]:
    import time

    rows = [("NAME", "NODES", "LINKS", "SINCE", "PID", "TOPOLOGY", "USER")]
    for one in found:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.since))
        rows.append((one.name, str(len(one.nodes)), str(one.links), since, str(one.pid), one.file, user_name(one.uid)))
    columns = list(zip(*rows, strict=True))[: None if users else -1]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
