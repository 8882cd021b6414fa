"""Imported, run again and judged: what netlab itself wrote, what tcpdump and dumpcap captured, what strace logged."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from labs import netlab, until

from netlab.api import Lab
from netlab.timeline.headers import decode
from netlab.timeline.pcapng_read import read

pytestmark = pytest.mark.netns

PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin"
HANDSHAKE = """
topology: two-hosts
steps:
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
  - server: a = accept(s)
  - client: send(c, "question", 0) -> 8
  - server: recv(a, buf(100)) -> 8
"""
ENDINGS = {
    "answered": """
  - server: send(a, buf(4000), 0) -> 4000
  - client: recv(c, buf(4000), MSG_WAITALL) -> 4000
  - client: close(c)
  - server: recv(a, buf(1)) -> 0
  - server: close(a)
  - expect: {packets: [..., "server > client F.", "client > server ."]}
""",
    "lost": """
  - server: send(a, "answer", 0) -> 6
  - client: recv(c, buf(10)) -> 6
  - client: close(c)
  - server: recv(a, buf(1)) -> 0
  - server: close(a)
  - expect: {packets: [..., "server > client F.", "client > server ."]}
""",
    "reset": """
  - server: setsockopt(a, SOL_SOCKET, SO_LINGER, {linger:1,0})
  - server: close(a)
  - client: recv(c, buf(1)) -> ECONNRESET
  - expect: {packets: [..., "server > client R."]}
""",
    "half-closed": """
  - client: shutdown(c, SHUT_WR)
  - server: recv(a, buf(1)) -> 0
  - server: send(a, "late", 0) -> 4
  - client: recv(c, buf(10)) -> 4
  - server: close(a)
  - client: recv(c, buf(10)) -> 0
  - expect: {packets: [..., "server > client F.", "client > server ."]}
""",
}
SERVER = """
import os, socket
s = socket.socket()
s.bind(("127.0.0.1", 7000))
s.listen(5)
if os.fork() == 0:
    s.close()
    c = socket.create_connection(("127.0.0.1", 7000))
    c.sendall(b"hello")
    assert c.recv(100) == b"world"
    c.close()
    os._exit(0)
a, _ = s.accept()
a.recv(100)
a.sendall(b"world")
a.recv(100)
a.close()
os.wait()
"""


def needs(*programs: str) -> pytest.MarkDecorator:
    lacking = [name for name in programs if shutil.which(name, path=PATH) is None]
    return pytest.mark.skipif(bool(lacking), reason=f"{', '.join(lacking)} not installed")


def passes(kind: str, file: Path, *options: str) -> str:
    """Imports a file, and runs what it has become; gives the scenario."""
    out = file.parent / "imported"
    done = netlab("import", kind, file, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    topology, scenario = (Path(line) for line in done.stdout.split())
    valid = netlab("validate", topology, scenario)
    assert valid.returncode == 0, valid.stderr
    ran = netlab("run", scenario, timeout=180)
    assert ran.returncode == 0, scenario.read_text() + ran.stdout + ran.stderr
    return scenario.read_text()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "real", [None, pytest.param("10.0.0.1", marks=pytest.mark.proof), pytest.param("both", marks=pytest.mark.proof)]
)
def test_what_a_run_captured_is_reproduced(ending: str, real: str | None, tmp_path: Path) -> None:
    scenario, capture = tmp_path / "first.scenario.yaml", tmp_path / "field.pcapng"
    lossy = 'impair: {"server->client": [{match: "P.", nth: 1, action: drop}]}' if ending == "lost" else ""
    scenario.write_text(lossy + HANDSHAKE + ENDINGS[ending].lstrip("\n"))
    first = netlab("run", scenario, "--pcap", capture, timeout=180)
    assert first.returncode == 0, first.stdout + first.stderr
    text = passes("pcap", capture, *(["--real", real] if real else []))
    assert "question" in text
    assert ("sends again what nobody acknowledged" in text) == (ending == "lost" and real is None)


@contextmanager
def captured(lab: Lab, writer: list[str], file: Path) -> Iterator[None]:
    """While the program writes what passes the client's interface; until the capture has a last acknowledgement, or a refusal."""
    # tcpdump gives up its rights for a user who may not write here.
    with lab["client"].popen([*writer, str(file)], stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        line = program.stderr.readline()
        while "istening on" not in line and "apturing on" not in line and "File:" not in line:
            assert line, "the program has ended"
            line = program.stderr.readline()
        yield
        program.terminate()
        program.communicate()


def complete(file: Path, flag: str, count: int) -> bool:
    try:
        seen = [decode(one.data).flags for one in read(file).packets]
    except Exception:  # noqa: BLE001 - the program is just writing
        return False
    return sum(flag in flags for flags in seen) >= count


TCPDUMP = ["tcpdump", "-U", "--immediate-mode", "-i", "eth0", "-Z", "root", "-w"]


@needs("tcpdump", "curl", "nginx")
@pytest.mark.parametrize(("host", "flag", "count"), [("{four}", "F", 2), ("[{six}]", "F", 2), ("{four}:81", "R", 1)])
def test_what_tcpdump_saw_of_curl_and_nginx_is_reproduced(host: str, flag: str, count: int, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text("hello\n")
    configuration = tmp_path / "nginx.conf"
    stores = " ".join(f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    configuration.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/errors; user root;\n"
        f"events {{}}\nhttp {{ access_log off; {stores} server {{ listen 80; listen [::]:80; root {tmp_path}; }} }}\n"
    )
    file = tmp_path / "field.pcap"
    with Lab.load("two-hosts") as lab, lab["server"].popen(["nginx", "-c", str(configuration)]) as nginx:
        addresses = [str(one.ip) for one in lab.nodes["server"].interfaces["eth0"].addresses]
        four, six = next(one for one in addresses if "." in one), next(one for one in addresses if ":" in one)
        assert until(lambda: lab["client"].run(["curl", "-s", f"http://{four}/"], capture_output=True).returncode == 0)
        with captured(lab, TCPDUMP, file):
            lab["client"].run(["curl", "-s", f"http://{host.format(four=four, six=six)}/"], capture_output=True)
            assert until(lambda: complete(file, flag, count))
        nginx.terminate()
    text = passes("pcap", file)
    assert "opens connection 1." in text
    assert ("listen(s, 128)" in text) == (flag == "F")


@needs("dumpcap")
def test_what_dumpcap_saw_of_datagrams_is_reproduced(tmp_path: Path) -> None:
    file = tmp_path / "field.pcapng"
    file.touch()
    file.chmod(0o666)
    asks = "import socket; s = socket.socket(2, 2); s.sendto(b'ping', ('10.0.0.2', 7000)); assert s.recv(9) == b'pong'"
    answers = (
        "import socket; s = socket.socket(2, 2); s.bind(('', 7000)); print('ready', flush=True); "
        "data, who = s.recvfrom(9); s.sendto(b'pong', who)"
    )
    with Lab.load("two-hosts") as lab, captured(lab, ["dumpcap", "-i", "eth0", "-w"], file):
        with lab["server"].popen([sys.executable, "-c", answers], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            lab["client"].run([sys.executable, "-c", asks], check=True)
        assert until(lambda: len(_datagrams(file)) == 2)
    text = passes("pcap", file)
    assert 'recv(u2, buf(4)) -> 4 out "ping"' in text or 'recv(u, buf(4)) -> 4 out "ping"' in text


def _datagrams(file: Path) -> list[bytes]:
    try:
        return [
            decode(one.data).payload
            for one in read(file).packets
            if decode(one.data).dport == 7000 or decode(one.data).sport == 7000
        ]
    except Exception:  # noqa: BLE001 - the program is just writing
        return []


@needs("strace")
@pytest.mark.parametrize("options", [["-f"], ["-f", "-tt", "-T", "-y"], ["-f", "-ttt", "-yy"], ["-f", "-r"]], ids=" ".join)
@pytest.mark.proof
def test_what_strace_logged_of_a_server_and_its_forked_client_is_reproduced(options: list[str], tmp_path: Path) -> None:
    log = tmp_path / "field.log"
    with Lab.load("one-host") as lab:
        lab["host"].run(["strace", *options, "-o", str(log), sys.executable, "-c", SERVER], check=True)
    text = passes("strace", log)
    assert "p1 = fork()" in text
    assert "connect(c, 127.0.0.1:7000)" in text


@needs("strace", "curl")
def test_what_strace_logged_of_curl_alone_is_reproduced(tmp_path: Path) -> None:
    log = tmp_path / "field.log"
    with Lab.load("two-hosts") as lab:
        server = [sys.executable, "-m", "http.server", "8000", "-d", str(tmp_path)]
        with lab["server"].popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
            curl = ["curl", "-s", "http://10.0.0.2:8000/"]
            assert until(lambda: lab["client"].run(curl, capture_output=True).returncode == 0)
            lab["client"].run(["strace", "-f", "-tt", "-s", "1000", "-o", str(log), *curl], check=True, capture_output=True)
            program.terminate()
    text = passes("strace", log)
    assert "connect(c, other:8000) -> EINPROGRESS" in text


@needs("strace", "socat")
def test_what_strace_logged_of_two_socats_is_reproduced(tmp_path: Path) -> None:
    log = tmp_path / "field.log"
    shell = "socat -u TCP-LISTEN:7001,reuseaddr - & echo hello | socat -u - TCP:127.0.0.1:7001,retry=50,interval=0.1; wait"
    with Lab.load("one-host") as lab:
        lab["host"].run(["strace", "-f", "-tt", "-o", str(log), "sh", "-c", shell], check=True, capture_output=True)
    assert "listen(s, 5)" in passes("strace", log)
