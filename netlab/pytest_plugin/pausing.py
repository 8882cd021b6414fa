"""Lets a lab run on at a failure, where others can enter it, until Enter is pressed.

It does not know why the test failed.
"""

import os
import sys
from typing import Any

import pytest

from netlab.lab.described import describe, nodes_of, sealed
from netlab.lab.lab import Lab
from netlab.lab.staying import Staying, claim, usable_name
from netlab.pytest_plugin.keys import stop_timeout

__all__ = ["pause"]


def pause(item: pytest.Item, lab: Lab, failed: str) -> None:
    """Tell the commands that enter the lab, and return at Enter, or at the end of standard input. The lab keeps running meanwhile:
    its links as well, and its sockets as the test left them."""
    stop_timeout(item)  # whoever looks around may take their time
    staying = _lent(lab)
    capturing: Any = item.config.pluginmanager.getplugin("capturemanager")
    if capturing is not None:
        capturing.suspend(in_=True)
    try:
        for line in _told(staying, lab, failed):
            print(line, flush=True)  # noqa: T201 - pytest's own reporter may be turned off
        sys.stdin.readline()
    finally:
        if capturing is not None:
            capturing.resume()


def _lent(lab: Lab) -> Staying:
    """Let others in, by a name of its own."""
    listener, staying = claim(usable_name(lab.topology.name))
    with listener:
        described = describe(
            staying,
            nodes_of(lab.plan),
            links=len(lab.plan.wires),
            topology=lab.topology.name,
            file=os.path.abspath(lab.topology.place.file),
            rootless=lab.keeper.rootless,
        )
        description = sealed(described)
        try:
            lab.lend(listener, description)
        finally:
            os.close(description)
    return staying


def _told(staying: Staying, lab: Lab, failed: str) -> list[str]:
    host = next((name for name, node in lab.nodes.items() if node.kind == "host"), next(iter(lab.nodes)))
    where = f"--lab {staying.name} {host}"
    return [
        "",
        f"netlab: {failed} failed, and its lab {staying.name} still runs: {', '.join(lab.nodes)}",
        f"  enter a node:   netlab-ns shell {where}",
        f"  run a program:  netlab-ns exec {where} -- PROGRAM ARGS",
        f"  see packets:    netlab-ns capture {where}",
        "Enter goes on, and ends the lab.",
    ]
