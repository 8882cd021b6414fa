"""The same quantities mean the same by netem and by the wire, on one kernel that has both."""

import errno
from typing import Any

import pytest
from uml.guest import Guest

pytestmark = [pytest.mark.netns, pytest.mark.proof]

# of 600 packets with a chance of 0.3: 180, by six standard deviations (11.2) more or less
SOME = range(112, 248)


def test_netem_and_the_wire_agree(guest: Guest) -> None:
    script = "import json; from uml.agreeing import measured; print(json.dumps([measured(one) for one in ('netem', 'wire')]))"
    netem, wire = guest.answer(script, timeout=120)
    for name in ("delayed", "all lost", "doubled", "kept"):
        assert netem[name] == wire[name], name
    for found in (netem, wire):
        as_the_file_says(found)


def as_the_file_says(found: dict[str, Any]) -> None:
    assert 0.07 <= found["round trip"] < 0.4
    assert found["delayed"] == list(range(40))
    assert found["all lost"] == "nothing"
    assert found["lost"] in SOME
    assert found["doubled"] == sorted([*range(40), *range(40)])
    assert found["more"] in SOME
    assert found["kept"] == 60
    assert 59 * 1042 * 8 / 8_000_000 * 0.98 <= found["took"] < 2  # frames of 1042 bytes with their Ethernet header
    # of 20 places, some are for what hosts send by themselves meanwhile: MLD, neighbour discovery
    assert found["limited"] == list(range(len(found["limited"])))
    assert 15 <= len(found["limited"]) <= 20
    assert sorted(found["overtaken"]) == list(range(40))
    late = [number for index, number in enumerate(found["overtaken"]) if number < max(found["overtaken"][: index + 1])]
    assert late == sorted(late)  # those that were delayed keep their order
    assert 4 < len(late) < 36


def test_where_a_kernel_lacks_nftables_the_wire_has_all(guest: Guest) -> None:
    script = """
import json
from networks import HERE, two_hosts
from netlab.impair.wire import Wire
from netlab.lab.lab import Lab
from netlab.notation.parse import parse_packet
from netlab.topology.spec import Rule
rule = Rule(match=parse_packet("S"), action="drop", occurrences=frozenset([1]), place=HERE)
with Lab(two_hosts((("client", "server"), (rule,)))) as lab, Wire.of(lab) as wire, lab["client"].socket() as client:
    client.settimeout(20)
    refused = client.connect_ex(("10.0.0.2", 9))
    print(json.dumps([refused, [one.action for one in wire.drain()], wire.report().notes]))
"""
    refused, decided, (told,) = guest.answer(script)
    assert (refused, decided) == (errno.ECONNREFUSED, ["drop"])
    assert told == (
        "client:eth0-server:eth0: wire: nftables cannot take packets as they enter an interface here: Operation not supported"
    )
