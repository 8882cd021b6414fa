"""What a failing test leaves: files, sections of its report, properties in JUnit, lines in the summary."""

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import labs
import pytest

from netlab.report.json import loads
from netlab.timeline.observations import Packet
from netlab.timeline.pcapng_read import read

# Each test starts a pytest or more, which on a busy machine takes a minute.
pytestmark = [pytest.mark.netns, pytest.mark.timeout(400)]

WRONG = """\
# Nobody listens, and so connect() does not succeed.
topology: two-hosts
steps:
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
"""
TESTS = """
import pytest
pytestmark = pytest.mark.topology("two-hosts")

def refused(lab):
    with lab["client"].socket() as client:
        client.connect_ex((lab["server"].address, 8080))

def test_fails(lab, observe):
    "A SYN to a port that nobody has draws a RST."
    refused(lab)
    assert observe.flags == ["S"]

def test_fails_unobserved(lab):
    refused(lab)
    assert False

def test_fails_after_a_block(lab):
    with lab.observe() as seen:
        refused(lab)
    assert seen.flags == []

def test_passes(lab):
    refused(lab)

@pytest.mark.xfail(reason="as it is")
def test_expected(lab):
    refused(lab)
    assert False

def test_without_a_network():
    assert False
"""
LISTED = ["packets.pcapng", "timeline.json", "report.html"]


def files(folder: Path) -> dict[str, list[str]]:
    return {str(Path(at).relative_to(folder)): sorted(names) for at, _, names in os.walk(folder) if names}


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=TESTS)
    (pytester.path / "wrong.scenario.yaml").write_text(WRONG)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


def section(told: pytest.RunResult, test: str, title: str) -> list[str]:
    """The lines of a section of a failing test's report."""
    lines = told.outlines
    begin = next(index for index, line in enumerate(lines) if line.startswith("_") and line.strip("_ ") == test)
    end = next((index for index in range(begin + 1, len(lines)) if lines[index].startswith(("____", "===="))), len(lines))
    titles = [index for index in range(begin, end) if lines[index].startswith("---")]
    starts = [index for index in titles if lines[index].strip("- ") == title]
    return lines[starts[0] + 1 : min([index for index in titles if index > starts[0]], default=end)] if starts else []


def test_files_sections_properties_and_summary(pytester: pytest.Pytester) -> None:
    told = run(pytester, "--netlab-artifacts=kept", "--junitxml=r.xml")
    told.assert_outcomes(failed=5, passed=1, xfailed=1)
    kept = pytester.path / "kept"
    failed = ["test_fails", "test_fails_unobserved", "test_fails_after_a_block"]
    assert files(kept) == {
        "wrong.scenario.yaml/wrong": sorted([*LISTED, "bundle.netlab"]),
        **{f"test_it.py/{name}": sorted(LISTED) for name in failed},
    }
    for name in failed:
        folder = kept / "test_it.py" / name
        result = loads((folder / "timeline.json").read_bytes())
        (one,) = result.scenarios
        assert (one.name, one.outcome) == (f"test_it.py::{name}", "FAIL")
        assert one.topology["nodes"] == {"client": "host", "server": "host"}
        packets = [seen.data for seen in one.timeline.observations if isinstance(seen, Packet)]
        assert sorted(packets) == sorted(seen.data for seen in read(folder / "packets.pcapng").packets)
        assert len(packets) >= 4  # a SYN and a RST, at both ends
        assert "<script" not in (folder / "report.html").read_text()
        assert section(told, name, "netlab artifacts") == [f"{folder}: {', '.join(LISTED)}"]
    shown = "\n".join(section(told, "test_fails", "netlab timeline"))
    assert "> server:8080 S seq 0" in shown
    assert "R. seq 0 ack 1" in shown
    assert any("> server:8080 S seq 0" in line for line in section(told, "test_fails_after_a_block", "netlab timeline"))
    assert section(told, "test_fails_unobserved", "netlab timeline") == []
    bundle = kept / "wrong.scenario.yaml/wrong/bundle.netlab"
    assert f"to run it again: netlab-ns replay {bundle}" in section(told, "scenario: wrong", "netlab artifacts")
    again = labs.netlab("replay", bundle)
    assert again.returncode == 1, again.stdout + again.stderr
    assert "the same failure" in again.stdout
    properties = {
        case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in ET.parse(pytester.path / "r.xml").iter("testcase")
    }
    assert properties["test_fails"] == {"topology": "two-hosts", "artifacts": str(kept / "test_it.py/test_fails")}
    assert properties["test_passes"] == {"topology": "two-hosts"}
    assert properties["test_without_a_network"] == {}
    summary = told.outlines[next(index for index, line in enumerate(told.outlines) if line.strip("= ") == "netlab") :]
    assert summary[1:3] == ["scenarios: 1 failed", "kept of 4 tests that failed:"]
    assert f"    {kept / 'test_it.py/test_fails'}: {', '.join(LISTED)}" in summary


def test_a_fixture_that_fails_in_the_network_leaves_the_same(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.fixture
        def server(lab):
            with lab["client"].socket() as client:
                client.connect((lab["server"].address, 8080))

        @pytest.mark.topology("two-hosts")
        def test_it(observe, server):
            pass
        """
    )
    told = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--netlab-artifacts=kept")
    told.assert_outcomes(errors=1)
    told.stdout.fnmatch_lines(["*ConnectionRefusedError*", "*- netlab timeline -*", "*> server:8080 S seq 0*"])
    assert files(pytester.path / "kept") == {"test_it.py/test_it": sorted(LISTED)}


def test_by_default_they_are_in_the_folder_of_pytests_own_run(pytester: pytest.Pytester) -> None:
    told = run(pytester, "-n", "2")
    told.assert_outcomes(failed=5, passed=1, xfailed=1)
    (folder,) = [line for line in told.outlines if line.endswith(f"test_fails: {', '.join(LISTED)}") and line.startswith("    ")]
    path = Path(folder.strip().rpartition(": ")[0])
    assert path.parent.parent.name == "netlab"
    assert "popen-gw" not in str(path).removeprefix(str(pytester.path))
    assert sorted(os.listdir(path)) == sorted(LISTED)
    assert not list(pytester.path.glob("netlab*"))  # nothing is left where the tests are


@pytest.mark.parametrize(("which", "passes", "fails"), [("always", 1, 1), ("never", 0, 0)])
def test_whose_packets_are_written(pytester: pytest.Pytester, which: str, passes: int, fails: int) -> None:
    (pytester.path / "pytest.ini").write_text(f"[pytest]\nnetlab_artifacts = there\nnetlab_pcap = {which}\n")
    told = run(pytester, "-k", "test_passes or test_fails_unobserved")
    told.assert_outcomes(failed=1, passed=1)
    there = pytester.path / "there/test_it.py"
    assert (there / "test_passes").exists() == bool(passes)
    assert (there / "test_fails_unobserved/packets.pcapng").exists() == bool(fails)
    assert (there / "test_fails_unobserved/timeline.json").exists()
    if passes:
        assert os.listdir(there / "test_passes") == ["packets.pcapng"]
        assert len(read(there / "test_passes/packets.pcapng").packets) >= 4
        told.stdout.fnmatch_lines([f"packets of 1 test that did not fail: below {there}/test_passes"])


@pytest.mark.proof
def test_a_capture_that_nobody_asked_for_ends_when_it_is_much(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import socket, pytest
        from netlab.pytest_plugin.observing import MOST_PACKETS

        def flood(lab, number):
            with lab["client"].socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                for _ in range(number):
                    client.sendto(b"", (lab["server"].address, 9))

        @pytest.mark.topology("two-hosts")
        def test_it(lab, request):
            from netlab.pytest_plugin.keys import NETWORK
            network = request.node.stash[NETWORK]
            while not network.is_cut:
                flood(lab, 1000)
            lab.call("client", "s = socket(AF_INET, SOCK_STREAM, 0)")
            seen = len(network.timeline.observations)
            flood(lab, 1000)
            assert len(network.timeline.observations) == seen >= MOST_PACKETS
            pytest.fail("on purpose")
        """
    )
    told = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--netlab-artifacts=kept")
    told.assert_outcomes(failed=1)
    told.stdout.fnmatch_lines(["*on purpose*", "not all packets are there: *capture ended at 50000"])
    (capture,) = (pytester.path / "kept").rglob("packets.pcapng")
    assert len(read(capture).packets) >= 50_000


def test_a_wrong_setting_is_refused(pytester: pytest.Pytester) -> None:
    (pytester.path / "pytest.ini").write_text("[pytest]\nnetlab_pcap = sometimes\n")
    told = run(pytester)
    told.stderr.fnmatch_lines(["ERROR: netlab_pcap = sometimes: it is one of always, failed, never"])
    assert told.ret == pytest.ExitCode.USAGE_ERROR


def test_a_folder_that_cannot_be_written_is_told_and_changes_nothing(pytester: pytest.Pytester) -> None:
    (pytester.path / "kept").write_text("no directory")
    told = run(pytester, "--netlab-artifacts=kept", "-k", "test_fails_unobserved")
    told.assert_outcomes(failed=1, deselected=6)
    told.stdout.fnmatch_lines(["*packets.pcapng was not written: Not a directory"])


def test_each_case_of_a_test_has_a_folder_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.topology("two-hosts")
        @pytest.mark.parametrize("path", ["a/b", "a-b", "../" * 9, "x" * 300])
        def test_it(lab, path):
            assert 0
        """
    )
    told = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--netlab-artifacts=kept", "--netlab-pcap=never")
    told.assert_outcomes(failed=4)
    found = files(pytester.path / "kept")
    assert len(found) == 4
    assert all(len(name) < 200 and names == ["report.html", "timeline.json"] for name, names in found.items())
