"""A lab that is built as it was built before is the same lab, told the same way, by root and without root's rights."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from labs import UNPRIVILEGED, name, netlab

from netlab.cache import keep, recall

pytestmark = pytest.mark.netns

# The command line; on standard error, what it took to read a topology and plan it.
MAIN = """\
import sys, netlab.cli
try:
    netlab.cli.main()
finally:
    heavy = {'yaml', 'pydantic', 'pyroute2', 'msgspec', 'ipaddress', 'pathlib', 'netlab.topology.spec', 'netlab.topology.load'}
    print(*sorted(heavy & set(sys.modules)), file=sys.stderr)
"""

# Builds the lab of files and takes it down, twice; prints what was told and how each node looked from inside.
TWICE = """\
import json, pathlib, subprocess, sys, tempfile
main, state, files, name, *nodes = sys.argv[1:]
def ran(*argv):
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr
def netlab(*argv):
    status, out, error = ran("-m", "netlab", *argv)
    assert status == 0, error
    return out
told = []
with tempfile.TemporaryDirectory() as folder:
    for file, text in json.loads(files).items():
        pathlib.Path(folder, file).write_text(text)
    for _ in range(2):
        up = ran("-c", main, "up", f"{folder}/net.yaml", "--name", name, "--set", "mtu=1400")
        listed = netlab("ls", name, "--json")
        inside = {node: netlab("exec", "--lab", name, node, "--", "sh", "-c", state) for node in nodes}
        told.append({"up": up, "listed": json.loads(listed), "inside": inside, "down": netlab("down", name)})
print(json.dumps(told))
"""

# In lines that may come in any order: the kernel's objects, sysctls, and what programs see.
STATE = """\
set -e
for what in 'addr' '-4 route show table all' '-6 route show table all' '-4 rule' '-6 rule' 'neigh show nud permanent' \
    '-d link show type vxlan'
do ip -j $what | sed 's/},{"/},\\n{"/g'; done
cat /proc/sys/net/ipv4/tcp_syn_retries /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/eth0/rp_filter
cat /etc/hosts; cat /etc/resolv.conf; cat /etc/motd; hostname; echo "$LANG"
for each in /sys/class/net/*/bridge/stp_state; do echo "$each"; done
"""

BASE = "# What others include.\nvars: {mtu: 1300}\nnodes:\n  s: {kind: switch}\n"
NETWORK = """\
# Some of everything that is remembered.
include: [base.yaml]
nodes:
  h: {count: 2, env: {LANG: xx}}
  r: {kind: router, sysctls: {net.ipv4.tcp_syn_retries: 1, net.ipv4.conf.eth0.rp_filter: 1}}
  far:
    files: {/etc/motd: {from: motd}}
    resolv: {nameservers: [10.0.0.1]}
    names: {printer.example: 10.0.0.77}
    routes: [auto, {to: 10.8.0.0/16, kind: blackhole}]
    rules: [{from: 10.0.0.0/8, table: 100, priority: 1000}]
  p: {kind: peer}
links:
  - endpoints: [h, s]
  - endpoints: [s, r]
  - {endpoints: [r, far], mtu: "${mtu}", mac: {far: "02:00:00:00:00:77"}}
  - {endpoints: [far, p], state: down}
overlays:
  - {name: blue, kind: vxlan, vni: 42, nodes: [h, far], over: 4}
"""
FILES = {"net.yaml": NETWORK, "base.yaml": BASE, "motd": "hello\n"}
NODES = ("h1", "h2", "r", "far", "s")
BRIDGE_STATE = re.compile(r'(?<="ifname":"br0",).*"operstate":"[A-Z]+"')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of topologies; what is remembered of them is this test's alone."""
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = tmp_path / "nets"
    made.mkdir()
    for file, text in FILES.items():
        (made / file).write_text(text)
    return made


def entries(folder: Path) -> list[Path]:
    return list((folder.parent / "cache").rglob("*/labs/*"))


def up(*arguments: object) -> tuple[str, bool]:
    """What ``up`` says of a lab, which is taken down again, and whether it was built as before."""
    called = name()
    command = [sys.executable, "-c", MAIN, "up", *map(str, arguments), "--name", called]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        assert netlab("down", called).returncode == 0
    else:
        assert "no lab" in netlab("down", called).stderr
    return without_usage((done.stdout or done.stderr).replace(called, "NAME")), done.stderr == "\n"


def without_usage(told: str) -> str:
    """Without the lines on how to enter it, which name the lab where others stay, as those of other tests do."""
    return "\n".join(line for line in told.splitlines() if "netlab-ns" not in line)


def same(told: dict[str, Any]) -> dict[str, Any]:
    """What of a lab does not change from one to the next."""
    (listed,) = told["listed"]
    unique = {key: listed.pop(key) for key in ("id", "since", "pid")}
    assert all(unique.values())
    # the kernel looks at a bridge's own carrier when it finds time
    lines = {node: BRIDGE_STATE.sub("", text).splitlines() for node, text in told["inside"].items()}
    inside = {node: sorted(line.strip("[],") for line in each) for node, each in lines.items()}
    return {**told, "listed": listed, "inside": inside, "up": without_usage(told["up"][1])}


@pytest.mark.parametrize("rootless", [False, True], ids=["", "rootless"])
@pytest.mark.usefixtures("folder")
def test_the_second_lab_is_like_the_first(rootless: bool) -> None:
    call = [sys.executable, "-c", TWICE, MAIN, STATE, json.dumps(FILES), name(), *NODES]
    done = subprocess.run([*(UNPRIVILEGED if rootless else []), *call], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert "netlab.topology.load" in first["up"][2]
    assert second["up"][2] == "\n"  # nothing read, nothing planned
    assert same(first) == same(second)
    assert (first["up"][0], second["up"][0]) == (0, 0)
    far = first["inside"]["far"]
    assert all(word in far for word in ("hello", "printer.example", "02:00:00:00:00:77", "1400", "blackhole", "blue"))


class TestChanged:
    def test_the_file(self, folder: Path) -> None:
        net = folder / "net.yaml"
        before, first = up(net)
        again, second = up(net)
        assert (first, second, again) == (False, True, before)
        net.write_text(NETWORK.replace("count: 2", "count: 3"))
        after, third = up(net)
        assert (third, "  h3 " in before, "  h3 " in after) == (False, False, True)

    def test_a_file_that_it_includes(self, folder: Path) -> None:
        before, _ = up(folder / "net.yaml")
        (folder / "base.yaml").write_text(BASE + "  more: {}\n")
        after, as_before = up(folder / "net.yaml")
        assert (as_before, "  more " in before, "  more " in after) == (False, False, True)

    def test_a_file_that_a_node_has_a_copy_of(self, folder: Path) -> None:
        assert [up(folder / "net.yaml")[1] for _ in range(2)] == [False, True]
        (folder / "motd").write_text("servus\n")
        called = name()
        assert netlab("up", folder / "net.yaml", "--name", called).returncode == 0
        try:
            assert netlab("exec", "--lab", called, "far", "--", "cat", "/etc/motd").stdout == "servus\n"
        finally:
            netlab("down", called)

    def test_an_included_file_that_was_another_name_of_one_that_was_read(self, folder: Path) -> None:
        (folder / "net.yaml").write_text("include: [base.yaml, other.yaml]\nnodes:\n  a: {}\nlinks:\n  - endpoints: [a, s]\n")
        (folder / "other.yaml").symlink_to("base.yaml")
        assert [up(folder / "net.yaml")[1] for _ in range(2)] == [False, True]
        (folder / "other.yaml").unlink()
        (folder / "other.yaml").write_text("nodes:\n  b: {}\n")
        after, as_before = up(folder / "net.yaml")
        assert (as_before, "  b " in after) == (False, True)

    def test_settings(self, folder: Path) -> None:
        assert up(folder / "net.yaml", "--set", "mtu=1400")[1] is False
        assert up(folder / "net.yaml", "--set", "mtu=1400")[1] is True
        assert up(folder / "net.yaml", "--set", "mtu=1401")[1] is False
        assert up(folder / "net.yaml")[1] is False
        assert "this must be a whole number" in up(folder / "net.yaml", "--set", "mtu=x")[0]

    def test_the_name_by_which_the_file_is_found(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder.parent)
        folder.rename(folder.parent / "topologies")
        (folder.parent / "net.yaml").write_text("nodes:\n  alone: {}\n")
        named, _ = up("net")
        beside, as_before = up("net.yaml")
        assert (as_before, "  far " in named, "  alone " in beside) == (False, True, True)


class TestNotRemembered:
    @pytest.mark.parametrize(
        "wrong",
        ["nodes: {a: {}, b: {x: 1}}", "nodes: {a: {sysctls: {net.ipv4.no_such_thing: 1}}}", "nodes: [", "include: [no.yaml]"],
    )
    def test_what_could_not_be_read_or_built(self, folder: Path, wrong: str) -> None:
        (folder / "net.yaml").write_text(f"{wrong}\n")
        before = netlab("up", folder / "net.yaml")
        again = netlab("up", folder / "net.yaml")
        assert before.returncode in (2, 4)
        assert (again.returncode, again.stdout, again.stderr) == (before.returncode, "", before.stderr)
        assert entries(folder) == []

    @pytest.mark.parametrize(
        "more",
        [
            "nodes: {a: {start: [touch /tmp]}, b: {}}",
            "nodes: {a: {firewall: {input: [accept]}}, b: {}}",
            "nodes: {a: {}, b: {}}\nlinks: [{endpoints: [a, b], impair: {a->b: {rate: 10mbit}}}]",
        ],
        ids=["a command", "a ruleset", "a shape"],
    )
    def test_what_is_done_to_a_network_once_it_is_there(self, folder: Path, more: str) -> None:
        (folder / "net.yaml").write_text(f"{more}\n")
        for _ in range(2):
            told, as_before = up(folder / "net.yaml")
            if "this machine cannot do it" in told:
                pytest.skip(told)
            assert (told.splitlines()[0].startswith("NAME: 2 nodes"), as_before) == (True, False)
        assert entries(folder) == []


class TestNotAsBefore:
    @pytest.mark.parametrize("how", ["another sysctl", "refused", "no such program"])
    def test_it_is_built_anew(self, folder: Path, how: str) -> None:
        net = str(folder / "net.yaml")
        before, _ = up(net)
        sources = {str(folder / each): text.encode() for each, text in FILES.items()}
        entry = recall(net, {})
        damages: dict[str, dict[str, Any]] = {
            "another sysctl": {"unset": [("net.ipv4.tcp_syn_retries", "1", 13)]},
            "refused": {"program": {**entry["program"], "wires": [(*entry["program"]["wires"][0][:-1], 1 << 30)]}},
            "no such program": {"program": {**entry["program"], "late": [(0, [("net.ipv4.conf.nothing.rp_filter", "1")])]}},
        }
        keep(net, {}, sources, {**entry, **damages[how]})
        assert up(net) == (before, False)
        assert up(net) == (before, True)

    def test_a_cache_of_another_user_is_none(self, folder: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("needs root, to give a folder to another user")
        assert [up(folder / "net.yaml")[1] for _ in range(2)] == [False, True]
        (entry,) = entries(folder)
        os.chown(entry.parent, 65534, 65534)
        assert [up(folder / "net.yaml")[1] for _ in range(2)] == [False, False]

    def test_garbage_is_none(self, folder: Path) -> None:
        before, _ = up(folder / "net.yaml")
        (entry,) = entries(folder)
        entry.write_bytes(os.urandom(1000))
        assert up(folder / "net.yaml") == (before, False)
        assert up(folder / "net.yaml") == (before, True)
