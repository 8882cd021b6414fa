"""A program is carried out as it stands or not at all: what the kernel refuses is told in its words, and nothing is left of it."""

import errno
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
from networks import HERE, end, node, one_host, two_hosts

from netlab.errors import HostError, LabError, SpecError
from netlab.lab import build, messages, namespaces
from netlab.lab.keeper import Keeper
from netlab.lab.lab import Lab
from netlab.lab.program import Program, program_of
from netlab.topology.plan import plan
from netlab.topology.spec import Link, Route, Topology

pytestmark = pytest.mark.netns

TESTS = Path(__file__).parent.parent
STAYS = pytest.mark.parametrize("stay", [False, True], ids=["held", "kept"])  # by this process, where it may; by the keeper
no_root = pytest.mark.skipif(os.geteuid() != 0, reason="without root every namespace is the keeper's")


def open_now() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No descriptor, no thread, and this one where it was."""
    threads, home = set(threading.enumerate()), os.readlink("/proc/thread-self/ns/net")
    before = open_now()
    yield
    deadline = time.monotonic() + 10
    while set(threading.enumerate()) - threads and time.monotonic() < deadline:
        select.select([], [], [], 0.002)
    assert set(threading.enumerate()) == threads
    assert os.readlink("/proc/thread-self/ns/net") == home
    assert open_now() == before


def linked(**fields: Any) -> Topology:
    topology = two_hosts()
    return replace(topology, links=(replace(topology.links[0], **fields),))


def with_client(topology: Topology, **fields: Any) -> Topology:
    return replace(topology, nodes=(replace(topology.nodes[0], **fields), *topology.nodes[1:]))


UNREACHABLE = Route(destination=ip_network("10.9.0.0/16"), via=ip_address("10.7.0.1"), interface="eth0", place=HERE)
TWICE = end("client", "10.0.0.1/24", "10.0.0.1/24")


@STAYS
@pytest.mark.parametrize(
    ("topology", "told"),
    [
        (linked(mtu=70_000), "client: the kernel refused: veth eth0: Invalid argument"),
        (
            with_client(two_hosts(), routes=(UNREACHABLE,)),
            "client: the kernel refused: route 10.9.0.0/16 via 10.7.0.1 on eth0: Network is unreachable: Nexthop has inv",
        ),
        (
            linked(endpoints=(TWICE, end("server", "10.0.0.2/24"))),
            "client: the kernel refused: address 10.0.0.1/24 on eth0: File exists",
        ),
    ],
    ids=["device", "route", "address"],
)
def test_a_refusal_is_told_in_the_kernels_words(nothing_left: None, topology: Topology, told: str, stay: bool) -> None:
    with pytest.raises(LabError) as error, Lab(topology, stay=stay):
        pass
    assert str(error.value).startswith(told)


@contextmanager
def carried_out(program: Program, *, stay: bool) -> Iterator[None]:
    keeper = Keeper.begin()
    with keeper:
        held = namespaces.made(program, lambda: keeper, stay=stay)
        try:
            yield
        finally:
            held.close()


@STAYS
def test_a_device_of_a_kind_that_the_kernel_lacks_is_this_machines_fault(nothing_left: None, stay: bool) -> None:
    program = program_of(plan(one_host()))
    unknown = messages.bridge("br0", 9, stp=False, vlan_filtering=False).replace(b"bridge", b"nobody")
    program.spaces[0][1].append(unknown)
    told = "^host: the kernel refused: nobody br0: Operation not supported"
    with pytest.raises(HostError, match=told) as error, carried_out(program, stay=stay):
        pass
    assert "doctor" in error.value.fix


@STAYS
def test_an_interface_that_does_not_come_up_is_named(nothing_left: None, monkeypatch: pytest.MonkeyPatch, stay: bool) -> None:
    monkeypatch.setattr(namespaces, "READY_WITHIN", 0.05)
    program = program_of(plan(linked(up=False)))
    program.ready.append((1, (3,)))
    with pytest.raises(LabError, match=r"did not come up within .* s: eth0 of server$"), carried_out(program, stay=stay):
        pass


def test_a_keeper_in_which_a_program_failed_holds_no_more_than_before() -> None:
    with Keeper.start() as keeper:
        keeper.ask("build", program=program_of(plan(one_host())).plain(), within=5.0)  # imports what it takes
        outer = keeper.pid
        inner = int(Path(f"/proc/{outer}/task/{outer}/children").read_text())
        before = os.listdir(f"/proc/{inner}/fd")
        wanted = program_of(plan(linked(mtu=70_000))).plain()
        for _ in range(3):
            reply, _ = keeper.ask("build", program=wanted, within=5.0)
            assert reply["refused"][0] == errno.EINVAL
        assert sorted(os.listdir(f"/proc/{inner}/fd")) == sorted(before)


class RingError(Exception):
    """What the handler of an alarm raises, as that of Ctrl-C raises KeyboardInterrupt."""


@contextmanager
def alarms() -> Iterator[Callable[[float], None]]:
    """A function that has this thread interrupted after so many seconds."""

    def ring(*_: object) -> None:
        raise RingError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def star(hosts: int) -> Topology:
    names = [f"h{number}" for number in range(hosts)]
    links = [
        Link(endpoints=(end(name, f"10.0.{i >> 8}.{i & 255}/16"), end("s", interface=f"eth{i}")), subnets=(), place=HERE)
        for i, name in enumerate(names, 1)
    ]
    return Topology(name="star", nodes=(node("s", "switch"), *map(node, names)), links=tuple(links), place=HERE)


# An interruption in the middle of subprocess.Popen leaves an object that nobody has; its process ends by itself, since its owner's
# socket is closed, and Python says so when the object goes.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("after", [0.005, 0.02, 0.05])
def test_who_is_interrupted_while_a_lab_is_built_leaves_nothing(nothing_left: None, after: float) -> None:
    lab, interrupted = Lab(star(100)), False
    with alarms() as alarm:
        try:
            alarm(after)
            with lab:
                alarm(0.000001)
                select.select([], [], [], 10)
        except RingError:
            interrupted = True
    assert interrupted


@contextmanager
def nothing_kept() -> Iterator[None]:
    """Descriptors that came from the keeper, and nobody got any more, are closed."""
    before = open_now()
    yield
    for fd in open_now() - before:
        with suppress(OSError):
            os.close(int(fd))


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_never_leaves_a_thread_in_a_node_nor_an_answer_to_another_request() -> None:
    home = os.readlink("/proc/thread-self/ns/net")
    with Lab(two_hosts()) as lab, alarms() as alarm, nothing_kept():
        cookies = {name: struct.pack("=Q", lab[name].space.cookie) for name in ("client", "server")}
        interrupted, deadline = 0, time.monotonic() + 1.5
        while time.monotonic() < deadline:
            with suppress(RingError):
                try:
                    alarm(0.000001 * (1 + interrupted % 60))
                    for _ in range(20):
                        for name in cookies:
                            lab[name].socket().close()
                except RingError:
                    interrupted += 1
                alarm(0)
            assert os.readlink("/proc/thread-self/ns/net") == home
            for name, cookie in cookies.items():
                with lab[name].socket() as made:
                    assert made.getsockopt(socket.SOL_SOCKET, build.SO_NETNS_COOKIE, 8) == cookie
        assert interrupted > 100


@pytest.mark.parametrize(("count", "wrong"), [(1, 0), (2, 0), (2, 1), (64, 0), (64, 63), (65, 64), (130, 7), (130, 100)])
def test_the_first_refusal_of_many_messages_is_told_and_no_answer_is_left_over(count: int, wrong: int) -> None:
    wanted = [messages.address(ip_interface(f"10.{number}.0.1/24"), 1) for number in range(count)]
    wanted[wrong] = messages.address(ip_interface("10.255.0.1/24"), 77)
    with alone() as space:
        with pytest.raises(build.RefusedError) as refused:
            build.exchange(space.route, wanted)
        assert (refused.value.number, refused.value.message[16:]) == (errno.ENODEV, wanted[wrong][16:])
        build.exchange(space.route, [messages.up(1)])


def test_every_message_may_be_refused() -> None:
    """So many answers fit into the socket's buffer."""
    with alone() as space:
        for _ in range(3):
            with pytest.raises(build.RefusedError) as refused:
                build.exchange(space.route, [messages.address(ip_interface("fd00::1/64"), number) for number in range(70, 170)])
            assert refused.value.number == errno.ENODEV
            assert refused.value.message == messages.address(ip_interface("fd00::1/64"), 70)


@contextmanager
def alone() -> Iterator[build.Space]:
    """A namespace of its own, made by a thread; without root in a process of its own, where that is all that runs."""
    made: list[build.Space] = []

    def make() -> None:
        with suppress(OSError):
            made.append(build.Space())

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not made:
        pytest.skip("without root a thread can make no namespace: tried through the keeper elsewhere")
    try:
        yield made[0]
    finally:
        made[0].close()


def shown(lab: Lab, name: str, key: str) -> str:
    path = "/proc/sys/" + key.replace(".", "/")
    return str(lab[name].run(["cat", path], capture_output=True, text=True, check=True).stdout.strip())


@STAYS
def test_a_sysctl_holds_though_an_earlier_one_changes_it_too(stay: bool) -> None:
    """To forward makes the kernel ignore redirects, which it accepts at first."""
    asked = (("net.ipv4.ip_forward", "1"), ("net.ipv4.conf.all.accept_redirects", "1"))
    topology = two_hosts()
    with Lab(replace(topology, nodes=tuple(replace(one, sysctls=asked) for one in topology.nodes)), stay=stay) as lab:
        for name in ("client", "server"):
            assert [shown(lab, name, key) for key, _ in asked] == ["1", "1"]


@STAYS
def test_the_node_whose_sysctl_cannot_be_set_is_named(stay: bool) -> None:
    key = "net.ipv4.tcp_congestion_control"
    nodes = (node("client", **{key: "reno"}), node("server", **{key: "nobodys"}))
    with pytest.raises(HostError, match=rf"^server: sysctl {key} = nobodys: "), Lab(replace(two_hosts(), nodes=nodes), stay=stay):
        pass


@STAYS
def test_a_value_that_the_kernel_does_not_take_is_the_topologys_fault(stay: bool) -> None:
    nodes = (node("client"), node("server", **{"net.ipv4.tcp_syn_retries": "1000"}))
    told = r"^<test>:1:1: server: sysctl net\.ipv4\.tcp_syn_retries = 1000: the kernel does not take this value"
    with pytest.raises(SpecError, match=told), Lab(replace(two_hosts(), nodes=nodes), stay=stay):
        pass


@STAYS
def test_an_interfaces_sysctl_that_is_not_there_is_told_with_its_node(stay: bool) -> None:
    nodes = (node("client", **{"net.ipv4.conf.eth0.nonsense": "1"}), node("server"))
    told = r"^client: sysctl net\.ipv4\.conf\.eth0\.nonsense = 1: No such file"
    with pytest.raises(HostError, match=told), Lab(replace(two_hosts(), nodes=nodes), stay=stay):
        pass


def script(text: str) -> "subprocess.CompletedProcess[str]":
    """A program of its own, with what these tests have."""
    prelude = f"import sys; sys.path[:0] = [{str(TESTS.parent)!r}, {str(TESTS)!r}, {str(Path(__file__).parent)!r}]\n"
    return subprocess.run([sys.executable, "-W", "error", "-c", prelude + text], capture_output=True, text=True, check=False)


READ_ONLY = """
from networks import node, one_host, HERE
from netlab.errors import HostError
from netlab.lab.lab import Lab
from netlab.lab.syscalls import *
from netlab.topology.spec import Topology
unshare(CLONE_NEWNS, "unshare")
mount("none", "/", "none", MS_REC | MS_PRIVATE)
mount("/proc/sys", "/proc/sys", "none", MS_BIND)
mount("none", "/proc/sys", "none", MS_BIND | 1 | 32)  # MS_RDONLY, MS_REMOUNT
with Lab(one_host()) as lab:
    print("sysctl net.ipv4.tcp_no_metrics_save is not set (EROFS)" in lab.shortfalls)
try:
    with Lab(Topology(name="x", nodes=(node("router", "router"),), links=(), place=HERE)):
        print("forwards")
except HostError as error:
    print(error.lacks)
"""


@no_root
def test_where_sysctls_cannot_be_set_a_host_does_without_and_a_router_does_not() -> None:
    done = script(READ_ONLY)
    told, refused = done.stdout.splitlines()
    assert (told, done.stderr) == ("True", "")
    # A new namespace forwards IPv4 from the start where the machine does (net.core.devconf_inherit_init_net).
    first = "net.ipv6.conf.all.forwarding" if Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n" else "net.ipv4.ip_forward"
    assert refused == f"router cannot forward: sysctl {first}: Read-only file system"


FEW_FILES = """
import resource
from test_build import star
from netlab.errors import HostError
from netlab.lab.lab import Lab
soft = lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0]
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
with Lab(star(60)) as one:
    with Lab(star(120)) as other:
        print(len([node.socket() for node in (*one.nodes.values(), *other.nodes.values())]) if soft() > 64 else "held elsewhere")
    print(one["h1"].run(["true"]).returncode)
print(soft())
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 100))
try:
    with Lab(star(60)):
        pass
except HostError as error:
    print(error.lacks.partition(",")[0][-10:], error.fix[:6])
"""


def test_a_lab_may_have_more_descriptors_than_its_process_had() -> None:
    done = script(f"import warnings; warnings.simplefilter('ignore', ResourceWarning)\n{FEW_FILES}")
    words = done.stdout.splitlines()
    assert done.stderr == ""
    if os.geteuid() == 0:
        assert words == ["182", "0", "64", "open files ulimit"]
    else:
        assert words[:3] == ["held elsewhere", "0", "64"]


def test_a_process_that_may_make_no_namespaces_is_told_so() -> None:
    """Where even a user namespace is refused, there is a fix to try; what the kernel said is in it."""
    done = script(
        "import ctypes, os, resource\n"
        "from networks import one_host\nfrom netlab.errors import HostError\nfrom netlab.lab.lab import Lab\n"
        "from netlab.lab.syscalls import *\n"
        "unshare(CLONE_NEWUSER, 'unshare')\n"  # no user is mapped here, and who is nobody may not make another
        "try:\n    with Lab(one_host()):\n        print('built')\n"
        "except HostError as error:\n    print(error.lacks)\n    print(error.fix[:11])\n"
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[0].startswith("this machine lets us make no namespaces: ")
    assert done.stdout.splitlines()[1] == "run as root"
