"""netem does to packets what a shape says, on a kernel that has it."""

import pytest
from uml.guest import Guest

pytestmark = pytest.mark.proof

IMPORTS = """
import json, time
from networks import two_hosts
from uml.shaping import arrived, put, qdisc, round_trip, shape, two_hosts_apart
from netlab.impair.shaping import shape as impair
from netlab.lab.lab import Lab
"""


def test_a_guest_gives_a_scripts_output_and_status(guest: Guest) -> None:
    done = guest.run("import os, sys\nprint(os.uname().release)\nprint('oops', file=sys.stderr)\nsys.exit(3)")
    assert (done.returncode, done.stderr) == (3, "oops\n")
    assert done.stdout.startswith("6.")


def test_a_delay_is_added_in_each_direction(guest: Guest) -> None:
    """In the middle of the link, as a topology asks for it."""
    script = """
with Lab(two_hosts()) as lab:
    bare = min(round_trip(lab) for _ in range(3))
with Lab(two_hosts_apart(50, 20)) as lab:
    done = impair(lab)
    print(json.dumps([done, bare, min(round_trip(lab) for _ in range(3))]))
"""
    without, bare, delayed = guest.answer(IMPORTS + script)
    assert without == []
    assert bare < 0.02
    assert 0.07 <= delayed < 0.4


def test_what_netem_does_with_each_quantity(guest: Guest) -> None:
    script = """
numbers = [bytes([number]) for number in range(40)]
with Lab(two_hosts()) as lab:
    lost = arrived(lab, shape(loss=1.0), numbers)
    doubled = arrived(lab, shape(duplicate=1.0), numbers)
    overtaken = arrived(lab, shape(delay=100, reorder=0.5), numbers)
    limited = arrived(lab, shape(delay=300, limit=5), numbers)
    with lab["server"].space.packet_socket("eth0") as seen:
        arrived(lab, shape(corrupt=1.0), [bytes(1400)] * 20)
        frames = []
        while len(frames) < 20:
            frames += [frame for frame in [seen.recv(2000)] if len(frame) > 1400]
    began = time.monotonic()
    kept = arrived(lab, shape(rate=8_000_000), [bytes(1000)] * 60)
    took = time.monotonic() - began
print(json.dumps({
    "lost": len(lost),
    "doubled": sorted(data[0] for data in doubled),
    "overtaken": [data[0] for data in overtaken],
    "limited": [data[0] for data in limited],
    "flipped": [sum(byte.bit_count() for byte in frame[42:]) for frame in frames],
    "kept": len(kept),
    "took": took,
}))
"""
    found = guest.answer(IMPORTS + script)
    assert found["lost"] == 0
    assert found["doubled"] == sorted([*range(40), *range(40)])
    assert sorted(found["overtaken"]) == list(range(40))
    assert found["overtaken"] != list(range(40))
    assert found["limited"] == [0, 1, 2, 3, 4]
    assert set(found["flipped"]) <= {0, 1}  # the one bit may be in a header
    assert sum(found["flipped"]) > 10
    assert found["kept"] == 60
    assert 0.0625 < found["took"] < 2


def test_the_kernel_shows_what_was_asked_and_tells_what_it_did_without(guest: Guest) -> None:
    script = """
with Lab(two_hosts()) as lab:
    without = put(lab, "client", shape(
        delay=50, jitter=5, loss=0.125, duplicate=0.25, corrupt=0.5, reorder=0.75, rate=80_000_000_000, limit=30, seed=9))
    print(json.dumps([without, qdisc(lab)["options"]]))
"""
    without, options = guest.answer(IMPORTS + script)
    assert {name: options[name] for name in ("limit", "delay", "loss-random", "duplicate", "reorder", "corrupt", "gap")} == {
        "limit": 30,
        "delay": {"delay": 0.05, "jitter": 0.005, "correlation": 0},
        "loss-random": {"loss": 0.125, "correlation": 0},
        "duplicate": {"duplicate": 0.25, "correlation": 0},
        "reorder": {"reorder": 0.75, "correlation": 0},
        "corrupt": {"corrupt": 0.5, "correlation": 0},
        "gap": 1,
    }
    assert options["rate"]["rate"] == 10_000_000_000
    assert without == ["<test>:1:1: this kernel's netem takes no seed (Linux 6.7): its losses and delays differ from run to run"]
