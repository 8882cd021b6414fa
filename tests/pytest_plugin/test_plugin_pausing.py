"""--netlab-pause: the lab of a test that failed runs on, others enter it, Enter ends it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import labs
import pytest

# Each test starts a pytest or more, which on a busy machine takes a minute.
pytestmark = [pytest.mark.netns, pytest.mark.timeout(400)]

TESTS = """
import pytest

@pytest.mark.topology("two-hosts")
@pytest.mark.impair("client->server", delay="1ms")
def test_it(lab):
    lab["server"].popen(["sleep", "99"])
    listener = lab["server"].socket()
    listener.bind(("0.0.0.0", 8080))
    listener.listen()
    assert 0, listener

@pytest.mark.xfail
@pytest.mark.topology("two-hosts")
def test_expected(lab):
    assert 0
"""
SCENARIO = """
# The server listens, and the client is wrong about that.
topology: two-hosts
steps:
  - server: s = socket(AF_INET, SOCK_STREAM, 0)
  - server: bind(s, 0.0.0.0:8080)
  - server: listen(s, 8)
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080) -> ECONNREFUSED
"""
CONNECT = "import socket; socket.create_connection(('server', 8080)).close(); print('connected')"


@contextmanager
def paused(folder: Path, *options: str, rootless: bool = False) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """A run that waits for Enter, and the name of its lab."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--netlab-pause", *options, str(folder)]
    with subprocess.Popen(
        [*(labs.UNPRIVILEGED if rootless else []), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
    ) as run:
        assert run.stdout is not None
        assert run.stdin is not None
        try:
            said = ""
            for line in run.stdout:
                said += line
                if found := re.search(r"netlab-ns exec --lab (\S+) client -- PROGRAM ARGS", line):
                    break
            else:
                pytest.fail(said)
            yield run, found[1]
        finally:
            run.stdin.close()
            run.kill()


@pytest.mark.parametrize("rootless", [pytest.param(False, marks=pytest.mark.proof), True], ids=["own", "rootless"])
@pytest.mark.parametrize("name", ["test_it.py", "it.scenario.yaml"])
def test_others_enter_the_lab_until_enter(open_folder: Path, name: str, rootless: bool) -> None:
    (open_folder / name).write_text(TESTS if name.endswith("py") else SCENARIO)
    with paused(open_folder, f"--rootdir={open_folder}", rootless=rootless) as (run, lab):
        done = labs.netlab("exec", "--lab", lab, "client", "--", sys.executable, "-c", CONNECT, rootless=rootless)
        assert done.stdout == "connected\n", done.stderr
        assert [node["name"] for node in labs.described(lab, rootless=rootless)["nodes"]] == ["client", "server"]
        rest, _ = run.communicate("\n", timeout=60)
    assert re.search(r"1 failed(, 1 xfailed)? in", rest), rest
    assert labs.netlab("ls", lab, rootless=rootless).returncode == 2  # it is not there any more


def test_the_lab_ends_with_a_run_that_is_killed(open_folder: Path) -> None:
    (open_folder / "test_it.py").write_text(TESTS)
    with paused(open_folder) as (run, lab):
        run.kill()
        run.wait()
        assert labs.until(lambda: labs.netlab("ls", lab).returncode == 2)


def test_workers_have_no_terminal(pytester: pytest.Pytester) -> None:
    told = pytester.runpytest_subprocess("-n", "2", "--netlab-pause")
    assert told.ret == pytest.ExitCode.USAGE_ERROR
    told.stderr.fnmatch_lines(["ERROR: --netlab-pause needs this terminal, and pytest-xdist's workers have none: add -n 0"])
