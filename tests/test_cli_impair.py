"""Links of labs that stay, impaired while they run, as a user does it: real labs and packets, with root's rights and without."""

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from labs import HERE, Stays, alive, below, command, described, lab, name, netlab, until

from netlab.impair.asking import Asked
from netlab.lab.staying import Connection, RefusedError, Staying

pytestmark = pytest.mark.netns

PRIVILEGES = pytest.mark.parametrize("rootless", [False, True], ids=["", "rootless"])
GUIDE = HERE.parent / "docs" / "labs.md"
REFUSED = "ConnectionRefusedError"
# Connects to a port on which nobody listens, in as many seconds as it is told; prints what became of it, and how long it took.
CONNECT = """\
import socket, sys, time
client = socket.socket()
client.settimeout(float(sys.argv[1]))
began = time.monotonic()
try:
    client.connect(("server", 9))
except OSError as error:
    print(type(error).__name__, time.monotonic() - began)
"""
# Prints so many datagrams as its next line of input says, each with its ECN field; and accepts connections.
SERVER = """\
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
server.bind(("0.0.0.0", 9000))
listener = socket.create_server(("0.0.0.0", 9001))
print("ready", flush=True)
for line in sys.stdin:
    found = []
    for _ in range(int(line)):
        data, ancillary, *_ = server.recvmsg(100, 100)
        found.append(f"{data.decode()}/{ancillary[0][2][0]}")
    print(*found, flush=True)
"""
# Sends each word of a line of input as a datagram and prints what errors there were then; or connects, and prints what came of it.
CLIENT = """\
import os, select, socket, sys
for line in sys.stdin:
    words = line.split()
    if not words:
        try:
            socket.create_connection(("10.0.0.2", 9001)).close()
            print("connected", flush=True)
        except OSError as error:
            print(type(error).__name__, flush=True)
        continue
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("server", 9000))
        for word in words[1:]:
            client.send(word.encode())
        poll = select.poll()
        poll.register(client, 0)
        poll.poll(int(words[0]))
        print(os.strerror(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), flush=True)
"""
DATAGRAMS = "a b c d"
RULES = """\
# The first SYN is dropped.
nodes:
  client: {}
  server: {}
  other: {}
links:
  - endpoints: [client, server]
    impair:
      client->server: [{match: S, action: drop, nth: 1}, {match: S, action: hold, barrier: later}]
  - endpoints: [client, other]
"""


@pytest.fixture(scope="module", params=[False, True], ids=["", "rootless"])
def shared(request: pytest.FixtureRequest) -> Iterator[Stays]:
    with lab("two-hosts", "--impairable", "--seed", 7, rootless=request.param) as called:
        yield Stays(called, request.param)


@pytest.fixture
def two(shared: Stays) -> Stays:
    """A lab in which nothing is impaired now."""
    assert impair(shared, "--heal").returncode == 0
    return shared


@pytest.fixture
def rules() -> Iterator[Path]:
    """A topology that any user may read, as pytest's own folders are not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rules.yaml")
        path.write_text(RULES)
        path.parent.chmod(0o755)
        yield path


def impair(two: Stays, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return netlab("impair", two.name, *arguments, rootless=two.rootless)


def done(two: Stays, direction: str = "client->server") -> list[tuple[str, dict[str, int]]]:
    """What is done in a direction, and how often it was."""
    told = json.loads(impair(two, "--json").stdout)
    return [(one["what"], one["did"]) for one in told["links"][0]["directions"][direction]]


def connect(two: Stays, within: float) -> tuple[str, float]:
    told = two.run("exec", "client", "--", sys.executable, "-c", CONNECT, within)
    error, took = told.stdout.split()
    return error, float(took)


@contextmanager
def connecting(two: Stays, within: float) -> "Iterator[subprocess.Popen[str]]":
    argv = two.command("exec", "client", "--", sys.executable, "-c", CONNECT, within)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        yield process


@dataclass(frozen=True)
class Talking:
    """A program in each of the two nodes, that says what it is told to; and the way to the wire between them, which has been there
    ``since`` this time at least."""

    client: "subprocess.Popen[str]"
    server: "subprocess.Popen[str]"
    wire: Asked
    since: float

    def say(self, words: str, await_error: int = 0) -> str:
        """Send datagrams; what error there was then, of which there is none unless it was awaited (in milliseconds)."""
        return told(self.client, f"{await_error} {words}")

    def heard(self, number: int = 4) -> list[str]:
        """So many datagrams that arrived, with their ECN fields."""
        return told(self.server, str(number)).split()

    def connect(self) -> str:
        return told(self.client, "")

    def did(self, direction: str) -> dict[str, int]:
        """What was done to packets of a direction, and how often."""
        (link,) = self.wire.ask("show").links
        found = [one.did for one in link.directions[direction]]
        return {action: count for did in found for action, count in did.items()}


def told(program: "subprocess.Popen[str]", line: str) -> str:
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(line + "\n")
    program.stdin.flush()
    return program.stdout.readline().strip()


@pytest.fixture(scope="module")
def talking(shared: Stays) -> Iterator[Talking]:
    with ExitStack() as stack:
        programs = []
        for node, text in (("server", SERVER), ("client", CLIENT)):
            argv = shared.command("exec", node, "--", sys.executable, "-c", text)
            programs.append(stack.enter_context(subprocess.Popen(argv, stdin=-1, stdout=-1, text=True)))
            stack.callback(programs[-1].kill)
        server, client = programs
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        staying = Staying(described(shared.name, rootless=shared.rootless)["uid"], shared.name)
        connection = stack.enter_context(Connection(staying))
        yield Talking(client, server, stack.enter_context(Asked(connection)), time.monotonic())


@pytest.fixture
def clear(talking: Talking) -> Talking:
    """The same, with nothing impaired, and nothing left to be heard of what was said before."""
    talking.wire.ask("heal")
    talking.say("nothing-left")
    while talking.heard(1) != ["nothing-left/0"]:
        pass
    return talking


def wire_of(called: str, *, rootless: bool) -> int:
    """The process that forwards a lab's frames."""
    (found,) = below(described(called, rootless=rootless)["pid"])
    assert b"netlab.impair.hired" in command_line(found)
    return found


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


class TestImpairing:
    def test_nothing_at_first(self, two: Stays) -> None:
        lines = impair(two).stdout.splitlines()
        assert lines[:3] == [
            f"{two.name}: 1 of 1 link can be impaired, seed 7",
            "  client->server  nothing",
            "  server->client  nothing",
        ]
        assert lines[3].endswith(" forwarded, 0 lost")
        assert connect(two, 20)[0] == REFUSED

    def test_loss_until_it_is_healed(self, two: Stays) -> None:
        told = impair(two, "client->server", "loss=100%")
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout.splitlines()[1].startswith("  client->server  {loss: 100%}")
        assert connect(two, 0.3)[0] == "TimeoutError"
        ((what, did),) = done(two)
        assert what == "{loss: 100%}"
        assert did["drop"] >= 1
        assert impair(two, "--heal", "client->server").returncode == 0
        assert done(two) == []
        assert connect(two, 20)[0] == REFUSED

    def test_a_delay_each_way(self, two: Stays) -> None:
        impair(two, "client->server", "delay=150ms")
        impair(two, "server->client", "{delay: 150ms, limit: 100}")
        error, took = connect(two, 20)
        assert error == REFUSED
        assert took >= 0.3
        impair(two, "client->server", "rate=100mbit")
        assert (done(two), done(two, "server->client")) == ([("{rate: 100mbit}", {})], [("{delay: 150ms, limit: 100}", {})])

    def test_rules_are_added_and_counted(self, two: Stays) -> None:
        impair(two, "client->server", "{match: S, nth: 1, action: drop}")
        impair(two, "client->server", "match=client > server S", "action=drop", "nth=2")
        assert connect(two, 0.3)[0] == "TimeoutError"
        first, second = done(two)
        assert first == ("{match: S, nth: 1, action: drop}", {"drop": 1})
        assert second[0] == "{match: client > server S, nth: 2, action: drop}"
        shown = impair(two, "client->server", "--decisions").stdout.splitlines()
        assert any("client->server  drop  client:" in line for line in shown[3:])
        assert not any(line.startswith("  server->client") for line in shown)

    def test_what_is_held_goes_on_when_its_barrier_is_released(self, two: Stays) -> None:
        barrier = f"b{os.urandom(4).hex()}"  # one that was released holds nothing any more, and this lab has seen other tests
        impair(two, "client->server", f"{{match: S, action: hold, barrier: {barrier}}}")
        with connecting(two, 60) as process:
            assert until(lambda: done(two)[0][1].get("hold", 0) >= 1)
            assert process.poll() is None
            assert impair(two, "--release", barrier).returncode == 0
            out, _ = process.communicate(timeout=30)
        assert out.split()[0] == REFUSED
        ((_, did),) = done(two)
        assert did["hold"] == did["release"] >= 1
        again = impair(two, "client->server", f"match=S action=hold barrier={barrier}")
        assert (again.returncode, again.stderr) == (
            2,
            f"Error: the command line: the barrier {barrier} was released already, so the rule would never act; "
            "use a barrier of another name\n",
        )

    def test_a_window_counts_from_the_command(self, clear: Talking) -> None:
        assert until(lambda: time.monotonic() - clear.since > 2)
        clear.wire.ask("impair", way="client->server", what="{match: udp, nth: 2, window: -2s, action: drop}")
        clear.wire.ask("impair", way="client->server", what="{match: udp, nth: 1, window: 1min-, action: drop}")
        clear.say(DATAGRAMS)
        assert [one.partition("/")[0] for one in clear.heard(3)] == ["a", "c", "d"]


class TestEveryAction:
    """Each in the words of a file, said while the lab runs: what arrives, and what is counted."""

    @pytest.mark.parametrize(
        ("what", "arrives", "did"),
        [
            ("match=udp nth=2 action=drop", "a c d", {"drop": 1}),
            ("{match: udp, nth: 2, action: duplicate, copies: 2}", "a b b b c d", {"duplicate": 1}),
            ("match=udp nth=2 action=reorder by=2", "a c d b", {"reorder": 1}),
            ("match=udp nth=2 action=delay delay=1s jitter=10ms distribution=normal", "a c d b", {"delay": 1}),
            ("match=udp nth=2 action=corrupt", "a c d", {"corrupt": 1}),
            ("match=udp nth=2 action=corrupt field=ip.checksum value=7", "a c d", {"corrupt": 1}),
            ("match=udp range=2-3 action=truncate length=28", "a d", {"truncate": 2}),
            ("filter='udp dst port 9000' every=2 action=drop", "a c", {"drop": 2}),
            ("match=udp chance=100% window=-60min action=drop before=never", "", {"drop": 4}),
            ("duplicate=100%", "a a b b c c d d", {"duplicate": 4}),
            ("corrupt=100%", "", {"corrupt": 4}),
            ("delay=20ms jitter=1ms rate=1mbit limit=100", "a b c d", {}),
        ],
    )
    def test_what_arrives(self, clear: Talking, what: str, arrives: str, did: dict[str, int]) -> None:
        clear.wire.ask("impair", way="client->server", what=what)
        clear.say(DATAGRAMS)
        assert [one.partition("/")[0] for one in clear.heard(len(arrives.split()))] == arrives.split()
        assert until(lambda: clear.did("client->server") == did)
        clear.wire.ask("heal")
        clear.say("end")
        assert clear.heard(1) == ["end/0"]

    def test_a_mark(self, clear: Talking) -> None:
        clear.wire.ask("impair", way="client->server", what="{match: udp, nth: [1, 3], action: mark, mark: ce}")
        clear.say(DATAGRAMS)
        assert clear.heard() == ["a/3", "b/0", "c/3", "d/0"]

    def test_what_is_held(self, clear: Talking) -> None:
        barrier = f"b{os.urandom(4).hex()}"
        clear.wire.ask("impair", way="client->server", what=f"match=udp nth=1 action=hold barrier={barrier}")
        clear.wire.ask("impair", way="client->server", what=f"match=udp before={barrier} nth=2 action=drop")
        clear.say(DATAGRAMS)
        assert clear.heard(2) == ["c/0", "d/0"]
        clear.wire.ask("release", barrier=barrier)
        assert clear.heard(1) == ["a/0"]
        assert clear.did("client->server") == {"hold": 1, "release": 1, "drop": 1}

    def test_an_error_of_icmp(self, clear: Talking) -> None:
        clear.wire.ask("impair", way="client->server", what="match=udp nth=1 action=icmp icmp=port-unreachable")
        assert clear.say("lost", await_error=30_000) == os.strerror(errno.ECONNREFUSED)
        assert clear.did("client->server") == {"icmp": 1}

    def test_a_reset(self, clear: Talking) -> None:
        assert clear.connect() == "connected"
        clear.wire.ask("impair", way="client->server", what="{match: S, action: reset, toward: sender}")
        assert clear.connect() == REFUSED
        assert clear.did("client->server") == {"reset": 1}
        clear.wire.ask("heal")
        assert clear.connect() == "connected"

    def test_a_partition_that_heals(self, clear: Talking) -> None:
        clear.wire.ask("impair", way="both", what="loss=100%")
        assert clear.say("lost", await_error=1) == os.strerror(0)
        assert until(lambda: clear.did("client->server") == {"drop": 1})
        clear.wire.ask("heal")
        clear.say("found")
        assert clear.heard(1) == ["found/0"]


class TestInterfaces:
    def test_a_link_goes_down_and_up(self, two: Stays, clear: Talking) -> None:
        assert "  client:eth0     down" in impair(two, "client:eth0", "down").stdout.splitlines()
        assert "fd00" not in two.run("exec", "client", "--", "ip", "-6", "address").stdout
        told = impair(two, "client:eth0", "{state: up}")
        assert (told.returncode, told.stderr) == (0, "")
        assert "client:eth0" not in told.stdout
        clear.say("again")
        assert clear.heard(1) == ["again/0"]
        assert "fd00::1/64" in two.run("exec", "client", "--", "ip", "-6", "address").stdout

    def test_an_mtu(self, two: Stays) -> None:
        told = impair(two, "client->server", "mtu=1400").stdout.splitlines()
        assert told[3:5] == ["  client:eth0     mtu 1400", "  server:eth0     mtu 1400"]
        assert "mtu 1400" in two.run("exec", "server", "--", "ip", "link", "show", "eth0").stdout
        impair(two, "server:eth0", "mtu=1500")
        assert impair(two, "server:eth0").stdout.splitlines()[1] == "  server:eth0  as in the topology"
        links = json.loads(impair(two, "client:eth0", "mtu=1500", "--json").stdout)["links"]
        assert links[0]["interfaces"] == {"client:eth0": "", "server:eth0": ""}


@PRIVILEGES
def test_a_topology_with_rules_stays(rules: Path, rootless: bool) -> None:
    with lab(rules, rootless=rootless) as called:
        two = Stays(called, rootless)
        with connecting(two, 60) as process:
            assert until(lambda: done(two)[1][1].get("hold", 0) >= 1)
            assert done(two)[0] == ("{match: S, nth: 1, action: drop}", {"drop": 1})
            assert impair(two, "--release", "later").returncode == 0
            assert process.communicate(timeout=30)[0].split()[0] == REFUSED
        assert impair(two, "--heal").returncode == 0
        assert [what for what, _ in done(two)] == ["{match: S, nth: 1, action: drop}", "{match: S, action: hold, barrier: later}"]
        assert impair(two).stdout.splitlines()[0] == f"{called}: 1 of 2 links can be impaired"
        plain = impair(two, "client->other", "loss=1%")
        assert plain.returncode == 4
        assert "link client:eth1-other:eth0" in plain.stderr
        assert "netlab-ns up --impairable" in plain.stderr


def test_quantities_of_a_topology_are_shown_and_give_way_to_those_of_a_command(tmp_path: Path) -> None:
    path = tmp_path / "slow.yaml"
    path.write_text(RULES.split("    impair:")[0] + "    impair:\n      both: {delay: 150ms}\n")
    with lab(path, "--impairable") as called:
        two = Stays(called, rootless=False)
        error, took = connect(two, 20)
        assert error == REFUSED
        assert took >= 0.3
        assert done(two) == [("{delay: 150ms}", {})]
        impair(two, "client->server", "delay=400ms")
        assert done(two) == [("{delay: 400ms}", {})]
        assert connect(two, 20)[1] >= 0.55
        impair(two, "--heal")
        assert done(two) == [("{delay: 150ms}", {})]


def test_two_links_between_two_nodes_are_impaired_apart(tmp_path: Path) -> None:
    path = tmp_path / "two-links.yaml"
    path.write_text("# Two links.\nnodes: {a: {}, b: {}}\nlinks: [{endpoints: [a, b]}, {endpoints: [a, b]}]\n")
    with lab(path, "--impairable") as called:
        which = netlab("impair", called, "a->b", "loss=1%")
        assert which.returncode == 2
        assert which.stderr == "Error: the command line: 2 links join a and b; say which: a:eth0->b:eth0, a:eth1->b:eth1\n"
        assert netlab("impair", called, "a:eth1->b:eth1", "loss=1%").returncode == 0
        links = json.loads(netlab("impair", called, "--json").stdout)["links"]
    assert [[(way, [one["what"] for one in done]) for way, done in link["directions"].items()] for link in links] == [
        [("a:eth0->b:eth0", []), ("b:eth0->a:eth0", [])],
        [("a:eth1->b:eth1", ["{loss: 1%}"]), ("b:eth1->a:eth1", [])],
    ]


class TestEnding:
    @PRIVILEGES
    def test_the_wire_ends_with_its_lab(self, rootless: bool) -> None:
        with lab("two-hosts", "--impairable", rootless=rootless) as called:
            wire = wire_of(called, rootless=rootless)
            assert netlab("down", called, rootless=rootless).returncode == 0
            assert not alive(wire)

    @PRIVILEGES
    def test_a_lab_whose_keeper_is_killed_leaves_no_wire(self, rootless: bool) -> None:
        with lab("two-hosts", "--impairable", rootless=rootless) as called:
            wire = wire_of(called, rootless=rootless)
            os.kill(described(called, rootless=rootless)["pid"], signal.SIGKILL)
            assert until(lambda: not alive(wire))

    @PRIVILEGES
    def test_a_builder_that_is_killed_leaves_nothing(self, rootless: bool) -> None:
        called = name()
        with subprocess.Popen(command("up", "two-hosts", "--impairable", "--name", called, rootless=rootless)) as builder:
            # The wire's process has its imports to do, and the lab stays only after that.
            assert until(lambda: any(b"netlab.impair.hired" in command_line(pid) for pid in below(builder.pid)))
            inside = below(builder.pid)
            builder.kill()
        assert until(lambda: not any(map(alive, inside)))
        assert netlab("impair", called, rootless=rootless).returncode == 2

    def test_a_wire_that_was_killed_is_told(self) -> None:
        with lab("two-hosts", "--impairable") as called:
            wire = wire_of(called, rootless=False)
            os.kill(wire, signal.SIGKILL)
            assert until(lambda: not alive(wire))
            told = netlab("impair", called)
            assert (told.returncode, told.stdout) == (4, "")
            # Its sockets are closed a moment before or after it is asked: who notices is the lab's process, or whoever asks.
            noticed = (
                f"the lab {called} cannot: the process that carries its frames is gone",
                f"the wire of the lab {called} is gone",
            )
            assert any(one in told.stderr for one in noticed), told.stderr
            assert netlab("exec", "--lab", called, "client", "--", "hostname").stdout == "client\n"

    def test_those_who_hang_up_are_forgotten(self) -> None:
        with lab("two-hosts", "--impairable") as called:
            wire = wire_of(called, rootless=False)
            pids = (wire, described(called)["pid"])

            def held() -> list[int]:
                return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]

            assert netlab("impair", called).returncode == 0  # what is opened with the first is there
            before = held()
            for _ in range(2):
                assert netlab("impair", called).returncode == 0
            assert until(lambda: all(now <= then for now, then in zip(held(), before, strict=True)))


class TestErrors:
    def test_a_lab_without_a_wire(self) -> None:
        with lab() as called:
            told = netlab("impair", called, "client->server", "loss=1%")
            assert (told.returncode, told.stdout) == (4, "")
            assert told.stderr == (
                f"Error: the lab {called} has no link that can be impaired: netlab-ns up --impairable builds one in which all can\n"
            )

    def test_what_is_wrong(self, two: Stays) -> None:
        wrong = {
            ("client->sever", "loss=1%"): 'the command line: no node "sever"; did you mean "client->server"?',
            ("client->server", "loss=1"): "loss=1: this must be a percentage",
            ("client->server", "{match: Q., action: drop}"): 'the command line:1:9: "Q." is neither TCP flags nor a protocol',
            ("client->server", "filter=nonsense action=drop"): "the command line: 'nonsense' is not a filter",
            (
                "client->server",
                "{action: drop, during: {client.c: SYN-SENT}}",
            ): "the command line:1:1: during is for the sockets of a scenario (client.c)",
            ("client-", "loss=1%"): "put it in quotes, since a shell takes the > for a redirection",
            ("--release", "nothing"): "no rule holds packets at the barrier 'nothing'",
            ("--release", "b", "client->server"): "--release takes no DIRECTION",
            ("client->server", "loss=1%", "--heal"): "one at a time: WHAT, --heal or --release",
            ("sever->client",): "has no direction sever->client that can be impaired; there are: client->server, server->client",
            ("--heal", "client->sever"): 'no node "sever"',
            ("client:eth7", "down"): 'the command line: client has no interface "eth7"; did you mean "client:eth0"?',
            ("client:eth0", "mtu=100"): "mtu=100: IPv6 needs an mtu of at least 1280, and client:eth0 has an IPv6 address",
        }
        for arguments, said in wrong.items():
            told = impair(two, *arguments)
            assert (told.returncode, told.stdout) == (2, "")
            assert said in told.stderr
        assert done(two) == done(two, "server->client") == []

    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            ("{action: drop, during: {a.c: SYN-SENT}}", "wrong.yaml:5:14: during is for the sockets of a scenario (a.c)"),
            ("{action: drop, filter: nonsense}", "wrong.yaml:5:14: 'nonsense' is not a filter"),
        ],
    )
    def test_what_a_lab_that_stays_cannot_do(self, tmp_path: Path, rule: str, said: str) -> None:
        path = tmp_path / "wrong.yaml"
        path.write_text(f"nodes: {{a: {{}}, b: {{}}}}\nlinks:\n  - endpoints: [a, b]\n    impair:\n      a->b: [{rule}]\n")
        told = netlab("up", path)
        assert (told.returncode, told.stdout) == (2, "")
        assert said in told.stderr

    def test_no_such_lab(self) -> None:
        assert netlab("impair", "no-such-lab").returncode == 2

    def test_what_is_sent_to_a_wire_does_not_end_it(self, two: Stays) -> None:
        with Connection(Staying(described(two.name, rootless=two.rootless)["uid"], two.name)) as connection:
            for request in (
                {"do": "nothing"},
                {"do": ["a"]},
                {"do": "show", "way": 1},
                {"do": "impair"},
                {"do": "impair", "way": "client->server", "what": 7},
                {"do": "heal", "way": 7},
                {"do": "release", "barrier": ["b"]},
            ):
                with Asked(connection) as asked, pytest.raises(RefusedError):
                    asked.ask(**request)
        assert connect(two, 20)[0] == REFUSED


def test_the_commands_of_the_guide_run_in_their_order() -> None:
    called = name()
    lines = [line for line in GUIDE.read_text().splitlines() if line.startswith("    netlab-ns ")]
    commands = [[called if word == "demo" else word for word in shlex.split(line.split("#")[0])[1:]] for line in lines]
    assert len(commands) >= 10
    try:
        for words in commands:
            told = netlab(*words)
            assert told.returncode == 0, f"{' '.join(words)}: {told.stderr}"
    finally:
        netlab("down", called)
