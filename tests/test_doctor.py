import dataclasses
import json
import os
import platform
import shutil
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from netlab.doctor import Check, Diagnosis, diagnose, told, told_as_json
from netlab.features import FEATURES, supply
from netlab.observe.agreement import Agreement

UNPRIVILEGED = [sys.executable, str(Path(__file__).with_name("unprivileged.py"))]

LACKING = Diagnosis(
    kernel="6.8.0",
    machine="x86_64",
    user=1000,
    tier="C",
    note="",
    checks=(
        Check(
            name="network namespaces",
            available=False,
            level="required",
            needed="building any lab",
            reason="unshare(CLONE_NEWNET) fails: EPERM",
            fix="sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        Check(name="bpf", available=True, level="observer", needed="tier A"),
    ),
)


def test_what_is_missing_is_told_with_the_reason_and_the_command() -> None:
    assert list(told(LACKING)) == [
        "Linux 6.8.0 on x86_64, as user 1000: observation tier C",
        "Needed by every lab:",
        "  no   network namespaces  building any lab",
        "         unshare(CLONE_NEWNET) fails: EPERM",
        "         fix: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        "Observers:",
        "  yes  bpf                 tier A",
        "No lab can be built here.",
    ]


def test_the_same_as_json() -> None:
    found = json.loads("\n".join(told_as_json(LACKING)))
    assert (found["schema"], found["usable"], found["tier"]) == (1, False, "C")
    assert [check["name"] for check in found["checks"]] == ["network namespaces", "bpf"]


def test_the_clocks_are_told_with_what_is_known_of_each() -> None:
    clocks = (
        Agreement(source="packets", samples=200, bound=2104, median=9674, worst=150_013),
        Agreement(source="states", reason="the kernel refused a BPF map\n  fix: run as root"),
    )
    lines = list(told(dataclasses.replace(LACKING, clocks=clocks)))
    assert lines[-6:-1] == [
        "Clocks of the sources, against CLOCK_REALTIME:",
        "  packets: within 2.1 us (a single one of 200 brackets: 9.7 us in the median, 150.0 at worst)",
        "  states: not measured",
        "    the kernel refused a BPF map",
        "    fix: run as root",
    ]
    found = json.loads("\n".join(told_as_json(dataclasses.replace(LACKING, clocks=clocks))))["clocks"]
    assert [(clock["source"], clock["bound"]) for clock in found] == [("packets", 2104), ("states", 0)]


@pytest.mark.netns
@pytest.mark.parametrize("wrapper", [[], UNPRIVILEGED], ids=["as this user", "without root"])
def test_doctor_measures_the_clocks_or_says_why_not(wrapper: list[str]) -> None:
    if wrapper and os.geteuid() != 0:
        pytest.skip("this user is not root anyway")
    done = run([*wrapper, sys.executable, "-m", "netlab", "doctor", "--json"], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    if not found["usable"]:
        pytest.skip("no lab can be built here")
    assert [clock["source"] for clock in found["clocks"]] == ["packets", "states", "calls"]
    for clock in found["clocks"]:
        assert clock["reason"] or 0 < clock["bound"] <= clock["median"] <= clock["worst"], clock
    assert not found["clocks"][0]["reason"]


def test_whatever_is_missing_here_has_a_reason_and_a_fix() -> None:
    for check in diagnose().checks:
        assert check.available == (check.reason == ""), check
        assert check.available == (check.fix == ""), check


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_root_finds_of_unprivileged_namespaces_what_nobody_finds() -> None:
    command = [sys.executable, str(Path(__file__).with_name("unprivileged.py")), sys.executable, "-m", "netlab", "doctor", "--json"]
    given = run(command, capture_output=True, text=True, check=False)
    nobody = {check["name"]: check for check in json.loads(given.stdout)["checks"]}
    root = {check.name: check for check in diagnose().checks}
    assert nobody["unprivileged user namespaces"]["available"] == root["unprivileged user namespaces"].available
    assert nobody["network namespaces"]["available"] == nobody["unprivileged user namespaces"]["available"]
    assert not nobody["root"]["available"]


def checks_after(first: str, *wrapper: str) -> tuple[dict[str, dict[str, Any]], bool]:
    """What doctor finds in a process that first does something to itself, and whether labs can be built there."""
    program = f"{first}\nfrom netlab.doctor import diagnose, told_as_json\nprint('\\n'.join(told_as_json(diagnose())))"
    done = run([*wrapper, sys.executable, "-c", program], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {check["name"]: check for check in found["checks"]}, found["usable"]


@pytest.mark.netns
@pytest.mark.skipif(not shutil.which("tc"), reason="no program tc on the PATH (apt-get install iproute2)")
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("veth", "ip link add x type veth peer y"),
        ("bridge", "ip link add x type bridge"),
        ("bridge vlan filtering", "ip link add x type bridge vlan_filtering 1"),
        ("802.1q", "ip link add x type veth peer y && ip link add link x name z type vlan id 10"),
        ("vxlan", "ip link add x type vxlan id 42 dstport 4789"),
        ("vrf", "ip link add x type vrf table 10"),
        ("netem", "tc qdisc add dev lo root netem delay 1ms"),
        ("tbf", "tc qdisc add dev lo root tbf rate 1mbit burst 2kb limit 10000"),
        (
            "nftables ingress",
            "nft 'table netdev t { counter c { }; chain f { type filter hook ingress device lo priority 0; "
            'numgen inc mod 2 0 counter name "c" fwd to lo; }; }\'',
        ),
    ],
)
def test_a_feature_of_the_kernel_is_there_when_other_tools_can_use_it(name: str, command: str) -> None:
    there = run(["unshare", "--map-root-user", "--net", "sh", "-c", command], capture_output=True, check=False).returncode == 0
    assert {check.name: check.available for check in diagnose().checks}[name] == there


@pytest.mark.netns
def test_where_no_namespace_can_be_made_nothing_is_there_and_the_fix_is_that_of_namespaces() -> None:
    forbid = "open('/proc/sys/user/max_net_namespaces', 'w').write('0')"
    checks, usable = checks_after(forbid, "unshare", "--user", "--map-root-user")
    assert not usable
    assert not any(checks[feature.name]["available"] for feature in FEATURES)
    assert {checks[feature.name]["fix"] for feature in FEATURES} == {checks["network namespaces"]["fix"]}
    assert checks["namespaces at once"]["reason"] == "user.max_net_namespaces is 0"


def test_a_low_limit_of_open_files_is_told() -> None:
    checks, _ = checks_after("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))")
    assert checks["open files"]["reason"] == "a process may have 1024 (RLIMIT_NOFILE)"
    assert checks["open files"]["fix"].startswith("sudo prlimit --pid $$ --nofile=65536;")


def test_a_program_that_is_not_there_has_its_package_for_a_fix(tmp_path: Path) -> None:
    checks, _ = checks_after(f"import os; os.environ['PATH'] = {str(tmp_path)!r}")
    elsewhere = shutil.which("nft", path="/usr/local/sbin:/usr/sbin:/sbin")
    wanted = f"export PATH=$PATH:{os.path.dirname(elsewhere)}" if elsewhere else "apt-get install nftables"
    assert (checks["nft"]["available"], checks["nft"]["fix"]) == (False, wanted)
    assert (checks["nftables nat"]["available"], checks["nftables nat"]["fix"]) == (False, wanted)
    assert checks["tshark"]["fix"] == "apt-get install tshark"


def test_what_supplies_a_feature_depends_on_the_modules_that_lie_there(tmp_path: Path) -> None:
    features = {feature.name: feature for feature in FEATURES}
    unknown = "the kernel refuses it: ENOENT (Specified qdisc kind is unknown)"
    assert supply(features["netem"], unknown, modules=tmp_path) == "boot a kernel with CONFIG_NET_SCH_NETEM"
    folder = tmp_path / platform.release()
    folder.mkdir()
    (folder / "modules.dep").write_text("kernel/sched/sch_netem.ko.zst:\nkernel/nft_chain_nat.ko: a.ko\nnft-masq.ko.xz:\n")
    assert supply(features["netem"], unknown, modules=tmp_path) == "sudo modprobe sch_netem"
    assert supply(features["nftables nat"], "nft: no", modules=tmp_path) == "sudo modprobe -a nft_chain_nat nft_masq"
    assert "boot a kernel with CONFIG_NET_VRF" in supply(features["vrf"], unknown, modules=tmp_path)
    refused = "socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) fails: ENOPROTOOPT"
    assert supply(features["mptcp"], refused, modules=tmp_path) == "sudo sysctl -w net.mptcp.enabled=1"
