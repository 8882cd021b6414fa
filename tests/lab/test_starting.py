"""What nodes do at their start, and what only their programs see."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from networks import HERE, one_host, two_hosts

from netlab.errors import Place, SpecError
from netlab.lab.lab import Lab
from netlab.topology.spec import Command, File, Ready, Topology
from netlab.units import Duration

pytestmark = pytest.mark.netns

LISTENER = (
    "import socket,sys,time; s=socket.socket(); s.bind(('', 8080)); s.listen(); print('ready to serve', flush=True); time.sleep(99)"
)


def command(*argv: str, **options: Any) -> Command:
    return Command(argv=argv, within=options.pop("within", Duration.parse("5s")), place=Place("f.yaml", 3, 7), **options)


def ready(**options: Any) -> Ready:
    return Ready(within=options.pop("within", Duration.parse("5s")), **options)


def host_with(**fields: Any) -> Topology:
    topology = one_host()
    return replace(topology, nodes=(replace(topology.nodes[0], **fields),))


@contextmanager
def started(topology: Topology) -> Iterator[Lab]:
    with Lab(topology) as lab:
        lab.start()
        yield lab


def output(lab: Lab, *argv: str) -> str:
    return str(lab["host"].run(argv, capture_output=True, text=True, check=True).stdout)


def test_files_names_and_resolv_conf_are_seen_by_the_nodes_programs_only(tmp_path: Path) -> None:
    there = tmp_path / "there.conf"
    there.write_text("the machine's own\n")
    files = (
        File(path=str(there), text="the node's\n", mode=0o600, place=HERE),
        File(path=str(tmp_path / "new/deep/file"), text="new\n", mode=0o755, place=HERE),
    )
    with Lab(host_with(files=files, resolv="nameserver 10.0.0.1\n")) as lab:
        assert output(lab, "cat", str(there)) == "the node's\n"
        assert output(lab, "stat", "-c", "%a", str(there)).strip() == "600"
        assert output(lab, "cat", str(tmp_path / "new/deep/file")) == "new\n"
        assert output(lab, "stat", "-c", "%a", str(tmp_path / "new/deep/file")).strip() == "755"
        assert output(lab, "cat", "/etc/resolv.conf") == "nameserver 10.0.0.1\n"
        assert "localhost" in output(lab, "cat", "/etc/hosts")
    assert there.read_text() == "the machine's own\n"
    assert not (tmp_path / "new").exists()


def test_the_environment_of_a_node_is_that_of_its_programs() -> None:
    with Lab(host_with(env=(("COLOUR", "blue"),))) as lab:
        assert output(lab, "sh", "-c", 'echo $COLOUR; test -n "$PATH"') == "blue\n"
        assert lab["host"].run(["sh", "-c", "echo $COLOUR"], env={"PATH": "/bin"}, capture_output=True, text=True).stdout == "\n"


def test_commands_run_in_order_before_the_lab_is_there() -> None:
    start = (
        command("sysctl", "-qw", "net.ipv4.tcp_syn_retries=3"),
        command("sh", "-c", "grep -q 3 /proc/sys/net/ipv4/tcp_syn_retries"),
    )
    with started(host_with(start=start)) as lab:
        assert output(lab, "cat", "/proc/sys/net/ipv4/tcp_syn_retries") == "3\n"


@pytest.mark.parametrize("when", [{"port": 8080}, {"log": "^ready to"}], ids=["port", "log"])
def test_a_program_is_awaited_until_it_is_ready(when: dict[str, Any]) -> None:
    with (
        started(host_with(start=(command("python3", "-c", LISTENER, ready=ready(**when)),))) as lab,
        lab["host"].socket() as client,
    ):
        client.connect(("127.0.0.1", 8080))


def test_what_a_program_of_the_start_said_stays_at_hand() -> None:
    with started(host_with(start=(command("sh", "-c", "echo one; sleep 99", ready=ready(log="one")),))) as lab:
        reply, fds = lab.keeper.ask("logs", node=0)
        assert reply == {"programs": ["sh -c echo one; sleep 99"]}
        with open(fds[0], "rb") as log:
            assert log.read() == b"one\n"


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (command("no-such-program"), "f.yaml:3:7: host: no-such-program: No such file or directory"),
        (command("sh", "-c", "echo oops; exit 3"), r"f.yaml:3:7: host: sh -c .* ended with status 3; it said:\noops"),
        (command("sleep", "99", within=Duration.parse("20ms")), "sleep 99 did not end within 20ms; give it more time"),
        (command("sh", "-c", "exit 1", ready=ready(port=80)), r"ended with status 1 before it was ready \(tcp port 80\)"),
        (
            command("sh", "-c", "echo no; sleep 99", ready=ready(log="yes", within=Duration.parse("50ms"))),
            r"was not ready \(a line with 'yes'\) within 50ms; it said:\nno",
        ),
    ],
    ids=["missing", "fails", "stays", "ends", "not-ready"],
)
def test_a_start_that_fails_is_an_error_at_its_place_and_leaves_nothing(start: Command, message: str) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(SpecError) as told, started(host_with(start=(start,))):
        pass
    assert re.search(message, str(told.value)), str(told.value)
    assert set(os.listdir("/proc/self/fd")) == before


def test_an_interface_s_sysctl_is_set_once_the_interface_is_there() -> None:
    topology = two_hosts()
    client = replace(topology.nodes[0], sysctls=(("net.ipv4.conf.eth0.rp_filter", "2"),))
    with Lab(replace(topology, nodes=(client, *topology.nodes[1:]))) as lab:
        shown = lab["client"].run(["cat", "/proc/sys/net/ipv4/conf/eth0/rp_filter"], capture_output=True, text=True)
        assert shown.stdout == "2\n"
