"""The lab as a Python user sees it."""

import os
import threading
from pathlib import Path

import pytest

from netlab import Lab, NetlabError
from netlab.errors import SpecError

pytestmark = pytest.mark.netns


def test_real_sockets_are_observed() -> None:
    with Lab.load("two-hosts") as lab:
        with lab.observe() as seen:
            with lab["server"].socket() as s, lab["client"].socket() as c:
                s.bind(("0.0.0.0", 8080))
                s.listen()
                c.connect((lab["server"].address, 8080))
                accepted, _ = s.accept()
                with accepted:
                    c.sendall(b"hi")
                    assert accepted.recv(2) == b"hi"
            assert seen.packets == ()  # complete only once the block is left
        assert seen.flags[:4] == ["S", "S.", ".", "P."]
        assert seen.lost == 0


def test_raw_calls_show_descriptor_and_errno() -> None:
    with Lab.load("two-hosts") as lab:
        assert lab.call("client", "s = socket(AF_INET, SOCK_STREAM, 0)").result == 3
        refused = lab.call("client", "connect(s, server:8080)")
        assert (refused.result, refused.errno) == (-1, "ECONNREFUSED")
        assert lab.call("client", "getsockopt(s, SOL_SOCKET, SO_TYPE)").out == 1
        with pytest.raises(ValueError, match="did you mean"):
            lab.call("client", "conect(s, server:8080)")


def test_a_topology_written_in_place() -> None:
    text = "name: three\nnodes: {a: {}, b: {}, s: {kind: switch}}\nlinks:\n- endpoints: [a, s]\n- endpoints: [b, s]\n"
    with Lab.parse(text) as lab:
        done = lab.run("a", ["sh", "-c", "cat /etc/hosts"], capture_output=True, text=True)
        assert lab["b"].address in done.stdout


def test_errors_are_netlabs_own(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: x\nnodes: {a: {}}\nlinks: [{endpoints: [a, b]}]\n")
    with pytest.raises(SpecError) as caught:
        Lab.load(bad)
    assert isinstance(caught.value, NetlabError)
    assert f"{bad}:3:" in str(caught.value)


def test_settings_are_values_for_the_variables_of_a_topology() -> None:
    text = 'vars: {hosts: 2}\nnodes: {h: {count: "${hosts}"}, s: {kind: switch}}\nlinks: [{endpoints: [h, s]}]\n'
    assert list(Lab.parse(text, hosts=3).plan.node("h3").hosts) != []
    with pytest.raises(SpecError, match='no variable "host" is declared; did you mean "hosts"'):
        Lab.parse(text, host=3)


def test_a_lab_whose_start_fails_leaves_nothing() -> None:
    """Its wire runs by then, and its peer listens."""
    text = (
        "nodes: {client: {start: ['false']}, other: {kind: peer}, server: {}}\n"
        "links:\n"
        "  - {endpoints: [client, server], impair: {both: [{match: udp, action: drop}]}}\n"
        "  - {endpoints: [client, other]}\n"
    )
    with Lab.parse(text.replace("'false'", "'true'")):
        pass
    before, threads = set(os.listdir("/proc/self/fd")), set(threading.enumerate())
    with pytest.raises(SpecError, match="false ended with status 1"), Lab.parse(text):
        pass
    assert (set(os.listdir("/proc/self/fd")), set(threading.enumerate())) == (before, threads)
