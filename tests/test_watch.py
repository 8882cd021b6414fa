"""`netlab-ns watch` as a user runs it: real programs in real labs, on a terminal and without one, as root and not."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from labs import Terminal, alive, below, command, netlab, until

from netlab.observe.tier import probe
from netlab.report.json import loads
from netlab.timeline.observations import (
    DescriptorSeen,
    Packet,
    ProcessExecuted,
    ProcessForked,
    ProgramEnded,
    SocketState,
    SystemCall,
)
from netlab.timeline.pcapng_read import read_bytes

pytestmark = pytest.mark.netns

SERVER = """
import socket
with socket.create_server(("0.0.0.0", 8080)) as listener:
    accepted, _ = listener.accept()
    with accepted:
        print("asked", accepted.recv(100).decode(), flush=True)
        accepted.sendall(b"answer")
        accepted.recv(1)
"""
CLIENT = """
import socket
with socket.create_connection(("10.0.0.2", 8080)) as client:
    client.sendall(b"question")
    print("told", client.recv(100).decode())
"""
SAYS_READY = "echo ready; exec sleep inf"
FAULTY = """
import signal, socket
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
    accepted, _ = listener.accept()
    accepted.close()
    while True:
        client.send(b"more")
"""
EVERYTHING = probe().letter == "A"
ENDINGS = (0,) if EVERYTHING else (0, 3)
"""How a watch ends that found no fault: 3 where this machine cannot see all that findings need."""


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def beside(host: str, program: str) -> str:
    return f"{host}: {sys.executable} -c '{program}'"


def said(seen: "subprocess.CompletedProcess[str]") -> str:
    return seen.stderr


class TestWhatIsRun:
    @pytest.mark.parametrize("rootless", [False, True], ids=["", "rootless"])
    def test_a_server_and_its_client(self, rootless: bool) -> None:
        done = netlab("watch", "two-hosts", "server", "--with", beside("client", CLIENT), "--", *python(SERVER), rootless=rootless)
        assert done.returncode in ((3, 4) if rootless else ENDINGS), said(done)
        assert done.stdout == "asked question\n"
        assert "client: " in said(done)
        assert said(done).count("exit status 0") == 2
        assert "1 TCP opened" in said(done)

    def test_a_client_whose_server_runs_before_it(self) -> None:
        done = netlab("watch", "two-hosts", "client", "--before", beside("server", SERVER), "--", *python(CLIENT))
        assert done.returncode in ENDINGS, said(done)
        assert (done.stdout, "until the program has ended" in said(done)) == ("told answer\n", True)

    def test_input_passes_through_and_no_descriptor_of_ours(self) -> None:
        done = netlab("watch", "one-host", "host", "--", "sh", "-c", "cat; ls /proc/self/fd", stdin=None, input="hi\n")
        assert done.stdout.split() == ["hi", "0", "1", "2", "3"]  # 3 is ls' own, on the folder

    def test_values_for_the_topology(self) -> None:
        done = netlab("watch", "star", "h3", "--set", "hosts=3", "--", "sh", "-c", "hostname")
        assert done.stdout == "h3\n"

    def test_the_status_of_the_program_is_told_and_is_not_ours(self) -> None:
        done = netlab("watch", "one-host", "host", "--", "sh", "-c", "exit 42")
        assert done.returncode in ENDINGS
        assert "sh -c 'exit 42': exit status 42\n" in said(done)
        killed = netlab("watch", "one-host", "host", "--", "sh", "-c", "kill -SEGV $$")
        assert "ended by SIGSEGV\n" in said(killed)


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("arguments", "status", "why"),
        [
            (["two-hosts", "server", "--", "no-such-program"], 127, "netlab-ns: server: there is no program no-such-program"),
            (["two-hosts", "server", "--", "/no/such"], 127, "netlab-ns: server: /no/such: No such file or directory"),
            (["two-hosts", "server", "--", "/etc/passwd"], 126, "netlab-ns: server: /etc/passwd: Permission denied"),
            (
                ["two-hosts", "server", "--with", "client: nosuch", "--", "true"],
                127,
                "netlab-ns: client: there is no program nosuch",
            ),
            (["two-hosts", "sever", "--", "true"], 2, 'two-hosts has no node sever; did you mean "server"?'),
            (["two-hots", "server", "--", "true"], 2, 'there is no topology "two-hots"; did you mean "two-hosts"?'),
            (["host-and-peer", "peer", "--", "true"], 2, "peer is a peer, in which no program has a network to use"),
            (["two-hosts", "server"], 2, "Missing argument"),
            (["two-hosts", "server", "nginx", "-g", "x"], 2, "a program with options of its own stands after --"),
            (["two-hosts", "server", "--with", "nonsense", "--", "true"], 2, "'nonsense' is no program of a host"),
            (["two-hosts", "server", "--with", "client: 'x", "--", "true"], 2, "No closing quotation"),
            (["two-hosts", "server", "--until-exit", "client", "--", "true"], 2, "--until-exit client: no program is to run there"),
            (["two-hosts", "server", "--set", "x=1", "--", "true"], 2, "x"),
            (["two-hosts", "server", "--for", "5", "--", "true"], 2, "'5' is not a duration"),
            (["two-hosts", "server", "--json", "-", "--pcap", "-", "--", "true"], 2, "only one report can go to standard output"),
        ],
    )
    def test_it_is_told_with_the_fix(self, arguments: list[str], status: int, why: str) -> None:
        done = netlab("watch", *arguments)
        assert (done.returncode, done.stdout) == (status, "")
        assert why in said(done)

    def test_a_script_whose_interpreter_is_missing(self, tmp_path: Path) -> None:
        script = tmp_path / "script"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        done = netlab("watch", "one-host", "host", "--", script)
        assert f"netlab-ns: host: {script}: its interpreter is not there\n" in said(done)
        assert "exit status 127" in said(done)


class TestTheEnd:
    def test_of_the_time_given(self) -> None:
        done = netlab("watch", "one-host", "host", "--for", "100ms", "--", "sleep", "inf")
        assert done.returncode in ENDINGS
        assert "until 100ms were over\n" in said(done)
        assert "sleep inf: ended by SIGTERM, when netlab asked it to end\n" in said(done)

    def test_of_another_hosts_programs(self) -> None:
        program = python("import signal, socket\ns = socket.create_server(('', 80))\nsignal.pause()")
        connect = "import socket; socket.create_connection(('10.0.0.2', 80)).close()"
        arguments = ["--with", beside("client", connect.replace("'", '"')), "--until-exit", "client"]
        done = netlab("watch", "two-hosts", "server", *arguments, "--", *program)
        assert done.returncode in ENDINGS
        assert "until the programs of client have ended\n" in said(done)
        assert "ended by SIGTERM, when netlab asked it to end\n" in said(done)

    def test_what_was_not_started_is_told(self) -> None:
        done = netlab("watch", "two-hosts", "server", "--with", "client: true", "--until-exit", "client", "--", "false")
        assert "client: true: was not started\n" in said(done)
        assert "until the program has failed before the others began\n" in said(done)

    def test_by_the_death_of_netlab(self) -> None:
        arguments = command("watch", "one-host", "host", "--", "sh", "-c", SAYS_READY)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watching:
            assert watching.stdout is not None
            assert watching.stdout.readline() == "ready\n"
            inside = below(watching.pid)
            watching.kill()
        assert until(lambda: not any(map(alive, inside)))

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
    def test_by_a_signal_which_goes_on_to_the_program_and_the_findings_are_told(self, number: signal.Signals) -> None:
        shell = f"trap 'echo got {number.name}; exit 0' {int(number)}; echo ready; while :; do sleep 0.01; done"
        arguments = command("watch", "one-host", "host", "--", "sh", "-c", shell)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            assert watching.stderr is not None
            assert watching.stdout.readline() == "ready\n"
            watching.send_signal(number)
            assert watching.stdout.readline() == f"got {number.name}\n"
            assert watching.wait(20) == 128 + number
            told = watching.stderr.read()
        assert f"until {number.name} came\n" in told
        assert "exit status 0, when netlab asked it to end\n" in told

    def test_of_a_program_that_does_not_listen_to_signals(self) -> None:
        shell = "trap '' INT TERM; echo ready; while :; do sleep 0.01; done"
        arguments = command("watch", "one-host", "host", "--", "sh", "-c", shell)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            assert watching.stderr is not None
            assert watching.stdout.readline() == "ready\n"
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # each of the last two ends a wait for it
                watching.send_signal(number)
            assert watching.wait(20) - 128 in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            assert "when netlab asked it to end\n" in watching.stderr.read()


class TestTerminal:
    def test_ctrl_c_reaches_the_program_once_and_ends_the_watch(self) -> None:
        program = python(
            "import signal, time\n"
            "signal.signal(signal.SIGINT, lambda *_: print('heard', flush=True) or exit(7))\n"
            "print('rea' + 'dy', flush=True)\n"
            "while True: signal.pause()"
        )
        with Terminal(command("watch", "one-host", "host", "--quiet", "--", *program)) as terminal:
            terminal.shows("ready")
            terminal.type("\x03")
            terminal.shows("heard")
            assert "heard" not in terminal.shows("until SIGINT came")
            terminal.shows("exit status 7")
            assert terminal.wait() == 130

    def test_the_program_has_the_terminal(self) -> None:
        with Terminal(
            command("watch", "one-host", "host", "--quiet", "--", "sh", "-c", "tty; read line < /dev/tty; echo [$line]")
        ) as one:
            one.shows("/dev/pts/")
            one.type("typed\n")
            one.shows("[typed]")
            assert one.wait() in ENDINGS

    def test_it_is_shown_live_on_a_terminal(self) -> None:
        arguments = ["--with", beside("client", CLIENT), "--", *python(SERVER)]
        with Terminal(command("watch", "two-hosts", "server", *arguments), size=(50, 150)) as terminal:
            terminal.shows("eth0 in  client:")
            terminal.shows("client  | told answer")
            terminal.shows("watched for")
            assert terminal.wait() in ENDINGS


class TestWhatIsShown:
    def test_it_is_quiet_without_a_terminal(self) -> None:
        done = netlab("watch", "two-hosts", "server", "--with", beside("client", CLIENT), "--", *python(SERVER))
        assert said(done).startswith("watched for ")
        assert "told answer" not in said(done)

    def test_live_shows_it_all_the_same(self) -> None:
        done = netlab("watch", "two-hosts", "server", "--live", "--with", beside("client", CLIENT), "--", *python(SERVER))
        before, _, _ = said(done).partition("watched for ")
        assert "client  | told answer\n" in before
        assert "server  eth0 in  client:" in before

    def test_what_a_failed_program_beside_it_said(self) -> None:
        done = netlab("watch", "two-hosts", "server", "--before", "client: sh -c 'echo why not >&2; exit 9'", "--", "true")
        assert "exit status 9\n    | why not\n" in said(done)


class TestFindings:
    def test_a_fault_is_told_with_its_slice_and_what_the_standard_says_and_is_status_1(self, tmp_path: Path) -> None:
        file = tmp_path / "result.json"
        done = netlab("watch", "one-host", "host", "--json", file, "--", *python(FAULTY))
        if not EVERYTHING:
            pytest.skip("this machine does not let netlab see calls in the kernel")
        assert done.returncode == 1
        told = said(done)[said(done).index("FAULT use.sigpipe") :]
        assert "timeline, in ms since its first observation" in told
        assert "gets SIGPIPE, and has no handler for it" in told
        assert "  source    POSIX" in told
        assert told.rstrip().splitlines()[-1].startswith("1 fault")
        (result,) = loads(file.read_bytes()).scenarios
        failed = [verdict for verdict in result.verdicts if verdict.outcome == "FAIL"]
        assert [(verdict.id, bool(verdict.slice), bool(verdict.evidence)) for verdict in failed] == [("use.sigpipe", True, True)]

    @pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace here")
    def test_without_root_calls_are_seen_by_strace_and_what_that_cannot_see_is_inconclusive(self) -> None:
        done = netlab("watch", "one-host", "host", "--", "/bin/sh", "-c", "exit 5", rootless=True)
        assert done.returncode == 3
        assert "exit status 5" in said(done)
        assert "not seen     states: " in said(done)
        assert "INCONCLUSIVE use." in said(done)
        faulty = netlab("watch", "one-host", "host", "--", *python(FAULTY), rootless=True)
        assert faulty.returncode == 1
        assert "FAULT use.sigpipe" in said(faulty)

    def test_without_strace_too_it_is_inconclusive_and_says_what_to_install(self) -> None:
        env = {**os.environ, "PATH": "/nowhere"}
        done = netlab("watch", "one-host", "host", "--", "/bin/sh", "-c", "exit 0", rootless=True, env=env)
        assert done.returncode == 3
        assert "apt-get install strace" in said(done)

    def test_netlabs_own_calls_are_no_programs(self, tmp_path: Path) -> None:
        file = tmp_path / "result.json"
        netlab("watch", "one-host", "host", "--json", file, "--before", "host: /bin/true", "--", "/bin/true")
        (result,) = loads(file.read_bytes()).scenarios
        seen = [one for one in result.timeline.observations if isinstance(one, SystemCall | ProcessForked)]
        assert {one.program for one in seen} <= {"true"}
        if EVERYTHING:
            assert len({one.pid for one in result.timeline.observations if isinstance(one, ProcessExecuted)}) == 2

    def test_what_was_open_before_is_told(self, tmp_path: Path) -> None:
        serve = "import socket; s = socket.create_server(('', 80)); s.accept()[0].recv(1)"
        topology, file = tmp_path / "started.yaml", tmp_path / "result.json"
        server = {"start": [{"run": [sys.executable, "-c", serve], "ready": {"port": 80}}]}
        links = [{"endpoints": ["client", "server"], "subnets": ["10.0.0.0/24"]}]
        topology.write_text(
            "# A server that was there before.\n" + json.dumps({"nodes": {"client": {}, "server": server}, "links": links})
        )
        netlab("watch", topology, "client", "--json", file, "--", *python(CLIENT.replace("8080", "80")))
        (result,) = loads(file.read_bytes()).scenarios
        opened = [one for one in result.timeline.observations if isinstance(one, DescriptorSeen)]
        assert {one.host for one in opened} == {"server"}
        assert [one.fd for one in opened if one.target.startswith("socket:[")] == [3]


class TestReports:
    def test_the_timeline_as_json_on_standard_output(self) -> None:
        arguments = ["--json", "-", "--with", beside("client", CLIENT), "--", *python(SERVER)]
        done = netlab("watch", "two-hosts", "server", *arguments)
        (result,) = loads(done.stdout).scenarios
        assert "asked question\n" in said(done)
        assert result.name == "watch two-hosts server"
        seen = result.timeline.observations
        assert [one.time for one in seen] == sorted(one.time for one in seen)
        assert {one.host for one in seen if isinstance(one, Packet)} == {"client", "server"}
        ended = {one.host: (one.status, one.stdout) for one in seen if isinstance(one, ProgramEnded)}
        assert ended == {"server": (0, ""), "client": (0, "told answer\n")}
        if result.timeline.source("states").available:
            assert next(one.new for one in seen if isinstance(one, SocketState) and one.host == "server") == "LISTEN"
        assert done.returncode == {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}[json.loads(done.stdout)["outcome"]]

    def test_files(self, tmp_path: Path) -> None:
        files = {name: tmp_path / name for name in ("json", "junit", "pcap")}
        options = [word for name, file in files.items() for word in (f"--{name}", file)]
        done = netlab(
            "watch", "two-hosts", "server", *options, "--no-payload", "--with", beside("client", CLIENT), "--", *python(SERVER)
        )
        assert done.returncode in ENDINGS
        assert done.stdout == "asked question\n"
        assert len(loads(files["json"].read_bytes()).scenarios) == 1
        assert files["junit"].read_text().startswith("<?xml")
        assert any(b"question" in packet.data for packet in read_bytes(files["pcap"].read_bytes()).packets) is False

    def test_allow_inconclusive(self) -> None:
        done = netlab("watch", "one-host", "host", "--allow-inconclusive", "--", "true", rootless=True)
        assert done.returncode == 0


def test_two_at_once_see_nothing_of_each_other() -> None:
    arguments = command("watch", "two-hosts", "server", "--json", "-", "--with", beside("client", CLIENT), "--", *python(SERVER))
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(2)]
    told = [process.communicate(timeout=60)[0] for process in both]
    assert all(process.returncode in ENDINGS for process in both)
    for output in told:
        (result,) = loads(output).scenarios
        opened = [one for one in result.timeline.observations if isinstance(one, SocketState) and one.old == "SYN_SENT"]
        assert len(opened) == 1 or not result.timeline.source("states").available


def test_help_says_what_it_is_for() -> None:
    assert "Run an unmodified program in HOST of a network" in netlab("watch", "--help").stdout
    assert "watch" in netlab("--help").stdout
