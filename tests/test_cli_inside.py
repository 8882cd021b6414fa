"""The commands that go into labs that stay, as a user runs them: real labs, real terminals, with root's rights and without."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from labs import Stays, Terminal, alive, below, lab, netlab, until

from netlab.timeline.headers import decode
from netlab.timeline.pcapng_read import read_bytes

pytestmark = pytest.mark.netns

BASH = ["bash", "--norc", "--noprofile", "-i"]
READY = 'echo rea""dy'  # so that it is shown when the command runs, not when it is typed
SAYS_READY = ("sh", "-c", "echo ready; exec sleep inf")
CONNECT = (sys.executable, "-c", "import socket; s = socket.socket(); s.connect_ex(('server', 9))")
STARTED = """\
# Its host has something to say.
nodes:
  a:
    env: {GREETING: good morning}
    start:
      - {shell: "echo $GREETING; exec sleep inf", background: true}
      - {run: [sleep, inf], background: true}
"""


@pytest.fixture(scope="module", params=[False, True], ids=["", "rootless"])
def shared(request: pytest.FixtureRequest) -> Iterator[Stays]:
    """A lab that no test ends."""
    with lab(rootless=request.param) as called:
        yield Stays(called, request.param)


@pytest.fixture(params=[False, True], ids=["", "rootless"])
def own(request: pytest.FixtureRequest) -> Iterator[Stays]:
    """A lab that the test may end."""
    with lab(rootless=request.param) as called:
        yield Stays(called, request.param)


class TestExec:
    def test_the_node_is_where_it_is_and_the_rest_is_as_here(self, shared: Stays) -> None:
        program = "import os, socket; interfaces = sorted(name for _, name in socket.if_nameindex())\n"
        program += "print(os.getcwd(), os.environ['HERE'], socket.gethostname(), interfaces, socket.gethostbyname('server'))"
        told = shared.run("exec", "client", "--", sys.executable, "-c", program, env={**os.environ, "HERE": "there"}, cwd="/usr")
        assert told.stdout == "/usr there client ['eth0', 'lo'] 10.0.0.2\n"
        assert shared.run("exec", "client", "cat", stdin=None, input="hi").stdout == "hi"

    def test_exit_status_and_signal_pass_through(self, shared: Stays) -> None:
        assert shared.run("exec", "client", "--", "sh", "-c", "exit 42").returncode == 42
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGPIPE, signal.SIGSEGV, signal.SIGRTMIN + 3):
            done = shared.run("exec", "client", "--", "sh", "-c", f"kill -{int(number)} $$")
            assert (done.returncode, done.stderr) == (-number, "")

    @pytest.mark.parametrize(
        ("program", "status", "why"),
        [
            ("no-such-program", 127, "there is no program no-such-program"),
            ("/no/such", 127, "/no/such: No such file or directory"),
            ("/etc/passwd", 126, "/etc/passwd: Permission denied"),
            ("/", 126, "/: Permission denied"),
        ],
    )
    def test_what_cannot_be_executed(self, shared: Stays, program: str, status: int, why: str) -> None:
        done = shared.run("exec", "client", "--", program)
        assert (done.returncode, done.stdout, done.stderr) == (status, "", f"netlab-ns: client: {why}\n")

    def test_a_script_whose_interpreter_is_missing(self, shared: Stays, tmp_path: Path) -> None:
        script = tmp_path / "script"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        done = shared.run("exec", "client", "--", script)
        if not shared.rootless:  # who may not even look into the directory of a test
            assert (done.returncode, done.stderr) == (127, f"netlab-ns: client: {script}: its interpreter is not there\n")

    def test_signals_sent_to_it_go_on_to_the_program_and_it_dies_with_the_command(self, shared: Stays) -> None:
        names = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH")
        caught = f"import signal\nfor name in {names}:\n"
        caught += "  signal.signal(getattr(signal, 'SIG' + name), lambda n, f: print(signal.Signals(n).name, flush=True))\n"
        caught += "print('ready', flush=True)\nwhile True: signal.pause()\n"
        arguments = shared.command("exec", "client", "--", sys.executable, "-c", caught)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
            for name in names:
                client.send_signal(getattr(signal, f"SIG{name}"))
                assert client.stdout.readline() == f"SIG{name}\n"
            (program,) = below(client.pid)
            client.kill()
        assert until(lambda: not alive(program))

    def test_the_labs_end_is_told(self, own: Stays) -> None:
        arguments = own.command("exec", "client", "--", *SAYS_READY)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            assert client.stderr is not None
            assert client.stdout.readline() == "ready\n"
            assert own.down().returncode == 0
            assert client.wait(20) == -signal.SIGKILL
            assert client.stderr.read() == f"the lab {own.name} was ended\n"

    def test_no_descriptor_of_ours_reaches_the_program(self, shared: Stays) -> None:
        told = shared.run("exec", "client", "--", "ls", "/proc/self/fd")
        assert told.stdout.split() == ["0", "1", "2", "3"]  # 3 is ls' own, on the folder

    def test_a_directory_that_is_not_there_in_the_lab(self, shared: Stays, tmp_path: Path) -> None:
        gone = tmp_path / "gone"
        gone.mkdir()
        script = (
            f"import os, subprocess, sys; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); sys.exit(subprocess.call(sys.argv[1:]))"
        )
        if not shared.rootless:
            installed = str(Path(sys.executable).with_name("netlab-ns"))  # python -m would look for a package there
            arguments = [sys.executable, "-c", script, installed, "exec", "--lab", shared.name, "client", "--", "pwd"]
            told = subprocess.run(arguments, capture_output=True, text=True, check=False)
            assert (told.returncode, told.stdout) == (0, "/\n"), told.stderr


class TestTerminal:
    def test_it_is_the_users_own(self, shared: Stays) -> None:
        with Terminal(shared.command("exec", "client", "--", "sh", "-c", "stty size; tty; echo done"), size=(33, 77)) as terminal:
            shown = terminal.shows("done")
            assert shown.split()[:2] == ["33", "77"]
            assert "/dev/pts/" in shown
            assert terminal.wait() == 0

    def test_ctrl_c_reaches_the_program_once(self, shared: Stays) -> None:
        counts = (
            "import signal, sys\ncame = []\nsignal.signal(signal.SIGINT, lambda *_: (came.append(1), print('came', flush=True)))\n"
        )
        counts += "print('ready', flush=True)\nsys.stdin.readline()\nprint('counted', len(came), flush=True)\nsys.exit(7)\n"
        program = shared.command("exec", "client", "--", sys.executable, "-c", counts)
        # as a job of its own, and as a part of a larger one
        for argv in (
            program,
            [
                sys.executable,
                "-c",
                "import subprocess, sys, signal; signal.signal(2, signal.SIG_IGN);"
                "sys.exit(subprocess.call(sys.argv[1:], restore_signals=True))",
                *program,
            ],
        ):
            with Terminal(argv) as terminal:
                terminal.shows("ready")
                terminal.type("\x03")
                terminal.shows("came")
                terminal.type("\n")
                terminal.shows("counted 1")
                assert terminal.wait() == 7

    def test_ctrl_c_ends_a_program(self, shared: Stays) -> None:
        with Terminal(shared.command("exec", "client", "--", *SAYS_READY)) as terminal:
            terminal.shows("ready")
            terminal.type("\x03")
            assert terminal.wait() == -signal.SIGINT

    def test_ctrl_c_ends_the_whole_of_a_script_and_of_a_pipeline(self, shared: Stays) -> None:
        line = " ".join(shared.command("exec", "client", "--", "sh", "-c", f"'{READY} >&2; exec sleep 1000'"))
        for script in (f"{line}; echo never", f"{line} | cat; echo never", f"echo | {line}; echo never"):
            with Terminal(["sh", "-c", script]) as terminal:
                terminal.shows("ready")
                terminal.type("\x03")
                assert terminal.wait() == -signal.SIGINT
                assert "never" not in terminal.screen

    @pytest.mark.parametrize("after", ["", " | cat"])
    def test_it_can_be_stopped_and_go_on(self, shared: Stays, after: str) -> None:
        line = " ".join(shared.command("exec", "client", "--", "sh", "-c", f"'{READY}; exec cat'"))
        with Terminal(BASH) as terminal:
            terminal.shows("$ ")
            # in a pipeline it shares the process group of the command
            terminal.type(f"{line}{after}\n")
            terminal.shows("ready")
            for word in ("one", "two", "three"):
                terminal.type(f"{word}\n")
                terminal.shows(f"{word}\r\n{word}\r\n")  # the terminal's echo, and the program's
                terminal.type("\x1a")
                terminal.shows("Stopped")
                terminal.shows("$ ")
                terminal.type("fg\n")
                terminal.shows("cat")
            terminal.type("\x04")
            terminal.shows("$ ")
            terminal.type("echo status $?\n")
            terminal.shows("status 0\r\n")

    def test_it_can_go_to_the_background_and_come_back(self, shared: Stays) -> None:
        line = " ".join(shared.command("exec", "client", "--", "sh", "-c", f"'{READY}; exec cat'"))
        with Terminal(BASH) as terminal:
            terminal.shows("$ ")
            terminal.type(f"{line} &\n")
            terminal.shows("ready")  # and stops, since it wants to read
            for _ in range(2):
                terminal.type("fg\n")
                terminal.shows("exec cat'\r\n")
                terminal.type("word\n")
                terminal.shows("word\r\nword\r\n")
                terminal.type("\x1a")
                terminal.shows("Stopped")
                terminal.shows("$ ")
            terminal.type("fg\n")
            terminal.shows("exec cat'\r\n")
            terminal.type("word\n")
            terminal.shows("word\r\nword\r\n")
            terminal.type("\x03")
            terminal.shows("$ ")
            terminal.type("echo status $?\n")
            terminal.shows("status 130\r\n")

    def test_ctrl_c_reaches_one_that_was_started_in_the_background(self, shared: Stays) -> None:
        running = "import signal, sys\nsignal.signal(signal.SIGINT, lambda *_: sys.exit(7))\nprint('rea' + 'dy', flush=True)\n"
        running += "while True: signal.pause()\n"
        line = " ".join(shared.command("exec", "client", "--", sys.executable, "-c", f'"{running}"'))
        with Terminal(BASH) as terminal:
            terminal.shows("$ ")
            terminal.type(f"{line} &\n")
            terminal.shows("ready")
            terminal.type("fg; echo status $?\n")
            terminal.shows("signal.pause()\r\n")
            # the shell says which job it is before it gives it the terminal
            status = Path(f"/proc/{terminal.process.pid}/stat")
            assert until(lambda: status.read_text().rpartition(")")[2].split()[5] != str(terminal.process.pid))
            terminal.type("\x03")
            terminal.shows("status 7\r\n")

    def test_a_program_that_stops_itself_stops_the_command(self, shared: Stays) -> None:
        stops = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP); print('went', 'on')"
        with Terminal(BASH) as terminal:
            terminal.shows("$ ")
            terminal.type(" ".join(shared.command("exec", "client", "--", sys.executable, "-c", f'"{stops}"')) + "\n")
            terminal.shows("Stopped")
            terminal.shows("$ ")
            terminal.type("fg\n")
            terminal.shows("went on\r\n")
            terminal.shows("$ ")

    def test_a_shell_says_where_it_is_and_gives_the_terminal_back(self, shared: Stays) -> None:
        line = " ".join(shared.command("shell", "client"))
        # not an interactive shell: it would take the terminal back by itself
        script = f"{line}; echo status $?; read word; echo read $word"
        with Terminal(["sh", "-c", script], env={"SHELL": "/bin/bash"}) as terminal:
            terminal.shows(f"[{shared.name}/client] ")
            terminal.type(f"sh -c '{READY}; exec sleep 1000'\n")
            terminal.shows("ready")
            terminal.type("\x1a")
            terminal.shows("Stopped")
            terminal.type("kill %1; wait; hostname; exit 3\n")
            terminal.shows("client\r\n")
            terminal.shows("status 3")
            terminal.type("something\n")
            terminal.shows("read something")
            assert terminal.wait() == 0

    def test_another_shell(self, shared: Stays) -> None:
        with Terminal(shared.command("shell", "client"), env={"SHELL": "/no/such"}) as terminal:
            terminal.shows(f"[{shared.name}/client] $ ")
            terminal.type("hostname; exit\n")
            terminal.shows("hostname; exit\r\n")
            terminal.shows("client\r\n")
            assert terminal.wait() == 0
            assert terminal.screen == ""


class TestCapture:
    def test_each_packet_is_shown_as_it_comes(self, shared: Stays) -> None:
        arguments = shared.command("capture", "client:eth0")
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as capture:
            assert capture.stdout is not None
            assert capture.stderr is not None
            assert capture.stderr.readline() == f"capturing on client:eth0 of {shared.name}; Ctrl-C ends it\n"
            assert shared.run("exec", "client", "--", *CONNECT).returncode == 0
            tcp = (line for line in capture.stdout if ":9 " in line)
            syn, reset = next(tcp).split(), next(tcp).split()
            assert [*syn[1:3], *syn[4:8]] == ["eth0", "out", ">", "server:9", "S", "seq"]
            assert [*reset[1:5], *reset[6:10]] == ["eth0", "in", "server:9", ">", "R.", "seq", "1", "ack"]
            capture.send_signal(signal.SIGINT)
            assert capture.wait(20) == 0
            assert capture.stderr.read().endswith(" packets captured, 0 lost\n")

    def test_a_file_can_be_read_while_it_grows_and_ends_after_so_many(self, shared: Stays) -> None:
        send = "import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', int(sys.argv[1])))"
        arguments = shared.command("capture", "client:lo", "-w", "-", "--count", 3)
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as capture:
            assert capture.stdout is not None
            assert capture.stderr is not None
            assert capture.stderr.readline().startswith(b"capturing")
            data = b""
            # a datagram and the error that answers it, twice
            for port, seen in ((7, 1), (8, 3)):
                assert shared.run("exec", "client", "--", sys.executable, "-c", send, port).returncode == 0
                while len(read_bytes(data).packets if data else ()) < seen:
                    data += capture.stdout.read(1 << 16)
            rest, errors = capture.communicate(timeout=20)
            assert (capture.returncode, errors) == (0, b"3 packets captured, 0 lost\n")
        headers = [decode(packet.data) for packet in read_bytes(data + rest).packets]
        assert [(one.protocol, one.dport) for one in headers] == [("udp", 7), ("icmp", None), ("udp", 8)]

    def test_a_file_beside_the_lines(self, shared: Stays, tmp_path: Path) -> None:
        path = tmp_path / "out.pcapng"
        path.touch()
        if shared.rootless:
            return  # who may not write here
        arguments = shared.command("capture", "server", "-w", path, "--live")
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as capture:
            assert capture.stdout is not None
            assert capture.stderr is not None
            assert capture.stderr.readline().startswith("capturing")
            assert shared.run("exec", "client", "--", *CONNECT).returncode == 0
            lines = [next(line for line in capture.stdout if " R. " in line)]
            capture.send_signal(signal.SIGTERM)
            capture.wait(20)
        assert lines
        assert any("R" in decode(packet.data).flags for packet in read_bytes(path.read_bytes()).packets)

    def test_a_reader_that_goes_away_ends_it_quietly(self, shared: Stays) -> None:
        arguments = shared.command("capture", "client")
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as capture:
            assert capture.stdout is not None
            assert capture.stderr is not None
            assert capture.stderr.readline().startswith("capturing")
            capture.stdout.close()
            assert shared.run("exec", "client", "--", *CONNECT).returncode == 0
            assert capture.wait(20) == 0
            assert capture.stderr.read() == ""

    def test_the_labs_end_ends_it(self, own: Stays) -> None:
        arguments = own.command("capture", "client")
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as capture:
            assert capture.stderr is not None
            capture.stderr.readline()
            assert own.down().returncode == 0
            assert capture.wait(20) == 0
            assert capture.stderr.read().endswith(f" captured, 0 lost; the lab {own.name} was ended\n")


def test_what_programs_of_the_start_said(tmp_path: Path) -> None:
    path = tmp_path / "started.yaml"
    path.write_text(STARTED)
    with lab(path) as called:
        assert until(lambda: "good morning\n" in netlab("logs", "--lab", called, "a").stdout)
        both = "==> sh -c echo $GREETING; exec sleep inf <==\ngood morning\n==> sleep inf <==\n"
        assert netlab("logs", "--lab", called, "a").stdout == both
        assert netlab("logs", "--lab", called, "a", 1).stdout == "good morning\n"
        assert netlab("logs", "--lab", called, "a", 2).stdout == ""
        assert netlab("logs", "--lab", called, "a", 3).returncode == 2
        assert netlab("exec", "--lab", called, "a", "--", "sh", "-c", "echo $GREETING").stdout == "good morning\n"
