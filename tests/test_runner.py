"""What kind of runner this is, by trees of files and environments as runners have them, and what is advised there."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from netlab.diagnosis import Check, Diagnosis
from netlab.runner import Cgroup, Runner, look
from netlab.runner_advice import advice, told, told_as_json

HOSTED = {
    "etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.2 LTS"\n',
    "proc/self/status": "Name:\tpython\nCapEff:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n",
    "proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n",
    "sys/module/apparmor/parameters/enabled": "Y\n",
    "proc/self/attr/apparmor/current": "unconfined\n",
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu hypervisor lahf_lm\n",
    "sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n",
    "sys/class/dmi/id/product_name": "Virtual Machine\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
    "proc/self/cgroup": "0::/system.slice/hosted.service\n",
    "sys/fs/cgroup/system.slice/memory.max": "max\n",
    "sys/fs/cgroup/system.slice/hosted.service/pids.max": "19143\n",
}
"""As a machine of GitHub's with Ubuntu 24.04 has them."""

CONTAINED = {
    ".dockerenv": "",
    "proc/self/status": "CapEff:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2\n",
    "sys/module/apparmor/parameters/enabled": "Y\n",
    "proc/self/attr/current": "docker-default (enforce)\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
    "proc/self/cgroup": "0::/../../outside\n",
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/memory.max": "2147483648\n",
    "sys/fs/cgroup/pids.max": "max\n",
}
"""As root in a container of Docker's, with its own capabilities."""

DENIED = Diagnosis(
    kernel="6.11.0",
    machine="x86_64",
    user=1001,
    tier="C",
    note="",
    checks=(
        Check(
            name="network namespaces",
            available=False,
            level="required",
            needed="building any lab",
            reason="unshare(CLONE_NEWUSER) fails: EPERM",
            fix="sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or sudo netlab-ns",
        ),
        Check(
            name="veth", available=False, level="required", needed="every link", reason="no namespace to try it in", fix="the same"
        ),
        Check(
            name="unprivileged user namespaces", available=False, level="optional", needed="labs", reason="EPERM", fix="the same"
        ),
    ),
)
USABLE = dataclasses.replace(
    DENIED, checks=(dataclasses.replace(DENIED.checks[0], available=True, reason="", fix=""), *DENIED.checks[2:])
)


def made(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


GITHUB = {"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_ENVIRONMENT": "github-hosted"}


def test_a_hosted_runner_of_github(tmp_path: Path) -> None:
    assert look(GITHUB, made(tmp_path, HOSTED)) == Runner(
        ci="GitHub Actions",
        hosted="github-hosted",
        system="Ubuntu 24.04.2 LTS",
        container="",
        virtual="Microsoft Corporation Virtual Machine",
        apparmor="unconfined",
        restricted=True,
        seccomp="none",
        no_new_privileges=False,
        capabilities=frozenset(),
        cgroup=Cgroup(version=2, processes=19143),
    )


def test_a_container_of_docker(tmp_path: Path) -> None:
    runner = look({"GITLAB_CI": "true", "CI": "true"}, made(tmp_path, CONTAINED))
    assert (runner.ci, runner.container, runner.virtual) == ("GitLab CI", "Docker (there is a file /.dockerenv)", "")
    assert (runner.apparmor, runner.restricted, runner.seccomp) == ("docker-default (enforce)", False, "a filter")
    assert {"net_raw", "sys_chroot", "mknod"} <= runner.capabilities
    assert not runner.capabilities & {"sys_admin", "net_admin"}
    assert runner.cgroup == Cgroup(version=2, cpus=1.5, memory=2 << 30)


def test_where_nothing_can_be_read_nothing_is_claimed(tmp_path: Path) -> None:
    assert look({}, tmp_path) == Runner(
        ci="", hosted="", system="", container="", virtual="", apparmor="", restricted=False, seccomp="", no_new_privileges=False,
        capabilities=frozenset(), cgroup=Cgroup(version=0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"CI": "true"}, "a CI that this netlab does not know"),
        ({"CI": "false"}, ""),
        ({"CI": "woodpecker"}, "Woodpecker CI"),
        ({"CI": "true", "GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true"}, "Gitea or Forgejo Actions"),
        ({"JENKINS_URL": "https://ci.example/"}, "Jenkins"),
        ({"TF_BUILD": "True"}, "Azure Pipelines"),
    ],
)
def test_which_ci_it_is(environment: dict[str, str], name: str, tmp_path: Path) -> None:
    assert look(environment, tmp_path).ci == name


def test_on_github_the_restriction_is_lifted_by_a_step(tmp_path: Path) -> None:
    (one,) = advice(look(GITHUB, made(tmp_path, HOSTED)), DENIED)
    assert one.lines == ("- run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",)
    assert one.where == "In the workflow, before the step that runs netlab-ns"


def test_in_a_container_it_is_the_machine_below_that_must_lift_it(tmp_path: Path) -> None:
    files = {**CONTAINED, "proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1"}
    below, container = advice(look({"GITLAB_CI": "true"}, made(tmp_path, files)), DENIED)
    assert below.where == "On that machine, once"
    assert container.lines == ("[runners.docker]", '  security_opt = ["seccomp:unconfined", "apparmor:unconfined"]')


def test_a_container_anywhere_gets_both_command_lines(tmp_path: Path) -> None:
    (one,) = advice(look({}, made(tmp_path, CONTAINED)), DENIED)
    assert [line.split(" --")[0] for line in one.lines] == ["docker run", "docker run"]
    assert "--cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add NET_RAW" in one.lines[1]


def test_anything_else_is_advised_as_the_doctor_does(tmp_path: Path) -> None:
    reno = Check(name="reno", available=False, level="required", needed="x", reason="not allowed", fix="sudo sysctl -w x=reno")
    lacking = dataclasses.replace(USABLE, checks=(*USABLE.checks, reno))
    (one,) = advice(look({"GITLAB_CI": "true"}, tmp_path), lacking)
    assert (one.why, one.lines) == ("reno: not allowed", ("before_script:", "  - sudo sysctl -w x=reno"))


def test_the_whole_of_what_is_told(tmp_path: Path) -> None:
    assert list(told(look(GITHUB, made(tmp_path, HOSTED)), DENIED)) == [
        "CI               GitHub Actions (github-hosted)",
        "system           Ubuntu 24.04.2 LTS, Linux 6.11.0 on x86_64, user 1001",
        "container        none to be seen",
        "virtual machine  Microsoft Corporation Virtual Machine",
        "user namespaces  no: EPERM",
        "AppArmor         this process is unconfined",
        "                 kernel.apparmor_restrict_unprivileged_userns is 1: Ubuntu's restriction of unprivileged user namespaces",
        "seccomp          none",
        "capabilities     none",
        "cgroup           version 2, 19143 processes",
        "",
        "No lab can be built here as user 1001.",
        "",
        "AppArmor restricts unprivileged user namespaces, as on Ubuntu from 23.10 on.",
        "In the workflow, before the step that runs netlab-ns:",
        "",
        "    - run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        "",
        "To see more (tier A: states and calls by BPF), run it as root on a machine of its own.",
        "    sudo $(command -v netlab-ns) run scenarios/",
    ]


def test_where_labs_can_be_built_nothing_is_advised(tmp_path: Path) -> None:
    lines = list(told(look(GITHUB, made(tmp_path, HOSTED)), USABLE))
    assert "Labs can be built here as user 1001, observation tier C: the workflow needs nothing more." in lines
    assert lines[lines.index("") + 2].endswith("--github-summary")
    assert advice(look(GITHUB, tmp_path), USABLE) == ()


def test_the_same_as_json(tmp_path: Path) -> None:
    found = json.loads("\n".join(told_as_json(look(GITHUB, made(tmp_path, HOSTED)), DENIED)))
    assert (found["schema"], found["usable"], found["runner"]["ci"]) == (1, False, "GitHub Actions")
    assert found["advice"][0]["lines"] == ["- run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"]


@pytest.mark.netns
def test_doctor_explains_this_runner() -> None:
    command = [sys.executable, "-m", "netlab", "doctor", "--ci", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "GITLAB_CI": "true"})
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["usable"] else 4), done.stderr
    assert bool(found["advice"]) != found["usable"]
    mask = int(
        next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")).split()[1], 16
    )
    assert ("sys_admin" in found["runner"]["capabilities"]) == bool(mask >> 21 & 1)
    assert len(found["runner"]["capabilities"]) == mask.bit_count()


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up capabilities")
@pytest.mark.parametrize(("given", "missing"), [("net_raw", "NET_ADMIN"), ("net_admin", "NET_RAW")])
def test_root_is_told_which_capability_is_missing(given: str, missing: str) -> None:
    kept = f"-all,+sys_admin,+sys_chroot,+setuid,+setgid,+kill,+chown,+dac_override,+{given}"
    confined = ["setpriv", f"--bounding-set={kept}", f"--inh-caps={kept}", sys.executable, "-m", "netlab"]
    done = subprocess.run([*confined, "run", "drop-the-first-syn"], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert f"--cap-add {missing}" in done.stdout + done.stderr
    assert done.returncode == 4
    asked = subprocess.run([*confined, "doctor"], capture_output=True, text=True, check=False)
    assert "Traceback" not in asked.stderr
    assert f"--cap-add {missing}" in asked.stdout
