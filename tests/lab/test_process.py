"""Programs in nodes: what they get of their surroundings, and that none of them, however it is treated, leaves anything here."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from networks import one_host

from netlab.lab.lab import Lab
from netlab.lab.process import PIPE
from netlab.observe.procfs import is_running

pytestmark = pytest.mark.netns


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(one_host()) as running:
        running["host"].popen(["true"]).wait(5)
        yield running


def open_now() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_the_environment_may_be_any_bytes(lab: Lab) -> None:
    variables = {"PATH": os.environ["PATH"], "NAME": b"\xff\xfe".decode(errors="surrogateescape")}
    process = lab["host"].popen(["printenv", "NAME"], env=variables, stdout=PIPE)
    assert process.communicate() == (b"\xff\xfe\n", None)


def test_a_program_and_its_folder_may_be_paths(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    process = lab["host"].popen([Path("/bin/ls")], cwd=tmp_path, stdout=PIPE, text=True)
    assert process.communicate()[0] == "here\n"
    assert process.args == ["/bin/ls"]


def test_its_number_is_right_though_it_has_ended_by_then(lab: Lab) -> None:
    processes = [lab["host"].popen(["true"]) for _ in range(50)]
    assert [process.wait(5) for process in processes] == [0] * 50
    numbers = {process.pid for process in processes}
    assert len(numbers) == 50
    assert min(numbers) > 0


def test_its_number_is_what_proc_calls_it(lab: Lab) -> None:
    with lab["host"].popen(["sleep", "60"]) as process:
        deadline = time.monotonic() + 5
        while Path(f"/proc/{process.pid}/cmdline").read_bytes() != b"sleep\x0060\x00":  # before that it is the keeper's child
            assert time.monotonic() < deadline


@pytest.mark.parametrize("arguments", [["no-such-program"], ["/"], ["true", "\0"], []], ids=["missing", "folder", "NUL", "none"])
def test_one_that_cannot_be_started_leaves_no_descriptor(lab: Lab, arguments: list[str]) -> None:
    before = open_now()
    with pytest.raises(OSError, match=r"No such file|Permission|null byte|out of range"):
        lab["host"].popen(arguments, stdin=PIPE, stdout=PIPE)
    assert open_now() == before
    assert lab["host"].popen(["true"]).wait(5) == 0


def test_one_that_is_released_or_forgotten_runs_on_and_keeps_no_descriptor(lab: Lab) -> None:
    before = open_now()
    released = lab["host"].popen(["sleep", "60"])
    released.release()
    number = released.pid
    forgotten = lab["host"].popen(["sleep", "60"])
    numbers = [number, forgotten.pid]
    del forgotten
    assert open_now() == before
    assert [Path(f"/proc/{each}").exists() for each in numbers] == [True, True]


def test_one_that_outlives_its_lab_was_killed(lab: Lab) -> None:
    with Lab(one_host()) as other:
        process = other["host"].popen(["sleep", "60"])
    assert process.wait(5) == -9
    with pytest.raises(subprocess.CalledProcessError):
        lab["host"].run(["false"], check=True)


def test_one_that_ends_at_the_moment_of_a_signal_is_no_error(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    process = lab["host"].popen(["true"])
    with monkeypatch.context() as patched:
        patched.setattr(process, "poll", lambda: None)  # as long as its end was not asked about
        while is_running(process.pid):
            os.sched_yield()
        process.kill()
    assert process.wait(5) == 0
