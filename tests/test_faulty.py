"""Programs with one fault each, and their mended twins, are run and watched: the fault is found by its rule, the twin has none.

As root by BPF in this process, by what the command `watch` calls; without root by that command itself, which has strace see the
calls. That a rule finds nothing counts only where it had all that it needs: a rule that is inconclusive fails the test.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import pytest
from faulty.expected import ALSO, EXPECTED, IN_C
from labs import netlab

from netlab.check.use.findings import RULES
from netlab.observe.tier import probe
from netlab.report.json import loads
from netlab.report.live import Quiet
from netlab.topology.load import load_topology
from netlab.watch import watch
from netlab.watch_wanted import Watch
from netlab.watched import judged

pytestmark = pytest.mark.netns

FAULTY = Path(__file__).parent / "faulty"
HELPERS = {"expected", "peer"}
BY_STRACE = ("double_close", "eagain", "partial_write", "sigpipe")
"""Those whose rules need nothing but calls and signals, and that a slow look at each call changes least."""

Command = Callable[[str], tuple[str, ...]]
Finding = tuple[str, str]
"""The rule and the severity of what it found."""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command line of a program by its name, which is compiled first where it is in C."""

    def made(name: str) -> tuple[str, ...]:
        if name not in IN_C:
            return sys.executable, str(FAULTY / f"{name}.py")
        compiler = shutil.which("cc") or pytest.skip("there is no C compiler here; fix: apt-get install gcc libc6-dev")
        program = tmp_path_factory.mktemp("faulty") / name
        subprocess.run([compiler, "-o", str(program), str(FAULTY / f"{name}.c")], check=True)
        return (str(program),)

    return made


@pytest.fixture(scope="module")
def sources() -> None:
    """All that findings need is there, or a skip says what lacks."""
    found = probe()
    lacking = [one for one in found.capabilities if one.name in ("states", "events", "calls") and not one.available]
    if lacking:
        pytest.skip("; ".join(f"{one.name}: {one.reason}; fix: {one.fix}" for one in lacking))


def wanted(name: str) -> list[Finding]:
    """What is to be found of a program, the worst first."""
    return [EXPECTED[name], *([(ALSO[name], "note")] if name in ALSO else [])]


def undecided_of(name: str, undecided: Collection[str]) -> list[str]:
    """The program's own rules that could not be judged."""
    return [rule for rule, _ in wanted(name) if rule in undecided]


def weighty(found: Iterable[Finding], name: str) -> list[Finding]:
    """Without the notes that are not about the program's fault: how a peer's close and late data meet is up to the kernel."""
    return [one for one in found if one[1] != "note" or one[0] in dict(wanted(name))]


def by_bpf(argv: tuple[str, ...]) -> tuple[list[Finding], dict[str, str], str]:
    """What a program's watch found, what that could not judge and why, and all of it in words."""
    topology = load_topology("one-host", {})
    seen = watch(topology, Watch(host="host", argv=argv), Quiet(), lambda: 0)
    found = judged(seen, "faulty", topology)
    lost = [f"{report.name} lost {report.lost}" for report in seen.timeline.sources if report.lost]
    says = [f"{one.id}: {one.program}[{one.pid}]: {one.says}" for one in found.findings]
    told = [f"{seen.programs[0].told}; pid {seen.pid}; until {seen.why}", *says, *lost]
    return [(one.id, one.severity) for one in found.findings], dict(found.undecided), "\n".join(told)


def by_strace(argv: Iterable[str]) -> tuple[list[Finding], dict[str, str], str]:
    """The same without root, of the command and its report."""
    done = netlab("watch", "one-host", "host", "--quiet", "--json", "-", "--", *argv, rootless=True, timeout=100)
    if done.returncode == 4:
        pytest.skip(done.stderr)  # no namespaces without root: it says why, and what to do
    (result,) = loads(done.stdout.encode()).scenarios
    undecided = {verdict.id: verdict.reason for verdict in result.verdicts if verdict.outcome == "INCONCLUSIVE"}
    found = [(one.id, one.reason.partition(":")[0]) for one in result.verdicts if one.id != "use" and one.id not in undecided]
    return found, undecided, done.stderr


def test_each_program_is_expected_to_have_a_fault_and_each_rule_to_find_one() -> None:
    programs = {file.stem for suffix in ("py", "c") for file in FAULTY.glob(f"*.{suffix}")}
    assert programs - HELPERS - {"echo"} == set(EXPECTED)
    assert {rule.id for rule in RULES} == {rule for rule, _ in EXPECTED.values()}


@pytest.mark.bpf
@pytest.mark.usefixtures("sources")
class TestByBpf:
    @pytest.mark.parametrize("name", EXPECTED)
    def test_the_fault_is_found_by_its_rule(self, name: str, command: Command) -> None:
        found, undecided, told = by_bpf(command(name))
        assert (weighty(found, name), undecided_of(name, undecided)) == (wanted(name), []), f"{told}\n{undecided}"

    @pytest.mark.parametrize("name", EXPECTED)
    def test_the_mended_twin_has_none(self, name: str, command: Command) -> None:
        found, undecided, told = by_bpf((*command(name), "mended"))
        assert (weighty(found, name), undecided_of(name, undecided)) == ([], []), f"{told}\n{undecided}"


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace here; fix: apt-get install strace")
class TestByStrace:
    @pytest.mark.parametrize("name", BY_STRACE)
    def test_the_fault_is_found_by_its_rule(self, name: str, command: Command) -> None:
        found, undecided, told = by_strace(command(name))
        assert (weighty(found, name), undecided_of(name, undecided)) == (wanted(name), []), told

    @pytest.mark.parametrize("name", BY_STRACE)
    def test_the_mended_twin_has_none(self, name: str, command: Command) -> None:
        found, undecided, told = by_strace((*command(name), "mended"))
        assert (weighty(found, name), undecided_of(name, undecided)) == ([], []), told
