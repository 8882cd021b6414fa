"""Which lab and which node a user means, and a connection to it: what the commands of labs that stay have in common.

What cannot be had becomes a message that says what there is.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from netlab.lab.described import Described, DescribedNode
    from netlab.lab.staying import Connection, Staying

_NAMED = 12

lab_option = click.option("--lab", metavar="NAME", help="Which lab, where several stay; for root also USER/NAME.")


class NotThereError(click.ClickException):
    """There is no such lab, node or interface; the message says what there is."""

    exit_code = 2


class CannotError(click.ClickException):
    """What is asked of a lab cannot be had."""

    exit_code = 4


def chosen(name: str | None) -> "Staying":
    """The lab that is meant by NAME (one's own), by USER/NAME, or by nothing where one has only one. Raises NotThereError."""
    from netlab.lab.staying import staying

    own, every = os.geteuid(), staying()
    usable = {_called(lab, own): lab for lab in every if own in (0, lab.uid)}
    mine = {called: lab for called, lab in usable.items() if lab.uid == own}
    if name is None:
        if not mine:
            raise NotThereError("no lab stays; netlab-ns up TOPOLOGY builds one")
        if len(mine) > 1:
            raise NotThereError(f"several labs stay, say which: {_some(mine)}")
        return next(iter(mine.values()))
    if name in usable:
        return usable[name]
    user, _, short = name.rpartition("/")
    fitting = [lab for lab in every if lab.name == short and (not user or lab.uid == _uid(user))]
    if user and fitting and fitting[0] in usable.values():
        return fitting[0]
    if fitting:
        called = _some([_called(lab, own) for lab in fitting])
        raise NotThereError(
            f"no lab {name} of yours stays; " + (f"there is {called}" if own == 0 else f"{called} is not yours to use")
        )
    raise NotThereError(f"no lab {name} stays; {meant(name, list(usable)) or 'netlab-ns up TOPOLOGY builds one'}")


@contextmanager
def connected(lab: "Staying") -> "Iterator[Connection]":
    """A connection to a lab; what is wrong with it becomes a message."""
    from netlab.lab.staying import Connection, UnreachableError

    try:
        with Connection(lab) as connection:
            yield connection
    except UnreachableError as error:
        raise CannotError(str(error)) from error


@contextmanager
def inside(lab_name: str | None, node_name: str) -> "Iterator[tuple[Connection, Described, DescribedNode]]":
    """A connection to the lab that is meant, and the node that is meant there. Raises NotThereError."""
    from netlab.lab.described import read

    with connected(chosen(lab_name)) as connection:
        described = read(connection)
        try:
            node = described.node(node_name)
        except KeyError:
            there = meant(node_name, [node.name for node in described.nodes])
            raise NotThereError(f"the lab {described.name} has no node {node_name}; {there}") from None
        yield connection, described, node


def meant(name: str, there: Sequence[str]) -> str:
    """What was probably meant by a name that is not there; "" if nothing is there."""
    import difflib

    near = difflib.get_close_matches(name, there, 1)
    return f"did you mean {near[0]}?" if near else f"there are: {_some(there)}" if there else ""


def user_name(uid: int) -> str:
    """A user's name, or number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _uid(user: str) -> int:
    import pwd

    with suppress(KeyError):
        return pwd.getpwnam(user).pw_uid
    return int(user) if user.isascii() and user.isdigit() else -1


def _called(lab: "Staying", own: int) -> str:
    return lab.name if lab.uid == own else f"{user_name(lab.uid)}/{lab.name}"


def _some(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join([*every[:_NAMED], *([f"and {len(every) - _NAMED} more"] if len(every) > _NAMED else [])])
