"""Scenario files as tests: the marks and the expected failure that a file says of itself."""

import pytest

# Each test starts a pytest, which on a busy machine takes a minute.
pytestmark = pytest.mark.timeout(400)

WRONG = """\
# Nobody listens, and so connect() does not succeed.
topology: two-hosts
{}steps:
  - client: c = socket(AF_INET, SOCK_STREAM, 0)
  - client: connect(c, server:8080)
"""
RIGHT = WRONG.replace("server:8080)", "server:8080) -> ECONNREFUSED")


def scenario(pytester: pytest.Pytester, name: str, text: str, keys: str = "") -> None:
    (pytester.path / f"{name}.scenario.yaml").write_text(text.format(keys))


def markers(pytester: pytest.Pytester, *names: str) -> None:
    pytester.makeini(
        "[pytest]\naddopts = --strict-markers -p no:cacheprovider\nmarkers =\n" + "".join(f"  {one}\n" for one in names)
    )


def test_marks_of_the_file_select_it(pytester: pytest.Pytester) -> None:
    markers(pytester, "slow", "layer(name)")
    scenario(pytester, "one", RIGHT, "marks: slow\n")
    scenario(pytester, "two", RIGHT, "marks: [slow, {layer: tcp}]\n")
    scenario(pytester, "three", RIGHT)
    told = pytester.runpytest_subprocess("--collect-only", "-q", "-m", "slow")
    assert [line for line in told.outlines if "::" in line] == ["one.scenario.yaml::one", "two.scenario.yaml::two"]


def test_what_a_mark_is_called_with_is_there(pytester: pytest.Pytester) -> None:
    markers(pytester, "slow", "layer(name)", "runs")
    scenario(pytester, "one", RIGHT, "marks: [slow, {layer: tcp}, {runs: {times: 2, on: [a, b]}}, {layer: [udp, 4]}]\n")
    pytester.makeconftest(
        "def pytest_collection_modifyitems(items):\n"
        "    for one in items[0].own_markers: print('mark', one.name, one.args, one.kwargs)\n"
    )
    told = pytester.runpytest_subprocess("--collect-only", "-q", "-s")
    assert [line for line in told.outlines if line.startswith("mark")] == [
        "mark slow () {}",
        "mark layer ('tcp',) {}",
        "mark runs () {'times': 2, 'on': ['a', 'b']}",
        "mark layer ('udp', 4) {}",
    ]


def test_a_mark_that_nobody_registered_is_refused_at_its_place(pytester: pytest.Pytester) -> None:
    markers(pytester, "slow")
    scenario(pytester, "one", RIGHT, "marks: [slow, slwo]\n")
    told = pytester.runpytest_subprocess()
    told.assert_outcomes(errors=1)
    assert f"{pytester.path}/one.scenario.yaml:3:15: 'slwo' not found in `markers` configuration option" in told.outlines
    assert "Traceback" not in told.stdout.str()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("marks: 3\n", "3:8: 3 (a number) is no mark here; write a name, such as slow, or one with a value: {timeout: 30}"),
        ("marks: [xfail]\n", '3:9: "xfail" is no mark here; say it by the key xfail: REASON'),
        ("marks: [{a: 1, b: 2}]\n", "3:9: a mapping is no mark here; *"),
        ("xfail: true\n", "3:8: *"),
        ('xfail: ""\n', "3:8: this must not be empty"),
    ],
)
def test_a_wrong_mark_is_told_with_its_place(pytester: pytest.Pytester, keys: str, said: str) -> None:
    scenario(pytester, "one", RIGHT, keys)
    told = pytester.runpytest_subprocess()
    told.assert_outcomes(errors=1)
    told.stdout.fnmatch_lines([f"*one.scenario.yaml:{said}"])


@pytest.mark.netns
def test_an_expected_failure(pytester: pytest.Pytester) -> None:
    scenario(pytester, "fails", WRONG, "xfail: bug 12\n")
    scenario(pytester, "passes", RIGHT, "xfail: bug 13\n")
    told = pytester.runpytest_subprocess("-rxX")
    told.assert_outcomes(xfailed=1, xpassed=1)
    told.stdout.fnmatch_lines(["XFAIL fails.scenario.yaml::fails - bug 12*", "XPASS passes.scenario.yaml::passes*"])
    assert "scenarios: 1 passed, 1 failed as expected" in told.outlines
    assert not [line for line in told.outlines if "packets.pcapng" in line]


@pytest.mark.netns
def test_marks_of_other_plugins_work(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_rerunfailures", reason="pip install pytest-rerunfailures")
    scenario(pytester, "again", WRONG, "marks: {flaky: {reruns: 1}}\n")
    waits = WRONG.replace("  - client: connect(c, server:8080)\n", "  - wait: 30s\n")
    scenario(pytester, "late", waits, "marks: {timeout: {timeout: 1, method: signal}}\n")
    told = pytester.runpytest_subprocess("-rR")
    told.stdout.fnmatch_lines(["*again.scenario.yaml R*F*", "*Timeout*1*s*", "*2 failed, 1 rerun*"])


@pytest.mark.netns
def test_a_scenario_that_needs_what_is_not_here_is_skipped_with_the_fix(pytester: pytest.Pytester) -> None:
    scenario(pytester, "one", RIGHT, "marks: {needs: {program: no-such-program}}\n")
    told = pytester.runpytest_subprocess("-rs", "--strict-markers")
    told.assert_outcomes(skipped=1)
    told.stdout.fnmatch_lines(["SKIPPED [[]1] one.scenario.yaml:2: needs the program no-such-program on the PATH"])
