"""The plugin beside others: workers of pytest-xdist that are killed, pytest-timeout, pytest-rerunfailures."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import labs
import pytest

# Each test starts a pytest or more, which on a busy machine takes a minute.
pytestmark = [pytest.mark.netns, pytest.mark.timeout(400)]

KILLED = """
import os, signal, subprocess
from pathlib import Path
import pytest
pytestmark = pytest.mark.topology("two-hosts")

@pytest.mark.parametrize("number", range(3))
def test_same_addresses(lab, observe, number):
    with lab["server"].socket() as server, lab["client"].socket() as client:
        server.bind(("10.0.0.2", 8080))
        server.listen()
        client.connect(("10.0.0.2", 8080))
        assert observe.flags[:3] == ["S", "S.", "."]

def test_killed(lab, observe):
    daemon = lab["server"].popen(["sh", "-c", "setsid sleep $SLEEP & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    daemon.stdout.readline()
    lab.call("client", "s = socket(AF_INET, SOCK_STREAM, 0)")
    Path(os.environ["TOLD"]).write_text(str(lab.keeper.pid))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def sleeping(seconds: str) -> list[str]:
    """The processes of the killed test's program, wherever they are."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"sleep\0{seconds}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("rootless", [False, pytest.param(True, marks=pytest.mark.proof)], ids=["own", "rootless"])
def test_a_worker_that_is_killed_leaves_nothing(open_folder: Path, rootless: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    (open_folder / "test_it.py").write_text(KILLED)
    seconds = str(10**8 + secrets.randbelow(10**8))
    monkeypatch.setenv("TOLD", str(open_folder / "told"))
    monkeypatch.setenv("SLEEP", seconds)
    command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", "-p", "no:rerunfailures"]
    command += [f"--rootdir={open_folder}", f"--basetemp={open_folder}/base", str(open_folder)]
    done = subprocess.run(
        [*(labs.UNPRIVILEGED if rootless else []), *command], capture_output=True, text=True, check=False, cwd="/"
    )
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert "test_killed' crashed" in " ".join(done.stdout.split()) or "crashed while running" in done.stdout
    keeper = int((open_folder / "told").read_text())
    assert labs.until(lambda: not alive(keeper))
    assert labs.until(lambda: not sleeping(seconds))


def test_a_test_that_is_too_slow_fails_with_what_it_saw(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.timeout(2, method="signal", func_only=True)
        @pytest.mark.topology("two-hosts")
        def test_it(lab, observe):
            with lab["server"].socket() as server, lab["client"].socket() as client:
                server.bind(("0.0.0.0", 8080))
                server.listen()
                client.connect((lab["server"].address, 8080))
                client.recv(1)
        """
    )
    told = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--netlab-artifacts=kept")
    told.assert_outcomes(failed=1)
    told.stdout.fnmatch_lines(["*Timeout*2*s*", "*- netlab timeline -*", "*> server:8080 S seq 0*", "*netlab artifacts*"])
    assert list((pytester.path / "kept").rglob("report.html"))


def test_each_try_has_a_lab_of_its_own(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_rerunfailures", reason="pip install pytest-rerunfailures")
    pytester.makepyfile(
        test_it="""
        import pytest
        tries = []
        @pytest.mark.flaky(reruns=2)
        @pytest.mark.topology("two-hosts")
        def test_it(lab, observe):
            assert observe.packets == ()
            with lab["server"].socket() as server, lab["client"].socket() as client:
                server.bind(("0.0.0.0", 8080))
                server.listen()
                client.connect((lab["server"].address, 8080))
            tries.append(observe.flags[:3])
            assert len(tries) == 3, "again"
            assert tries == [["S", "S.", "."]] * 3
        """
    )
    told = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--netlab-artifacts=kept")
    assert told.parseoutcomes() == {"passed": 1, "rerun": 2}
    assert (pytester.path / "kept/test_it.py/test_it/packets.pcapng").exists()
