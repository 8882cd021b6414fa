"""Imports run one way, and those who observe cannot know the answer."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "netlab"
PURE = [
    "errors",
    "units",
    "yaml_nodes",
    "document",
    "notation",
    "validate",
    "topology",
    "scenario",
    "timeline",
    "model",
    "check",
    "report",
]
WORLD = {
    "lab": {"errors", "units", "topology"},
    "observe": {"errors", "units", "notation", "timeline", "lab"},
    "impair": {"errors", "units", "notation", "topology", "timeline", "lab"},
    "workload": {"errors", "units", "notation", "topology", "scenario", "timeline", "lab", "observe"},
}
STANDALONE = {
    **{
        f"lab/{name}.py": set[str]()
        for name in ("pid1", "serving", "closing", "rooms", "parcels", "syscalls", "build", "attendant", "enter")
    },
    "workload/agent.py": {"msgspec"},
    "workload/agent_arguments.py": set(),
    "workload/own_calls.py": set(),
    "explore/trial_agent.py": {"msgspec"},
}


def room_of(module: str) -> str:
    return module.split(".")[1] if module.startswith("netlab.") else ""


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            package = node.module or ""
            names |= {f"{package}.{alias.name}" for alias in node.names} if package == "netlab.lab" else {package}
    return names


def modules(room: str) -> list[Path]:
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]


@pytest.mark.parametrize("room", PURE)
def test_the_pure_side_imports_only_what_lies_before_it(room: str) -> None:
    allowed = {*PURE[: PURE.index(room) + 1], ""}
    for path in modules(room):
        for name in imports(path):
            assert room_of(name) in allowed, f"{path.relative_to(PACKAGE)} imports {name}"


@pytest.mark.parametrize("room", sorted(WORLD))
def test_the_world_side_never_imports_the_judges(room: str) -> None:
    allowed = WORLD[room] | {room, ""}
    for path in modules(room):
        for name in imports(path):
            assert room_of(name) in allowed, f"{path.relative_to(PACKAGE)} imports {name}"


def test_what_a_bundle_is_does_not_know_how_one_is_run() -> None:
    runs = {"running.py", "repeating.py"}
    for path in modules("bundle"):
        rooms = {room_of(name) for name in imports(path)}
        world = {*WORLD, "run", "cli"} if path.name not in runs else {"lab", "observe", "workload", "cli"}
        assert not rooms & world, f"{path.relative_to(PACKAGE)} imports {rooms & world}"


def test_importing_touches_no_kernel() -> None:
    readers = {"netlab.observe.strace_parse", "netlab.observe.strace_arguments"}
    for path in modules("importing"):
        for name in imports(path) - readers:
            allowed = {"errors", "notation", "timeline", "importing", ""}
            assert room_of(name) in allowed, f"{path.relative_to(PACKAGE)} imports {name}"


@pytest.mark.parametrize("file", sorted(STANDALONE))
def test_what_runs_in_a_bare_interpreter_imports_the_standard_library_only(file: str) -> None:
    for name in imports(PACKAGE / file):
        top = name.split(".")[0]
        alike = name.removeprefix("netlab.").replace(".", "/") + ".py"
        assert top in sys.stdlib_module_names or top in STANDALONE[file] or alike in STANDALONE, f"{file} imports {name}"


def test_a_keeper_loads_nothing_that_takes_long() -> None:
    pid1 = PACKAGE / "lab/pid1.py"
    program = (
        "import sys\n"
        f"scope = {{'__name__': 'keeper', '__file__': {str(pid1)!r}}}\n"
        f"exec(compile(open({str(pid1)!r}).read(), 'pid1.py', 'exec'), scope)\n"
        "scope['_packages']()\n"
        "import netlab.lab.serving, netlab.lab.build\n"
        "print(*sorted(name for name in sys.modules if name.startswith('netlab') or name in ('typing', 're', 'msgspec')))\n"
    )
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True).stdout.split()
    own = [f"netlab.lab.{name}" for name in ("build", "parcels", "rooms", "serving", "syscalls")]
    assert loaded == ["netlab", "netlab.lab", *own]


def test_pyroute2_has_one_home() -> None:
    users = [path for path in PACKAGE.rglob("*.py") if any("pyroute2" in name for name in imports(path))]
    assert users == [PACKAGE / "lab/kernel.py"]


def test_nothing_imports_all_of_scapy() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert "scapy.all" not in imports(path), path
