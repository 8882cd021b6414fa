"""Tells what a CI runner is, whether labs run on it, and what to put into the workflow so that they do.

It finds nothing out itself.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from netlab.diagnosis import Diagnosis
from netlab.runner import GITHUB, GITLAB, Runner

__all__ = ["Advice", "advice", "told", "told_as_json"]

RESTRICTION = "kernel.apparmor_restrict_unprivileged_userns"
_UNCONFINED = "--security-opt seccomp=unconfined --security-opt apparmor=unconfined"
_ROOT = "--cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add NET_RAW"
_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is in the way, and the lines that take it away; ``where`` those lines belong."""

    why: str
    where: str
    lines: tuple[str, ...]


def advice(runner: Runner, diagnosis: Diagnosis) -> tuple[Advice, ...]:
    """What to put into the workflow; nothing where labs can be built as it is."""
    if diagnosis.usable:
        return ()
    missing = [check for check in diagnosis.checks if check.level == "required" and not check.available]
    found: list[Advice] = []
    if any(check.name == "network namespaces" for check in missing):
        if runner.restricted and not runner.privileged:
            found.append(_restricted(runner))
        if runner.container and not runner.privileged:
            found.append(_contained(runner))
    named = {check.name for check in missing}
    if found:
        named -= {"network namespaces", *(check.name for check in missing if check.reason == "no namespace to try it in")}
    for check in missing:
        if check.name in named and check.fix:
            found.append(_fix(runner, f"{check.name}: {check.reason}", check.fix))
    return tuple({one.lines: one for one in reversed(found)}.values())[::-1]


def told(runner: Runner, diagnosis: Diagnosis) -> Iterator[str]:
    """The runner in a few lines, whether labs can be built, and what to add."""
    for name, value in _facts(runner, diagnosis):
        yield f"{name:<16} {value}"
    yield ""
    if diagnosis.usable:
        who = f"as user {diagnosis.user}, observation tier {diagnosis.tier}"
        yield f"Labs can be built here {who}: the workflow needs nothing more."
        yield from _told_run(runner)
    else:
        yield f"No lab can be built here as user {diagnosis.user}."
    for one in advice(runner, diagnosis):
        yield ""
        yield f"{one.why}."
        yield f"{one.where}:"
        yield ""
        yield from (f"    {line}" for line in one.lines)
    if diagnosis.tier != "A":
        yield ""
        yield "To see more (tier A: states and calls by BPF), run it as root on a machine of its own."
        if not runner.container and not runner.no_new_privileges:
            yield "    sudo $(command -v netlab-ns) run scenarios/"


def told_as_json(runner: Runner, diagnosis: Diagnosis) -> Iterator[str]:
    """The same as one JSON object, line by line."""
    facts = {**asdict(runner), "capabilities": sorted(runner.capabilities)}
    what = {"schema": 1, "usable": diagnosis.usable, "tier": diagnosis.tier, "user": diagnosis.user, "kernel": diagnosis.kernel}
    yield from json.dumps(
        {**what, "runner": facts, "advice": [asdict(one) for one in advice(runner, diagnosis)]}, indent=2
    ).splitlines()


def _facts(runner: Runner, diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "CI", (runner.ci or "none") + (f" ({runner.hosted})" if runner.hosted else "")
    yield "system", f"{runner.system or 'unknown'}, Linux {diagnosis.kernel} on {diagnosis.machine}, user {diagnosis.user}"
    yield "container", runner.container or "none to be seen"
    yield "virtual machine", runner.virtual or "none to be seen"
    namespaces = next((one for one in diagnosis.checks if one.name == "unprivileged user namespaces"), None)
    if namespaces is not None:
        yield "user namespaces", "yes" if namespaces.available else f"no: {namespaces.reason}"
    yield "AppArmor", f"this process is {runner.apparmor}" if runner.apparmor else "off"
    if runner.restricted:
        yield "", f"{RESTRICTION} is 1: Ubuntu's restriction of unprivileged user namespaces"
    yield "seccomp", (runner.seccomp or "unknown") + (", no new privileges: sudo does not work" if runner.no_new_privileges else "")
    yield "capabilities", _capabilities(runner)
    yield "cgroup", _cgroup(runner)


def _capabilities(runner: Runner) -> str:
    if not runner.capabilities:
        return "none"
    telling = ("sys_admin", "net_admin", "bpf", "perfmon", "sys_ptrace", "net_raw")
    there = " ".join(name for name in telling if name in runner.capabilities)
    lacking = " ".join(name for name in telling if name not in runner.capabilities)
    return f"{len(runner.capabilities)}, of those that labs use: {there or 'none'}" + (f"; not {lacking}" if lacking else "")


def _cgroup(runner: Runner) -> str:
    group = runner.cgroup
    if group.version != 2:
        return "version 1 (limits not read)" if group.version else "none"
    limits = [
        *([f"{group.cpus:g} CPUs"] if group.cpus is not None else []),
        *([f"{group.memory // _MIB} MiB"] if group.memory is not None else []),
        *([f"{group.processes} processes"] if group.processes is not None else []),
    ]
    return f"version 2, {', '.join(limits) or 'no limit'}"


def _told_run(runner: Runner) -> Iterator[str]:
    summary = " --github-summary" if runner.ci == GITHUB else ""
    yield f"    netlab-ns run scenarios/ --junit netlab.xml --bundle failure.netlab{summary}"


def _restricted(runner: Runner) -> Advice:
    command = f"sudo sysctl -w {RESTRICTION}=0"
    if runner.container:
        return Advice(
            why="AppArmor restricts unprivileged user namespaces on the machine below this container",
            where="On that machine, once",
            lines=(command,),
        )
    return _fix(runner, "AppArmor restricts unprivileged user namespaces, as on Ubuntu from 23.10 on", command)


def _contained(runner: Runner) -> Advice:
    why = "This container may make no namespaces"
    if runner.ci == GITHUB:
        return Advice(
            why=why,
            where="In the workflow, below container: of the job (or leave container: out: the runner itself is a virtual machine)",
            lines=(f"options: {_UNCONFINED}",),
        )
    if runner.ci == GITLAB:
        return Advice(
            why=why,
            where="In config.toml of a runner of your own; shared ones allow it only if they are privileged",
            lines=("[runners.docker]", '  security_opt = ["seccomp:unconfined", "apparmor:unconfined"]'),
        )
    return Advice(
        why=why,
        where="Start it with one of these, as another user than root or as root",
        lines=(f"docker run {_UNCONFINED} ...", f"docker run {_ROOT} {_UNCONFINED} ..."),
    )


def _fix(runner: Runner, why: str, command: str) -> Advice:
    where, lines = _step(runner.ci, command)
    return Advice(why=why, where=where, lines=lines)


def _step(ci: str, command: str) -> tuple[str, tuple[str, ...]]:
    """Where a command belongs, and how it is written there."""
    if ci == GITHUB:
        return "In the workflow, before the step that runs netlab-ns", (f"- run: {command}",)
    if ci == GITLAB:
        return "In .gitlab-ci.yml, in the job", ("before_script:", f"  - {command}")
    return "Before netlab-ns runs", (command,)
