import json
import os
import sys
from pathlib import Path
from subprocess import run

import pytest

from netlab.doctor import Check, Diagnosis, diagnose, told, told_as_json

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
