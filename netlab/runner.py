"""What kind of CI runner this is: which CI, container or virtual machine, what confines its processes, and what it has to give.

It reads the environment and /proc, /sys and /etc below a root, and changes nothing. What a lab can do here the doctor tries; this
module refuses to guess it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SYSTEMS", "Cgroup", "Runner", "System", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A CI system: its name, the variable that its jobs have in their environment, and the value, where that counts."""

    name: str
    variable: str
    value: str = ""


GITHUB, GITLAB = "GitHub Actions", "GitLab CI"
SYSTEMS = (
    System(name="Gitea or Forgejo Actions", variable="GITEA_ACTIONS", value="true"),
    System(name=GITHUB, variable="GITHUB_ACTIONS", value="true"),
    System(name=GITLAB, variable="GITLAB_CI"),
    System(name="Jenkins", variable="JENKINS_URL"),
    System(name="Azure Pipelines", variable="TF_BUILD"),
    System(name="CircleCI", variable="CIRCLECI"),
    System(name="Buildkite", variable="BUILDKITE"),
    System(name="Travis CI", variable="TRAVIS"),
    System(name="Bitbucket Pipelines", variable="BITBUCKET_BUILD_NUMBER"),
    System(name="AWS CodeBuild", variable="CODEBUILD_BUILD_ID"),
    System(name="TeamCity", variable="TEAMCITY_VERSION"),
    System(name="Cirrus CI", variable="CIRRUS_CI"),
    System(name="Woodpecker CI", variable="CI", value="woodpecker"),
    System(name="Drone", variable="DRONE"),
    System(name="a CI that this netlab does not know", variable="CI"),
)
"""The first whose variable is set is meant: Gitea sets GitHub's too, and most of them set CI. Each is documented by its system."""

_CAPABILITIES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "linux_immutable"),
    *("net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio"),
    *("sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time"),
    *("sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog"),
    *("wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"),
)
"""By number: include/uapi/linux/capability.h, capabilities(7)."""

_SECCOMP = {"0": "none", "1": "strict", "2": "a filter"}
_ENGINES = (("docker", "Docker"), ("libpod", "Podman"), ("containerd", "containerd"), ("kubepods", "Kubernetes"), ("lxc", "LXC"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroup:
    """What the cgroup of this process lets it have; None is no limit, or none that can be seen. ``memory`` is in bytes."""

    version: int
    cpus: float | None = None
    memory: int | None = None
    processes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """What is known of a runner. ``ci`` is "" outside of any; ``container`` and ``virtual`` are "" where there is none to be seen.

    ``apparmor`` is the profile that this process is confined by, "" where AppArmor is off. ``restricted`` says whether AppArmor
    restricts unprivileged user namespaces (kernel.apparmor_restrict_unprivileged_userns). ``capabilities`` are the effective ones,
    by their names without "CAP_".
    """

    ci: str
    hosted: str
    system: str
    container: str
    virtual: str
    apparmor: str
    restricted: bool
    seccomp: str
    no_new_privileges: bool
    capabilities: frozenset[str]
    cgroup: Cgroup

    @property
    def privileged(self) -> bool:
        """Whether it has what root in a lab needs: CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW."""
        return {"sys_admin", "net_admin", "net_raw"} <= self.capabilities


def look(environment: Mapping[str, str], root: Path = Path("/")) -> Runner:
    """Look at this machine, or at the files of one below ``root``. What cannot be read counts as not there."""
    status = _fields(root / "proc/self/status")
    return Runner(
        ci=next((one.name for one in SYSTEMS if _is(one, environment)), ""),
        hosted=environment.get("RUNNER_ENVIRONMENT", ""),
        system=_system(root),
        container=_container(environment, root),
        virtual=_virtual(root),
        apparmor=_apparmor(root),
        restricted=_text(root / "proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1",
        seccomp=_SECCOMP.get(status.get("Seccomp", ""), ""),
        no_new_privileges=status.get("NoNewPrivs") == "1",
        capabilities=_capabilities(status.get("CapEff", "")),
        cgroup=_cgroup(root),
    )


def _is(system: System, environment: Mapping[str, str]) -> bool:
    value = environment.get(system.variable, "")
    return value == system.value if system.value else value not in ("", "0", "false")


def _system(root: Path) -> str:
    """The distribution's PRETTY_NAME, os-release(5)."""
    for line in _text(root / "etc/os-release").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip("\"'")
    return ""


def _container(environment: Mapping[str, str], root: Path) -> str:
    """By the marks that container engines leave: their files, ``container=`` (systemd's container interface), cgroup names."""
    if environment.get("KUBERNETES_SERVICE_HOST"):
        return "Kubernetes (KUBERNETES_SERVICE_HOST is set)"
    for mark, engine in ((".dockerenv", "Docker"), ("run/.containerenv", "Podman")):
        if (root / mark).exists():
            return f"{engine} (there is a file /{mark})"
    if named := environment.get("container"):
        return f"{named} (the variable container says so)"
    groups = _text(root / "proc/1/cgroup")
    return next((f"{name} (the cgroup of process 1)" for mark, name in _ENGINES if mark in groups), "")


def _virtual(root: Path) -> str:
    """The hypervisor by what the firmware says (DMI), or that there is one, by the processor's flag."""
    vendor, product = (_text(root / f"sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name"))
    flags = next((line for line in _text(root / "proc/cpuinfo").splitlines() if line.startswith("flags")), "")
    if "hypervisor" in flags.split() or (root / "sys/hypervisor/type").exists():
        return " ".join(dict.fromkeys(word for word in (vendor, product) if word)) or "unknown hypervisor"
    return ""


def _apparmor(root: Path) -> str:
    if _text(root / "sys/module/apparmor/parameters/enabled") != "Y":
        return ""
    current = _text(root / "proc/self/attr/apparmor/current") or _text(root / "proc/self/attr/current")
    return current.strip("\0") or "unconfined"


def _capabilities(mask: str) -> frozenset[str]:
    try:
        bits = int(mask, 16)
    except ValueError:
        return frozenset()
    return frozenset(name for number, name in enumerate(_CAPABILITIES) if bits >> number & 1)


def _cgroup(root: Path) -> Cgroup:
    """The tightest limit between the root of the hierarchy and the process's own group (cgroups(7), cgroup v2)."""
    top = root / "sys/fs/cgroup"
    if not (top / "cgroup.controllers").exists():
        return Cgroup(version=1 if top.is_dir() and any(top.iterdir()) else 0)
    own = next((line[3:] for line in _text(root / "proc/self/cgroup").splitlines() if line.startswith("0::")), "/")
    parts = [part for part in own.split("/") if part not in ("", "..")]
    places = [top.joinpath(*parts[:count]) for count in range(len(parts) + 1)]
    quotas = [quota.split() for place in places if len((quota := _text(place / "cpu.max")).split()) == 2]
    cpus = [int(most) / int(period) for most, period in quotas if most.isdecimal()]
    return Cgroup(
        version=2,
        cpus=min(cpus, default=None),
        memory=min((int(value) for value in _numbers(places, "memory.max")), default=None),
        processes=min((int(value) for value in _numbers(places, "pids.max")), default=None),
    )


def _numbers(places: list[Path], name: str) -> list[str]:
    return [value for place in places if (value := _text(place / name)).isdecimal()]


def _fields(path: Path) -> dict[str, str]:
    pairs = (line.partition(":") for line in _text(path).splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
