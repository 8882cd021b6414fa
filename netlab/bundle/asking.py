"""What a bundle would do to the machine besides sockets in namespaces of its own: programs that it runs, paths that it reaches.

It runs nothing, and does not decide whether that may be. Namespaces keep a lab's network apart, not its files: programs and calls
see the machine's own, with the rights of whoever runs netlab.
"""

import shlex
from collections.abc import Iterator

import msgspec

from netlab.bundle.loading import loaded, parts
from netlab.bundle.spec import Bundle
from netlab.notation.calls import Call
from netlab.notation.signatures import SIGNATURES
from netlab.notation.values import Buffer, SocketAddress, Text, Value
from netlab.scenario.spec import CallStep, RunStep, Scenario
from netlab.topology.spec import Node


def touches(bundle: Bundle) -> tuple[str, ...]:
    """A line for each program that would run, with where it comes from and what its node puts in its way, and for each call that
    would reach a path. Raises SpecError for what is wrong with the bundle's files."""
    with loaded(msgspec.structs.replace(bundle, programs={})) as scenario:  # with the words as they are written
        return tuple(dict.fromkeys(_touches(bundle, scenario)))


def _touches(bundle: Bundle, scenario: Scenario) -> Iterator[str]:
    brought = {program.word: len(program.data) for program in bundle.programs.values()}

    def line(where: str, argv: tuple[str, ...]) -> str:
        own = [f"{word}: {brought[word]} bytes from the bundle" for word in argv if word in brought]
        return f"{where} runs {shlex.join(argv)}" + (f" ({'; '.join(own)})" if own else "")

    running = {step.host for step in scenario.steps if isinstance(step, RunStep | CallStep)}
    for node in scenario.topology.nodes:
        for command in node.start:
            yield line(node.name, command.argv)
        # nft too is run among the node's own files, and found on its own PATH; what makes calls is a Python among them
        if node.start or node.firewall or node.nat or node.name in running:
            yield from _own(node)
    for step in scenario.steps:
        if isinstance(step, RunStep):
            yield line(step.host, step.what.argv)
        elif isinstance(step, CallStep):
            for call in parts(step.what, Call):
                if reached := _reached(call):
                    yield f"{reached} by {step.text}"


def _own(node: Node) -> Iterator[str]:
    """What can make a program of a node another one than its name says: a file in the place of the machine's, a variable."""
    for file in node.files:
        yield f"{node.name} has a {file.path} of its own ({len(file.text.encode())} bytes from the bundle)"
    for name, value in node.env:
        yield f"{node.name} runs programs with {name}={shlex.quote(value)}"


def _reached(call: Call) -> str:
    """What a call reaches outside of its network namespace, "" where that is nothing: abstract names of AF_UNIX belong to it
    (unix(7)), paths do not, and an address that is written as bytes may be one."""
    if call.name == "open":
        return "a file is opened"
    if call.name == "unlink":
        return "a file is removed"
    if call.name in ("mkfile", "chmod"):
        return "a file is made" if call.name == "mkfile" else "a file's mode is changed"
    if call.inner is not None:
        return _reached(call.inner)
    for address in _addresses(call):
        if isinstance(address, SocketAddress) and (address.form, address.variant) == ("unix", "path"):
            return "a socket's path is used"
        if isinstance(address, Text | Buffer):
            return "bytes are taken for an address"
    return ""


def _addresses(call: Call) -> Iterator[Value]:
    """The arguments that are read as addresses."""
    yield from (value for name, value in call.keywords if name == "addr")
    signature = SIGNATURES.get(call.name)
    if signature is not None:
        yield from (
            value for parameter, value in signature.assign(call.arguments) if parameter.kind == "address in" and value is not None
        )
