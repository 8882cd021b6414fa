import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

# A run in this process would leave half of PyYAML behind: its C part cannot be imported twice. Hence the subprocesses.
REFUSED = """\
# Nobody listens.
topology: two-hosts
steps:
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080) -> ECONNREFUSED
"""


def scenario(pytester: pytest.Pytester, **files: str) -> None:
    for name, text in files.items():
        (pytester.path / f"{name}.scenario.yaml").write_text(text)


def test_it_imports_nothing_heavy() -> None:
    script = (
        "import sys, pytest; before = set(sys.modules); import netlab.pytest_plugin;"
        "loaded = set(sys.modules) - before;"
        "print(sorted({name for name in loaded if not name.startswith('netlab')}));"
        "print(*sorted(name for name in loaded if name.startswith('netlab')))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    others, own = told.stdout.splitlines()
    assert others == "[]"
    assert own.split()[:2] == ["netlab", "netlab.pytest_plugin"]
    light = {"collecting", "fixtures", "keys", "settings"}
    assert {name.removeprefix("netlab.pytest_plugin.") for name in own.split()[2:]} == light


def test_the_marker_is_registered(pytester: pytest.Pytester) -> None:
    assert any(line.startswith("@pytest.mark.topology(name, **settings):") for line in pytester.runpytest("--markers").outlines)


def test_scenarios_are_collected_by_their_names_and_other_yaml_is_left_alone(pytester: pytest.Pytester) -> None:
    scenario(pytester, refused=REFUSED)
    (pytester.path / "topology.yaml").write_text("nodes: {a: {}}\n")
    assert "refused.scenario.yaml::refused" in pytester.runpytest_subprocess("--collect-only", "-q").outlines


def test_a_wrong_file_is_a_collection_error_without_a_traceback(pytester: pytest.Pytester) -> None:
    scenario(pytester, wrong="topology: two-hosts\nsteps:\n  - client: connect(\n")
    told = pytester.runpytest_subprocess()
    told.assert_outcomes(errors=1)
    assert [line for line in told.outlines if "wrong.scenario.yaml:3:" in line]
    assert "Traceback" not in told.stdout.str()
    assert "pytest_plugin.py" not in told.stdout.str()


def test_a_test_without_its_topology_fails_and_is_told_how_to_name_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(lab): pass")
    told = pytester.runpytest_subprocess()
    told.assert_outcomes(errors=1)
    assert [line for line in told.outlines if line == 'the fixture "lab" needs its network: @pytest.mark.topology("two-hosts")']


@pytest.mark.parametrize(
    ("topology", "said"),
    [
        ("'two-hoss'", 'there is no topology "two-hoss"; did you mean "two-hosts"?'),
        ("{'nodes': {'a': {'kind': 'hots'}}}", "<topology of *::test_it>:1:*: *hots*"),
    ],
)
def test_a_wrong_topology_fails_with_its_place(pytester: pytest.Pytester, topology: str, said: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.topology({topology})\ndef test_it(lab): pass")
    told = pytester.runpytest_subprocess()
    told.assert_outcomes(errors=1)
    told.stdout.fnmatch_lines([f"*{said}"])
    assert "pytest_plugin.py" not in told.stdout.str()
    assert "another exception" not in told.stdout.str()


@pytest.mark.netns
class TestRun:
    def test_pass_and_fail(self, pytester: pytest.Pytester) -> None:
        scenario(pytester, refused=REFUSED, wrong=REFUSED.replace(" -> ECONNREFUSED", ""))
        told = pytester.runpytest_subprocess("-W", "error", "--junitxml=r.xml")
        told.assert_outcomes(passed=1, failed=1)
        assert "FAIL wrong: Nobody listens." in told.outlines
        assert f"  {pytester.path}/wrong.scenario.yaml:5:5  client: connect(c, server:8080)" in told.outlines
        assert "    actual    -1 ECONNREFUSED" in told.outlines
        assert "pytest_plugin.py" not in told.stdout.str()
        properties = {
            case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")}
            for case in ET.parse(pytester.path / "r.xml").iter("testcase")
        }
        assert properties["refused"] == {"outcome": "PASS", "conformance": "as-documented", "packets": "0"}
        kept = properties["wrong"].pop("artifacts") or ""
        assert properties["wrong"] == {"outcome": "FAIL", "conformance": "surprise", "packets": "0"}
        assert (Path(kept) / "packets.pcapng").stat().st_size > 0

    def test_what_a_machine_lacks_is_a_skip_at_the_scenarios_own_line(self, pytester: pytest.Pytester) -> None:
        sysctls = "{nodes: {client: {sysctls: {net.ipv4.tcp_nonsense: 1}}, server: {}}, links: [{endpoints: [client, server]}]}"
        scenario(pytester, lacking=REFUSED.replace("two-hosts", sysctls))
        told = pytester.runpytest_subprocess("-rs")
        told.assert_outcomes(skipped=1)
        told.stdout.fnmatch_lines(["SKIPPED [[]1] lacking.scenario.yaml:*: lacking is INCONCLUSIVE: *tcp_nonsense*"])

    def test_the_fixture_gives_a_running_lab(self, pytester: pytest.Pytester) -> None:
        (pytester.path / "pair.yaml").write_text("nodes: {left: {}, right: {}}\nlinks: [{endpoints: [left, right]}]\n")
        pytester.makepyfile(
            """
            import pytest

            @pytest.mark.topology("two-hosts")
            def test_by_name(lab):
                assert set(lab.nodes) == {"client", "server"}

            @pytest.mark.topology("./pair.yaml")
            def test_beside_the_test(lab):
                assert lab.call("left", "s = socket(AF_INET, SOCK_STREAM, 0)").result >= 0

            @pytest.mark.topology({"nodes": {"alone": {}}})
            def test_inline(lab):
                assert set(lab.nodes) == {"alone"}
            """
        )
        pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=3)

    @pytest.mark.proof  # ci.two_hundred shows it with two hundred files
    def test_workers_do_not_get_in_each_others_way(self, pytester: pytest.Pytester) -> None:
        scenario(pytester, **{f"refused{number}": REFUSED for number in range(4)})
        pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=4)


def test_the_marker_gives_values_for_the_variables_of_a_topology(pytester: pytest.Pytester) -> None:
    text = 'vars: {hosts: 2}\nnodes: {h: {count: "${hosts}"}, s: {kind: switch}}\nlinks: [{endpoints: [h, s]}]\n'
    (pytester.path / "few.yaml").write_text(text)
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.topology('few.yaml', hosts=3)\n"
        "def test_it(lab): assert sorted(lab.nodes) == ['h1', 'h2', 'h3', 's']\n"
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
