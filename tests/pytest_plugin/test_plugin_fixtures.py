"""The fixtures topology, lab and observe, and the marks that say what they are of."""

import pytest

# Each test starts a pytest, which on a busy machine takes a minute.
pytestmark = pytest.mark.timeout(400)

OPEN = """
import dataclasses, socket, subprocess, sys, unittest
import pytest
from netlab.topology.load import load_topology

def connected(lab):
    server, client = lab["server"].socket(), lab["client"].socket()
    with server, client:
        server.bind(("0.0.0.0", 8080))
        server.listen()
        client.connect((lab["server"].address, 8080))
"""


def run(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(OPEN + text)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", "-rs", *options)


@pytest.mark.netns
def test_what_a_test_observes(pytester: pytest.Pytester) -> None:
    told = run(
        pytester,
        """
        pytestmark = pytest.mark.topology("two-hosts")

        def test_packets_while_they_come(lab, observe):
            assert observe.packets == ()
            connected(lab)
            assert observe.flags[:3] == ["S", "S.", "."]
            assert observe.until(lambda seen: "R." in seen.flags)
            connected(lab)
            assert observe.flags.count("S") == 2
            assert observe.lost == 0

        def test_nothing_of_another_test_is_there(observe):
            assert observe.packets == ()
            assert not observe.until(lambda seen: seen.packets, within=0.05)

        def test_calls(lab, observe):
            lab.call("client", "s = socket(AF_INET, SOCK_STREAM, 0)")
            lab.call("client", "connect(s, server:9)")
            assert [(one.call, one.errno) for one in observe.calls] == [("socket", ""), ("connect", "ECONNREFUSED")]
            assert observe.flags == ["S", "R."]

        @pytest.mark.needs("calls", "states")
        def test_programs_and_states(lab, observe):
            program = "import socket; socket.socket().connect_ex(('server', 9))"
            lab.run("client", [sys.executable, "-c", program], check=True)
            assert "connect" in [one.call for one in observe.calls]
            assert [(one.old, one.new) for one in observe.states][:1] == [("CLOSE", "SYN_SENT")]
        """.replace("\n        ", "\n"),
    )
    outcomes = told.parseoutcomes()
    assert outcomes.get("passed", 0) + outcomes.get("skipped", 0) == 4, told.stdout.str()
    assert outcomes["passed"] >= 3


@pytest.mark.netns
def test_a_network_is_looked_at_changed_and_replaced(pytester: pytest.Pytester) -> None:
    told = run(
        pytester,
        """
        @pytest.mark.topology("two-hosts")
        def test_looked_at(topology):
            assert [node.name for node in topology.nodes] == ["client", "server"]

        class TestChanged:
            pytestmark = pytest.mark.topology("two-hosts")

            @pytest.fixture
            def topology(self, topology):
                (link,) = topology.links
                return dataclasses.replace(topology, links=(dataclasses.replace(link, mtu=1280),))

            def test_it(self, lab):
                assert lab.run("client", ["cat", "/sys/class/net/eth0/mtu"], capture_output=True, text=True).stdout == "1280\\n"

        class TestReplaced:
            PAIR = {"nodes": {"client": {}, "server": {}}, "links": [{"endpoints": ["client", "server"]}]}

            @pytest.fixture(params=["two-hosts", PAIR])
            def topology(self, request):
                return request.param

            @pytest.mark.impair("client->server", match="S", nth=1, action="drop")
            def test_it(self, lab, observe):
                assert set(lab.nodes) == {"client", "server"}
                connected(lab)
                assert observe.flags[:3] == ["S", "S", "S."]
        """.replace("\n        ", "\n"),
    )
    told.assert_outcomes(passed=4)


@pytest.mark.netns
def test_links_are_impaired_for_a_test(pytester: pytest.Pytester) -> None:
    told = run(
        pytester,
        """
        import time
        pytestmark = [pytest.mark.topology("two-hosts"), pytest.mark.impair("client->server", delay="1ms")]

        def least(lab):
            began = time.monotonic()
            connected(lab)
            return time.monotonic() - began

        @pytest.mark.impair("client->server", delay="200ms")
        def test_the_nearest_quantities_stand(lab):
            assert lab.topology.links[0].shapes[0][1].delay.ns == 200_000_000
            assert least(lab) >= 0.2

        @pytest.mark.impair({"client->server": [{"match": "S", "nth": 1, "action": "drop"}]})
        @pytest.mark.impair("server->client", [{"match": "S.", "action": "hold", "barrier": "go"}])
        def test_rules_come_together(lab, observe):
            with lab["server"].socket() as server, lab["client"].socket() as client:
                server.bind(("0.0.0.0", 8080))
                server.listen()
                client.setblocking(False)
                client.connect_ex((lab["server"].address, 8080))
                assert observe.until(lambda seen: seen.flags[:3] == ["S", "S", "S."], within=5)
                lab.release("go")
                assert observe.until(lambda seen: "." in seen.flags, within=5)
        """.replace("\n        ", "\n"),
    )
    told.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        (
            'topology("two-hosts")\n@pytest.mark.impair("client->srever", delay="1ms")',
            "<impair of *::test_it>:1:*: *srever*server*",
        ),
        ('topology("two-hosts")\n@pytest.mark.impair("client->server", dealy="1ms")', "<impair of *::test_it>:1:*: *dealy*delay*"),
        (
            'topology("two-hosts")\n@pytest.mark.impair("client->server")',
            "the marker impair needs a direction and what is done there: *",
        ),
        (
            'topology("two-hosts")\n@pytest.mark.impair("both", delay=b"1")',
            "<impair of *>: it must be what a file can say: *bytes*",
        ),
        (
            'topology("two-hosts")\n@pytest.mark.impair("both", during={"client.c": "LISTEN"}, action="drop")',
            "<impair of *>:1:*: during is for the sockets of a scenario, *; use nth, window or before; or write a scenario",
        ),
        (
            'needs("nettem")',
            'the marker needs: there is no capability "nettem"; did you mean "netem"?; a program is program="curl"',
        ),
        ('needs("bpf", programs="x")', "the marker needs takes names and program=, not programs="),
    ],
)
def test_a_wrong_mark_fails_its_test_with_the_fix(pytester: pytest.Pytester, marks: str, said: str) -> None:
    fixture = "lab" if marks.startswith("topology") else ""
    told = run(pytester, f"@pytest.mark.{marks}\ndef test_it({fixture}): pass\n")
    told.assert_outcomes(errors=1)
    told.stdout.fnmatch_lines([said])
    assert "Traceback" not in told.stdout.str()


def test_what_is_needed_and_not_here_is_said_with_the_fix_at_the_test(pytester: pytest.Pytester) -> None:
    told = run(
        pytester,
        "@pytest.mark.needs(program=('sh', 'no-such-program'))\ndef test_it(): pass\n"
        "@pytest.mark.needs(program='sh')\ndef test_other(): pass\n",
        "-v",
    )
    told.assert_outcomes(skipped=1, passed=1)
    line = OPEN.count("\n")
    told.stdout.fnmatch_lines([f"SKIPPED [[]1] *.py:{line}: needs the program no-such-program on the PATH"])


def test_what_the_doctor_misses_is_a_skip_in_its_words(pytester: pytest.Pytester) -> None:
    from netlab.doctor import diagnose

    lacking = [check for check in diagnose().checks if not check.available]
    if not lacking:
        pytest.skip("this machine lacks nothing that the doctor knows of")
    told = run(pytester, f"@pytest.mark.needs({lacking[0].name!r})\ndef test_it(): pass\n")
    told.assert_outcomes(skipped=1)
    assert f"needs {lacking[0].name}: {lacking[0].reason} (fix: {lacking[0].fix})" in told.stdout.str()


@pytest.mark.netns
def test_unittest_classes_get_their_network_by_a_fixture_of_their_own(pytester: pytest.Pytester) -> None:
    told = run(
        pytester,
        """
        @pytest.mark.topology("two-hosts")
        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def network(self, lab, observe):
                self.lab, self.seen = lab, observe

            def test_it(self):
                connected(self.lab)
                self.assertEqual(self.seen.flags[:3], ["S", "S.", "."])

            def test_fails(self):
                connected(self.lab)
                self.fail("on purpose")
        """.replace("\n        ", "\n"),
    )
    told.assert_outcomes(passed=1, failed=1)
    told.stdout.fnmatch_lines(
        ["*- netlab timeline -*", "*client* > server:8080 S seq 0*", "*TestOld.test_fails: packets.pcapng, *"]
    )
