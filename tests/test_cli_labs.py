"""The commands that build, list and end labs that stay, as a user runs them: real labs, with root's rights and without."""

import json
import marshal
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from labs import HERE, Terminal, alive, below, command, described, lab, name, netlab, parent, until

from netlab.lab.staying import Connection, Staying, claim

pytestmark = pytest.mark.netns

PRIVILEGES = pytest.mark.parametrize("rootless", [False, True], ids=["", "rootless"])
NOBODY = 65534


def uid_of(rootless: bool) -> int:
    return NOBODY if rootless and os.geteuid() == 0 else os.geteuid()


@PRIVILEGES
def test_a_lab_stays_until_it_is_taken_down(rootless: bool) -> None:
    with lab(rootless=rootless) as called:
        told = described(called, rootless=rootless)
        assert (told["name"], told["uid"], told["topology"], told["links"]) == (called, uid_of(rootless), "two-hosts", 1)
        assert {node["name"]: node["interfaces"] for node in told["nodes"]} == {
            "client": {"eth0": ["10.0.0.1/24", "fd00::1/64"]},
            "server": {"eth0": ["10.0.0.2/24", "fd00::2/64"]},
        }
        outer = parent(told["pid"])
        assert alive(told["pid"])
        assert netlab("exec", "--lab", called, "client", "--", "hostname", rootless=rootless).stdout == "client\n"
        down = netlab("down", called, rootless=rootless)
        assert (down.returncode, down.stdout) == (0, f"{called} is down\n")
        assert not alive(told["pid"])
        assert until(lambda: not alive(outer))
        gone = netlab("exec", "--lab", called, "client", "--", "true", rootless=rootless)
        assert gone.returncode == 2
        assert f"no lab {called} stays" in gone.stderr


def test_up_tells_what_it_built_and_what_to_do_with_it() -> None:
    called = name()
    told = netlab("up", "two-hosts", "--name", called)
    try:
        lines = told.stdout.splitlines()
        assert lines[0] == f"{called}: 2 nodes, 1 link"
        assert lines[1] == "  client  host  eth0 10.0.0.1/24 fd00::1/64"
        assert lines[-1] == f"end it:         netlab-ns down {called}"
        assert any(line.startswith("enter a node:   netlab-ns shell ") and line.endswith("client") for line in lines)
    finally:
        netlab("down", called)


def test_a_reader_of_its_output_sees_the_end_of_it_while_the_lab_stays() -> None:
    called = name()
    try:
        with subprocess.Popen(command("up", "two-hosts", "--name", called), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as up:
            assert up.stdout is not None
            assert b"2 nodes" in up.stdout.read()
    finally:
        assert netlab("down", called).returncode == 0


def test_it_stays_when_the_terminal_closes() -> None:
    called = name()
    try:
        with Terminal(command("up", "two-hosts", "--name", called)) as terminal:
            terminal.shows(f"netlab-ns down {called}")
            assert terminal.wait() == 0
        assert described(called)["name"] == called
    finally:
        assert netlab("down", called).returncode == 0


def test_two_labs_of_one_topology_have_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / f"{name()}.yaml"
    path.write_text("# One host.\nnodes:\n  alone: {}\n")
    first, second = json.loads(netlab("up", path, "--json").stdout), json.loads(netlab("up", path, "--json").stdout)
    taken = netlab("up", path, "--name", first["name"])
    try:
        assert (first["name"], second["name"]) == (path.stem, f"{path.stem}-2")
        assert first["id"] != second["id"]
        assert taken.returncode == 2
        assert taken.stderr.splitlines()[-1] == f"Error: a lab {path.stem} stays already; netlab-ns down {path.stem} ends it"
    finally:
        assert netlab("down", first["name"], second["name"]).stdout == f"{first['name']} is down\n{second['name']} is down\n"


def test_two_users_may_have_labs_of_the_same_name_and_each_reaches_only_its_own() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to be two users")
    called = name()
    mine, theirs = netlab("up", "two-hosts", "--name", called), netlab("up", "two-hosts", "--name", called, rootless=True)
    try:
        assert (mine.returncode, theirs.returncode) == (0, 0)
        assert described(called)["uid"] == 0
        assert described(called, rootless=True)["uid"] == NOBODY
        assert described(f"nobody/{called}")["uid"] == described(f"{NOBODY}/{called}")["uid"] == NOBODY
        # Root enters it as its user does.
        assert netlab("exec", "--lab", f"nobody/{called}", "client", "--", "id", "-u").stdout == "0\n"
        assert netlab("exec", "--lab", f"nobody/{called}", "client", "--", "hostname").stdout == "client\n"
        refused = netlab("exec", "--lab", f"root/{called}", "client", "--", "true", rootless=True)
        assert (refused.returncode, refused.stderr) == (
            2,
            f"Error: no lab root/{called} of yours stays; root/{called} is not yours to use\n",
        )
        assert netlab("down", called).returncode == 0
        needs = netlab("down", called)
        assert needs.stderr == f"Error: no lab {called} of yours stays; there is nobody/{called}\n"
        assert described(called, rootless=True)["uid"] == NOBODY
    finally:
        netlab("down", called, rootless=True)


def test_a_process_of_another_user_is_not_served() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to be two users")
    for rootless in (False, True):
        with lab(rootless=rootless) as called, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            address = Staying(uid_of(rootless), called).address
            os.seteuid(1)
            try:
                stranger.connect(address)
            finally:
                os.seteuid(0)
            assert stranger.recv(100) == b""
            assert described(called, rootless=rootless)["name"] == called


def described_as(**changes: object) -> bytes:
    node = {"name": "a", "kind": "host", "number": 0, "interfaces": {"eth0": ["10.0.0.1/24"]}, "env": {}}
    said = {
        "id": "x",
        "name": "NAME",
        "uid": NOBODY,
        "topology": "t",
        "file": "f",
        "since": 1.0,
        "netlab": "1",
        "rootless": True,
        "links": 0,
    }
    return json.dumps({**said, "pid": 1, "nodes": [node], **changes}).encode()


STRANGERS = {
    "marshal": (marshal.dumps({"id": 1}), b""),
    "deep": (b"[" * 60_000, b""),
    "no file": (b"{}", b""),
    "no JSON": (b"{}", b"hello"),
    "another lab": (b"{}", described_as(name="another")),
    "since NaN": (b"{}", described_as(since=float("nan"))),
    "no nodes": (b"{}", described_as(nodes=[])),
    "refused": (json.dumps({"errno": 1, "what": "\x1b[2J", "message": 7}).encode(), b""),
}


@contextmanager
def stranger(*answers: tuple[bytes, Sequence[bytes | str]]) -> Iterator[Staying]:
    """What another user has listen at a lab's name: it answers requests by messages, with files of these contents or paths."""
    theirs = Staying(NOBODY, name())
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made, ThreadPoolExecutor(1) as pool:
        made.settimeout(20)
        made.bind(theirs.address)
        os.seteuid(NOBODY)
        made.listen()
        os.seteuid(0)

        def serve() -> None:
            client, _ = made.accept()
            with client, ExitStack() as stack:
                for body, files in answers:
                    client.recv(1000)
                    fds = [os.memfd_create("said") if isinstance(file, bytes) else os.open(file, os.O_RDONLY) for file in files]
                    for fd, file in zip(fds, files, strict=True):
                        stack.callback(os.close, fd)
                        if isinstance(file, bytes):
                            os.write(fd, file.replace(b"NAME", theirs.name.encode()))
                    socket.send_fds(client, [body], fds)
                client.recv(1000)

        served = pool.submit(serve)
        yield theirs
        served.result()


needs_two_users = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be two users")


@needs_two_users
@pytest.mark.parametrize("answer", STRANGERS)
def test_root_is_not_harmed_by_what_another_user_has_for_a_lab(answer: str) -> None:
    body, file = STRANGERS[answer]
    with stranger((body, [file] if file else [])) as theirs:
        listed = netlab("ls")
    said = [line for line in listed.stderr.splitlines() if theirs.name in line]
    why = "cannot: \\x1b[2J: 7" if answer == "refused" else "was built by another version of netlab: it can only be ended"
    assert (listed.returncode, said) == (0, [f"Error: the lab {theirs.name} {why}"])
    assert "Traceback" not in listed.stderr


@needs_two_users
def test_what_another_user_s_lab_says_of_itself_cannot_drive_root_s_terminal() -> None:
    with stranger((b"{}", [described_as(file="\x1b[2J")])) as theirs:
        listed = netlab("ls")
    assert [line.split()[-2] for line in listed.stdout.splitlines() if line.startswith(theirs.name)] == ["\\x1b[2J"]


@needs_two_users
def test_root_enters_nothing_that_another_user_could_not() -> None:
    ours = [f"/proc/self/ns/{kind}" for kind in ("pid", "net", "uts", "mnt")]
    with stranger((b"{}", [described_as()]), (b"{}", ours)) as theirs:
        entered = netlab("exec", "--lab", f"nobody/{theirs.name}", "a", "--", "id", "-u")
    assert (entered.returncode, entered.stdout) == (4, "")
    assert entered.stderr == f"Error: cannot enter a of {theirs.name}: Operation not permitted\n"


def test_twenty_at_once() -> None:
    base = name()

    def up(number: int) -> "subprocess.CompletedProcess[str]":
        return netlab("up", "two-hosts", "--name", f"{base}-{number}")

    names = [f"{base}-{number}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(up, range(20)))
        try:
            assert [one.returncode for one in done] == [0] * 20, [one.stderr for one in done]
            found = json.loads(netlab("ls", *names, "--json").stdout)
            assert [one["name"] for one in found] == names
            assert len({one["id"] for one in found}) == len({one["pid"] for one in found}) == 20
            ran = pool.map(lambda one: netlab("exec", "--lab", one, "server", "--", "hostname").stdout, names)
            assert list(ran) == ["server\n"] * 20
        finally:
            ended = netlab("down", *names)
    assert ended.returncode == 0
    assert not any(alive(one["pid"]) for one in found)


@PRIVILEGES
def test_a_keeper_that_is_killed_leaves_nothing(rootless: bool) -> None:
    with lab(rootless=rootless) as called:
        pid = described(called, rootless=rootless)["pid"]
        outer = parent(pid)
        with subprocess.Popen(command("exec", "--lab", called, "client", "--", "sleep", "inf", rootless=rootless)) as client:
            assert until(lambda: below(client.pid))
            inside = below(client.pid)
            os.kill(pid, signal.SIGKILL)
            assert client.wait(10) == -signal.SIGKILL
        assert until(lambda: not any(alive(one) for one in (pid, outer, *inside)))
        listed = netlab("ls", "--json", rootless=rootless)
        assert called not in [one["name"] for one in json.loads(listed.stdout)]


def test_an_up_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "slow.yaml"
    path.write_text("# Never ready.\nnodes:\n  a:\n    start: [{run: [sleep, inf], within: 60s}]\n")
    called = name()
    with subprocess.Popen(command("up", path, "--name", called)) as up:
        assert until(lambda: any(Path(f"/proc/{pid}/comm").read_text() == "sleep\n" for pid in below(up.pid) if alive(pid)))
        inside = below(up.pid)
        up.kill()
    assert until(lambda: not any(alive(pid) for pid in inside))
    free, _ = claim(called, exactly=True)
    free.close()


def test_a_lab_is_not_ended_by_what_a_client_sends() -> None:
    with lab() as called:
        address = Staying(os.geteuid(), called).address
        for junk in (b"junk", b"\xc1", b"\x80", b"\x81\xa2do\xa7nothing", b"\x81\xa2do\xa5enter", b"\x81\xa5large\xc3"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.connect(address)
                client.send(junk)
                assert b"errno" in client.recv(4096)
        assert described(called)["name"] == called


def test_a_stopped_lab_can_be_ended() -> None:
    with lab() as called:
        pid = described(called)["pid"]
        os.kill(pid, signal.SIGSTOP)
        assert netlab("down", called).returncode == 0
        assert not alive(pid)


def test_a_client_that_hangs_up_in_the_middle_is_forgotten() -> None:
    with lab() as called:
        pid = described(called)["pid"]
        before = len(os.listdir(f"/proc/{pid}/fd"))
        for _ in range(5):
            with Connection(Staying(os.geteuid(), called)) as connection:
                connection._socket.send(b"\x81\xa2do\xa8describe")
        assert until(lambda: len(os.listdir(f"/proc/{pid}/fd")) == before)


class TestErrors:
    def test_no_such_lab_node_or_interface(self) -> None:
        with lab() as called:
            said = {
                ("exec", "--lab", f"{called}x", "client", "--", "true"): f"no lab {called}x stays; did you mean {called}?",
                ("exec", "--lab", called, "cleint", "--", "true"): f"the lab {called} has no node cleint; did you mean client?",
                ("shell", "--lab", called, "q"): f"the lab {called} has no node q; there are: client, server",
                ("capture", "--lab", called, "client:eth7"): "client has no interface eth7; did you mean eth0?",
                ("logs", "--lab", called, "client", "1"): "client has 0 programs of its start",
            }
            for arguments, message in said.items():
                told = netlab(*arguments)
                assert (told.returncode, told.stdout, told.stderr) == (2, "", f"Error: {message}\n")

    def test_none_named_where_there_are_several(self) -> None:
        with lab(rootless=True) as one, lab(rootless=True) as other:
            told = netlab("exec", "client", "--", "true", rootless=True)
            assert told.returncode == 2
            assert told.stderr.startswith("Error: several labs stay, say which: ")
            assert one in told.stderr or other in told.stderr

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("up", "two-hosts", "--name", "a/b"), "'a/b' cannot be a lab's name"),
            (("up", "no-such-topology"), 'there is no topology "no-such-topology"'),
            (("up", "two-hosts", "--set", "x"), "NAME=VALUE"),
            (("down", "x", "--all"), "either names or --all"),
            (("exec", "client"), "PROGRAM"),
            (("exec", "client", "--"), "PROGRAM"),
            (("exec", "client", "--lab", "x", "--", "true"), "--lab stands after the host"),
            (("capture", "client", "-w", "-", "--live"), "-w - writes packets to standard output"),
        ],
    )
    def test_a_wrong_command_line(self, arguments: tuple[str, ...], said: str) -> None:
        told = netlab(*arguments)
        assert (told.returncode, told.stdout) == (2, "")
        assert said in told.stderr

    def test_exposing_without_root(self) -> None:
        told = netlab("up", "two-hosts", "--expose", rootless=True)
        assert told.returncode == 4
        assert "only root can name namespaces under /run/netns" in told.stderr


@pytest.fixture
def own_run() -> Iterator[list[str]]:
    """A /run that is empty and nobody else's: what puts a command where it is mounted."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to name namespaces under /run/netns")
    script = "mount -t tmpfs none /run && echo mounted && read word"
    holder = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mounted\n"
        yield ["nsenter", f"--mount=/proc/{process.pid}/ns/mnt", f"--wdns={HERE.parent}"]
        process.communicate("")


class TestExpose:
    NAMES = Path("/run/netns")

    @staticmethod
    def run(own_run: list[str], *arguments: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*own_run, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)

    def netlab(self, own_run: list[str], *arguments: object) -> "subprocess.CompletedProcess[str]":
        return self.run(own_run, *command(*arguments))

    def left(self, own_run: list[str]) -> list[str]:
        """All that is below /run."""
        return sorted(self.run(own_run, "find", "/run", "-type", "f").stdout.split())

    def test_each_namespace_has_a_name_until_the_lab_is_taken_down(self, own_run: list[str]) -> None:
        called = name()
        up = self.netlab(own_run, "up", "two-hosts", "--name", called, "--expose")
        assert up.returncode == 0, up.stderr
        assert f"                ip netns exec {called}.client PROGRAM ARGS" in up.stdout.splitlines()
        for host in ("client", "server"):
            inside = self.netlab(own_run, "exec", "--lab", called, host, "--", "stat", "-Lc", "%i", "/proc/self/ns/net")
            assert self.run(own_run, "stat", "-c", "%i", self.NAMES / f"{called}.{host}").stdout == inside.stdout
        assert self.left(own_run) == [
            f"/run/netlab/exposed/{called}.json",
            f"/run/netns/{called}.client",
            f"/run/netns/{called}.server",
        ]
        assert self.netlab(own_run, "gc").stdout == "nothing is left of labs that died\n"
        assert self.netlab(own_run, "down", called).returncode == 0
        assert self.left(own_run) == []

    def test_names_do_not_hold_namespaces_in_other_labs(self, own_run: list[str]) -> None:
        one, other = name(), name()
        assert self.netlab(own_run, "up", "two-hosts", "--name", one, "--expose").returncode == 0
        assert self.netlab(own_run, "up", "two-hosts", "--name", other).returncode == 0
        try:
            mounts = ("exec", "--lab", other, "client", "--", "grep", "-c", f"{one}.client", "/proc/self/mountinfo")
            assert self.netlab(own_run, *mounts).stdout != "0\n"
            assert self.netlab(own_run, "down", one).returncode == 0
            assert self.netlab(own_run, *mounts).stdout == "0\n"
        finally:
            self.netlab(own_run, "down", other)

    def test_a_name_that_is_there_already_is_left_alone_and_the_lab_is_not_built(self, own_run: list[str]) -> None:
        called = name()
        self.run(own_run, "mkdir", self.NAMES)
        self.run(own_run, "touch", self.NAMES / f"{called}.server")
        up = self.netlab(own_run, "up", "two-hosts", "--name", called, "--expose")
        assert up.returncode == 2
        assert f"/run/netns/{called}.server is there already" in up.stderr
        assert self.left(own_run) == [f"/run/netns/{called}.server"]
        assert "stays" in self.netlab(own_run, "down", called).stderr

    def test_what_a_lab_that_was_killed_left_is_found_and_removed_and_nothing_else(self, own_run: list[str]) -> None:
        called, living = name(), name()
        for each in (called, living):
            assert self.netlab(own_run, "up", "two-hosts", "--name", each, "--expose").returncode == 0
        os.kill(described(called)["pid"], signal.SIGKILL)
        try:
            # somebody else's by now
            other = self.NAMES / f"{called}.server"
            self.run(own_run, "umount", other)
            self.run(own_run, "mount", "--bind", "/proc/self/ns/net", other)
            kept = [f"/run/netlab/exposed/{living}.json", *(f"/run/netns/{living}.{host}" for host in ("client", "server"))]
            mine = [f"/run/netlab/exposed/{called}.json", f"/run/netns/{called}.client"]
            assert until(lambda: "nothing" not in self.netlab(own_run, "gc", "--dry-run").stdout)
            told = f"left of the lab {called}: its record, /run/netns/{called}.client\n"
            assert self.netlab(own_run, "gc", "--dry-run").stdout == told
            assert self.left(own_run) == sorted([*mine, *kept, str(other)])
            refused = self.run(own_run, *command("gc", rootless=True))
            assert (refused.returncode, refused.stdout) == (4, "")
            assert f"only root can remove what {called} left" in refused.stderr
            assert self.netlab(own_run, "gc").stdout == told.replace("left", "removed")
            assert self.left(own_run) == sorted([*kept, str(other)])
        finally:
            self.netlab(own_run, "down", living)

    def test_a_lab_of_the_same_name_takes_away_what_the_dead_one_left(self, own_run: list[str]) -> None:
        called = name()
        again = ("up", "two-hosts", "--name", called, "--expose")
        assert self.netlab(own_run, *again).returncode == 0
        pid = described(called)["pid"]
        os.kill(pid, signal.SIGKILL)
        assert until(lambda: not alive(pid))
        up = self.netlab(own_run, *again)
        assert up.returncode == 0, up.stderr
        assert len(self.left(own_run)) == 3
        assert self.netlab(own_run, "down", called).returncode == 0
        assert self.left(own_run) == []

    def test_a_record_that_was_cut_short(self, own_run: list[str]) -> None:
        called = name()
        self.run(own_run, "mkdir", "-p", "/run/netlab/exposed")
        self.run(own_run, "cp", "/dev/null", f"/run/netlab/exposed/{called}.json")
        assert self.netlab(own_run, "gc").stdout == f"removed of the lab {called}: its record\n"
        assert self.left(own_run) == []


def test_quick_commands_import_nothing_heavy() -> None:
    heavy = "{'yaml', 'pydantic', 'pyroute2', 'scapy', 'msgspec', 'netlab.topology.spec', 'netlab.lab.keeper', 'netlab.cli_run'}"
    script = f"""
import sys, netlab.cli
sys.argv = sys.argv[1:]
try:
    netlab.cli.main()
except SystemExit:
    print(sorted({heavy} & set(sys.modules)), file=sys.stderr)
"""
    with lab() as called:
        for arguments in (("ls",), ("down", called)):
            told = subprocess.run(
                [sys.executable, "-c", script, "netlab-ns", *arguments], capture_output=True, text=True, check=True
            )
            assert told.stderr == "[]\n"
