"""curl asks nginx for a page in a lab, at a wrong port first, and one plain JSON timeline has it all in the right order.

It runs `netlab-ns watch` as a user does, reads what that wrote, and holds what must come before what against the stamps, within
what the sources say of their own uncertainty. usage, from the root of the source tree: python -m ci.curl_nginx [FILE.json]
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from netlab.report.json import loads
from netlab.report.lines import Lines
from netlab.timeline.headers import Headers, decode
from netlab.timeline.observations import (
    AnyObservation,
    DescriptorSeen,
    Packet,
    PacketDropped,
    ProcessExecuted,
    ProcessExited,
    Reset,
    SocketError,
    SocketState,
    SystemCall,
)
from netlab.timeline.timeline import Timeline

PORT, WRONG = 80, 81
CONFIGURATION = """\
daemon off;
master_process on;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {port};
    listen [::]:{port};
    root {folder}/www;
  }}
}}
"""
PAGE = "<p>It works.</p>\n"


Event = tuple[int, str]
"""When something happened, and the name of the source that stamped it."""

CHAINS = (
    "lost SYN leaves, lost SYN arrives, server sends a reset, RST leaves, server drops the SYN",
    "RST leaves, RST arrives, client takes the reset, client's error, curl is refused, curl calls connect",
    "nginx listens, SYN arrives",
    "curl has a socket, curl calls connect, client SYN_SENT, SYN leaves, SYN arrives, SYN-ACK leaves, SYN-ACK arrives",
    "SYN-ACK arrives, client ESTABLISHED, curl calls send, request leaves, request arrives, nginx has read, nginx calls write",
    "SYN arrives, server NEW_SYN_RECV, SYN-ACK leaves",
    "client ESTABLISHED, ACK leaves, ACK arrives, server ESTABLISHED, nginx has accepted, nginx has read",
    "nginx calls write, answer leaves, answer arrives, curl has read, curl calls close, client FIN_WAIT1, client's FIN leaves",
    "client's FIN leaves, client's FIN arrives, server CLOSE_WAIT, server LAST_ACK, server's FIN leaves, server's FIN arrives",
)
"""What comes before what. Between the chains nobody waits for anybody."""


def record(folder: Path, to: Path) -> "subprocess.CompletedProcess[str]":
    """Watch nginx while curl asks it for a page; the timeline goes to a file."""
    (folder / "www").mkdir()
    (folder / "www/index.html").write_text(PAGE)
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=PORT))
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin") or "nginx"
    beside = ["--with", f"client: curl -4 -s http://server:{WRONG}/ http://server:{PORT}/", "--until-exit", "client"]
    program = [nginx, "-e", "stderr", "-c", str(configuration)]
    command = [
        sys.executable,
        "-m",
        "netlab",
        "watch",
        "two-hosts",
        "server",
        "--quiet",
        "--json",
        str(to),
        *beside,
        "--",
        *program,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)


def events(timeline: Timeline) -> dict[str, Event]:
    """The steps of the request. Raises LookupError for one that is missing."""
    try:
        return {name: (time, source) for name, time, source in _events(timeline)}
    except (StopIteration, RuntimeError) as error:
        raise LookupError(f"the refused connection is not in the timeline: {error}") from error


def _events(timeline: Timeline) -> Iterator[tuple[str, int, str]]:
    seen = timeline.observations

    def call(host: str, program: str, names: Sequence[str], wanted: Callable[[SystemCall], bool]) -> SystemCall:
        for one in seen:
            if isinstance(one, SystemCall) and (one.host, one.program) == (host, program) and one.call in names and wanted(one):
                return one
        raise LookupError(f"{program} on {host} made no such call: {' or '.join(names)}")

    def packet(host: str, direction: str, flags: str, data: bytes = b"", *, to_server: bool, port: int = PORT) -> int:
        for one in seen:
            if isinstance(one, Packet) and (one.host, one.direction) == (host, direction):
                headers = decode(one.data)
                if _is(headers, flags, port, to_server) and data in headers.payload:
                    return one.time
        raise LookupError(f"no packet {flags} {direction} at {host}")

    def state(host: str, new: str) -> int:
        for one in seen:
            if isinstance(one, SocketState) and (one.host, one.new) == (host, new) and WRONG not in (one.local[1], one.remote[1]):
                return one.time
        raise LookupError(f"no socket on {host} became {new}")

    def about(one: SystemCall) -> bool:
        address = one.arguments.get("address")
        return isinstance(address, list | tuple) and address[1] == PORT

    def tcp(one: SystemCall) -> bool:
        return any(
            isinstance(made, SystemCall)
            and (made.pid, made.call, made.result) == (one.pid, "socket", one.fd)
            and made.arguments.get("type") == "SOCK_STREAM"
            and made.time <= one.began
            for made in seen
        )

    connect = call("client", "curl", ("connect",), lambda one: one.errno in ("", "EINPROGRESS") and about(one) and tcp(one))
    descriptor = connect.fd
    made = call("client", "curl", ("socket",), lambda one: one.result == descriptor and one.made == connect.inode)
    listen = call("server", "nginx", ("listen",), lambda one: not one.errno)
    accept = call("server", "nginx", ("accept", "accept4"), lambda one: one.result >= 0)
    send = call("client", "curl", ("sendto", "write", "sendmsg"), lambda one: one.fd == descriptor and one.result > 0)
    receive = call("server", "nginx", ("recvfrom", "read"), lambda one: one.fd == accept.result and one.result > 0)
    answers = ("writev", "sendfile", "sendto", "write", "sendmsg")
    answer = call("server", "nginx", answers, lambda one: one.fd == accept.result and one.result > 0)
    got = call("client", "curl", ("recvfrom", "read"), lambda one: one.fd == descriptor and one.result > 0)
    close = call("client", "curl", ("close",), lambda one: one.fd == descriptor and one.began > got.time)

    for name, time in {
        "nginx listens": listen.time,
        "curl has a socket": made.time,
        "curl calls connect": connect.began,
        "nginx has accepted": accept.time,
        "curl calls send": send.began,
        "nginx has read": receive.time,
        "nginx calls write": answer.began,
        "curl has read": got.time,
        "curl calls close": close.began,
    }.items():
        yield name, time, "calls"
    for name, flags, data in (("SYN", "S", b""), ("ACK", ".", b""), ("request", "P.", b"GET / HTTP"), ("client's FIN", "F.", b"")):
        yield f"{name} leaves", packet("client", "out", flags, data, to_server=True), "packets"
        yield f"{name} arrives", packet("server", "in", flags, data, to_server=True), "packets"
    for name, flags, data in (("SYN-ACK", "S.", b""), ("answer", "P.", b"HTTP/1.1 200"), ("server's FIN", "F.", b"")):
        yield f"{name} leaves", packet("server", "out", flags, data, to_server=False), "packets"
        yield f"{name} arrives", packet("client", "in", flags, data, to_server=False), "packets"
    yield "lost SYN leaves", packet("client", "out", "S", to_server=True, port=WRONG), "packets"
    yield "lost SYN arrives", packet("server", "in", "S", to_server=True, port=WRONG), "packets"
    yield "RST leaves", packet("server", "out", "R.", to_server=False, port=WRONG), "packets"
    yield "RST arrives", packet("client", "in", "R.", to_server=False, port=WRONG), "packets"
    dropped = next(one for one in seen if isinstance(one, PacketDropped) and (one.host, one.reason) == ("server", "NO_SOCKET"))
    yield "server drops the SYN", dropped.time, "events"
    yield "server sends a reset", next(one for one in seen if isinstance(one, Reset) and one.direction == "sent").time, "events"
    taken = next(one for one in seen if isinstance(one, Reset) and one.direction == "received")
    yield "client takes the reset", taken.time, "events"
    error = next(one for one in seen if isinstance(one, SocketError) and one.errno == "ECONNREFUSED")
    yield "client's error", error.time, "events"
    refused = call("client", "curl", ("getsockopt",), lambda one: one.arguments.get("value") == "ECONNREFUSED")
    yield "curl is refused", refused.time, "calls"
    for host, new in (
        *(("client", name) for name in ("SYN_SENT", "ESTABLISHED", "FIN_WAIT1")),
        *(("server", name) for name in ("NEW_SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK")),
    ):
        yield f"{host} {new}", state(host, new), "states"


def _is(headers: Headers, flags: str, port: int, to_server: bool) -> bool:
    its = headers.dport if to_server else headers.sport
    return headers.protocol == "tcp" and its == port and set(headers.flags) == set(flags)


def disorder(timeline: Timeline, steps: Mapping[str, Event]) -> list[str]:
    """What comes before what it should follow, by more than the sources' stamps may be off."""
    wrong = []
    for before, after in relations():
        (first, one), (second, other) = steps[before], steps[after]
        allowed = 0 if one == other else timeline.source(one).uncertainty + timeline.source(other).uncertainty
        if second < first - allowed:
            wrong.append(
                f"{after} is stamped {(first - second) / 1000:.1f} us before {before}; {allowed / 1000:.1f} us are explained"
            )
    return wrong


def relations() -> list[tuple[str, str]]:
    """Each step with the one that it must follow."""
    return [pair for chain in CHAINS for pair in pairwise(chain.split(", "))]


def shortly(timeline: Timeline) -> Iterator[str]:
    """The request's part of the timeline, a line an observation."""
    lines = Lines(timeline)
    wanted = [index for index, one in enumerate(timeline.observations) if _is_shown(one)]
    start = timeline.observations[wanted[0]].time if wanted else 0
    for index in wanted:
        one = timeline.observations[index]
        yield f"{(one.time - start) / 1e6:10.3f} ms  {one.host:<6}  {lines.line(index)}"


def _is_shown(one: AnyObservation) -> bool:
    match one:
        case SystemCall():
            return bool(one.inode or one.made)
        case Packet():
            return decode(one.data).protocol == "tcp"
        case SocketState() | PacketDropped() | Reset() | SocketError() | ProcessExecuted() | ProcessExited() | DescriptorSeen():
            return True
    return False


def main() -> int:
    lacking = [name for name in ("nginx", "curl") if shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin") is None]
    if lacking:
        print(f"there is no {' and no '.join(lacking)} here; fix: apt-get install nginx-light curl")
        return 4
    with tempfile.TemporaryDirectory(prefix="netlab-curl-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx' workers are another user
        file = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "timeline.json"
        done = record(folder, file)
        if not file.exists():
            print(done.stderr, end="")
            return done.returncode or 1
        (result,) = loads(file.read_bytes()).scenarios
    timeline = result.timeline
    for line in shortly(timeline):
        print(line)
    print()
    print(done.stderr, end="")
    print()
    missing = [report for report in timeline.sources if report.name in ("packets", "states", "calls") and not report.available]
    if missing:
        print("\n".join(f"INCONCLUSIVE: {report.name}: {report.reason}" for report in missing))
        return 3
    try:
        steps = events(timeline)
    except LookupError as error:
        print(f"FAIL: {error}")
        return 1
    wrong = disorder(timeline, steps)
    print(f"{len(steps)} steps of the request in {len(relations())} relations, in the right order: {'no' if wrong else 'yes'}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
