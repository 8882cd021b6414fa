"""What is killed: commands and a program that build labs, use them and take them down; and the topology that they do it with."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

COMMAND, KEEPER, FIRST = "the command", "the keeper", "the first process"
EVERY = (COMMAND, KEEPER, FIRST)
"""A victim's own process; the keeper's outer process, its child; and that one's child, process 1 of the lab's PID namespace."""

TOPOLOGY = """\
# Three hosts and a router; programs that stay, one of them detached as a daemon does, a file of its own, a slow link.
name: {name}
nodes:
  client:
    files: {{/etc/netlab-kill-loop/motd: "hello\\n"}}
  server:
    start:
      - {{run: [{python}, -c, {listen!r}], ready: {{port: 80}}}}
      - {{shell: "setsid setsid sleep 1000 </dev/null >/dev/null 2>&1 &"}}
  other:
    start: [{{run: sleep 1000, background: true}}]
  router: {{kind: router}}
  switch: {{kind: switch}}
links:
  - endpoints: [client, switch]
  - endpoints: [other, switch]
  - endpoints: [router, switch]
  - endpoints: [router, server]
    impair: {{both: {{rate: 100mbit}}}}
"""
LISTEN = "import socket; s = socket.create_server(('', 80)); [s.accept() for _ in iter(int, 1)]"
PLAIN = """\
# Two hosts and nothing else: built again, it is built from what the first time left in the cache.
nodes: {client: {}, server: {}}
links: [{endpoints: [client, server]}]
"""
CONNECT = "import socket; socket.create_connection(('server', 80), 5)"
REACH = """
import socket
try:
    socket.create_connection(("server", 80), 5)
except ConnectionRefusedError:
    pass
"""
SCENARIO = """\
# A program detaches itself as a daemon does; calls go on meanwhile, and a packet is lost.
topology: {topology}
steps:
  - server: run sh -c "setsid setsid sleep 1000 </dev/null >/dev/null 2>&1 &"
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
  - expect: {{packets: [client > server S, server > client S., client > server .], for: 200ms}}
  - client: close(c)
"""
PROGRAM = """\
import sys
from netlab import Lab

with Lab.load(sys.argv[1]) as lab:
    lab["client"].run(["sh", "-c", "setsid setsid sleep 1000 </dev/null >/dev/null 2>&1 &"])
    with lab["other"].popen(["sleep", "1000"]), lab.observe(states=False), lab["client"].socket() as client:
        client.connect((lab["server"].address, 80))
        lab["client"].run(["sleep", "0.1"])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The files that victims work with. ``written`` is the folder of files that they were told to write."""

    topology: Path
    plain: Path
    scenario: Path
    program: Path
    written: Path

    @classmethod
    def below(cls, folder: Path, name: str) -> "Stage":
        """Write them."""
        stage = cls(
            topology=folder / f"{name}.yaml",
            plain=folder / f"{name}-plain.yaml",
            scenario=folder / f"{name}.scenario.yaml",
            program=folder / "program.py",
            written=folder / "written",
        )
        stage.written.mkdir()
        stage.topology.write_text(TOPOLOGY.format(name=name, python=sys.executable, listen=LISTEN))
        stage.plain.write_text(PLAIN)
        stage.scenario.write_text(SCENARIO.format(topology=stage.topology))
        stage.program.write_text(PROGRAM)
        return stage


Argv = Callable[[Stage, str], list[str]]


def netlab(*arguments: object) -> list[str]:
    """A command line of ours."""
    return [sys.executable, "-m", "netlab", *map(str, arguments)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A command, by what it is called and its words for a lab's name.

    ``needs`` are options of the ``up`` that must come before it; ``proof`` is a Python program for the client, to see whether a lab
    works. With ``exposed``, names under /run/netns may need ``netlab-ns gc`` afterwards; ``root`` says who may do this.
    """

    name: str
    argv: Argv
    targets: tuple[str, ...] = EVERY
    needs: tuple[str, ...] | None = None
    proof: str = CONNECT
    exposed: bool = False
    root: bool = False


VICTIMS = (
    Victim(name="up", argv=lambda stage, lab: netlab("up", stage.topology, "--name", lab)),
    Victim(name="up, from the cache", argv=lambda stage, lab: netlab("up", stage.plain, "--name", lab), proof=REACH),
    Victim(
        name="up --expose",
        argv=lambda stage, lab: netlab("up", stage.topology, "--name", lab, "--expose"),
        exposed=True,
        root=True,
    ),
    Victim(
        name="run",
        argv=lambda stage, lab: netlab("run", stage.scenario, "--pcap", stage.written / "packets.pcapng"),
    ),
    Victim(name="with Lab(...)", argv=lambda stage, lab: [sys.executable, str(stage.program), str(stage.topology)]),
    Victim(name="exec", argv=lambda stage, lab: netlab("exec", "--lab", lab, "client", "--", "sleep", "0.2"), needs=()),
    Victim(name="down", argv=lambda stage, lab: netlab("down", lab), needs=(), targets=(COMMAND,)),
    Victim(
        name="down, exposed",
        argv=lambda stage, lab: netlab("down", lab),
        needs=("--expose",),
        targets=(COMMAND,),
        exposed=True,
        root=True,
    ),
)
