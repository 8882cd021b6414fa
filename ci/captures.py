"""Real programs under loss, reordering, duplication and delay, captured at every place of the way: nobody is blamed.

curl and nginx, iperf3, and ssh; at both ends, and at a router with impaired links on both sides; the captures as they are, with
packets left out, begun in the middle, cut short, and of one direction only. Last, the timelines of the model's claims and
of the shipped scenarios. It does not know how anything is judged. usage, from the root of the source tree:
python -m ci.captures [ROUNDS] [SEED]

Exit status: 0 nobody was blamed, 1 somebody was, 4 a program is not installed.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from ci.real_captures import NEEDS, captured, captured_between, lacking
from netlab.check.captures import Seen, connections, said
from netlab.check.wire import judge_wire
from netlab.files import SHIPPED_SCENARIOS, shipped_claims
from netlab.run import RunOptions, run_all
from netlab.scenario.load import load_scenarios
from netlab.timeline.headers import decode
from netlab.timeline.observations import Packet
from netlab.timeline.timeline import Timeline

LINKS = (
    "delay: 5ms, jitter: 3ms, loss: 2%, duplicate: 2%, reorder: 5%",
    "delay: 20ms, jitter: 20ms, loss: 5%, duplicate: 5%, reorder: 20%",
    "delay: 50ms, jitter: 50ms, duplicate: 20%, reorder: 30%, loss: 1%",
    "delay: 2ms, loss: 8%, corrupt: 3%, reorder: 10%",
    "delay: 2ms, jitter: 2ms, rate: 5mbit, limit: 10",
)
AMOUNTS = (50_000, 200_000, 500_000)
CORRUPTED = "wire.checksum"
"""What a link that corrupts packets makes, and nobody else."""


def places(timeline: Timeline) -> Iterator[tuple[str, list[Packet]]]:
    """Every interface's packets, as a capture made there has them."""
    found: dict[str, list[Packet]] = {}
    for one in timeline.observations:
        if isinstance(one, Packet) and one.interface != "lo":
            found.setdefault(f"{one.host}:{one.interface}", []).append(one)
    yield from found.items()


def mangled(packets: Sequence[Packet], chance: random.Random, link: str) -> Iterator[tuple[str, Sequence[Packet]]]:
    """What becomes of a capture elsewhere: none of it gives a reason to blame anybody."""
    yield "as it is", packets
    for share in (0.01, 0.1):
        yield f"without {share:.0%}", [one for one in packets if chance.random() > share]
    gap = sorted(chance.randrange(len(packets)) for _ in range(2))
    yield "with a gap", [*packets[: gap[0]], *packets[gap[1] :]]
    late = packets[chance.randrange(len(packets)) :]
    yield "begun in the middle", late
    yield "begun in the middle, without 5%", [one for one in late if chance.random() > 0.05]
    if "corrupt" not in link:  # in what is cut, no checksum tells what was corrupted
        size = chance.choice((54, 66, 96, 300))
        yield f"cut to {size} bytes", [msgspec.structs.replace(one, data=one.data[:size]) for one in packets]
    source = decode(packets[-1].data).source
    yield "one direction", [one for one in packets if decode(one.data).source == source]


def blamed(found: Iterable[Seen], link: str) -> list[str]:
    """What is said of senders, but for checksums that a link corrupted."""
    return [
        f"{finding.rule.id}: {said(finding)}"
        for seen in found
        for finding in seen.connection.findings
        if finding.rule.id != CORRUPTED or "corrupt" not in link
    ]


def hear(timeline: Timeline, link: str, chance: random.Random) -> tuple[int, int, list[str], float]:
    """All that is said of a timeline: how many captures and packets were judged, who was blamed, and the seconds that it took."""
    stacks = [name for name, node in timeline.nodes.items() if node.kind == "host"]
    told = [f"own interface: {finding.rule.id}: {finding.says}" for finding in judge_wire(timeline, stacks)]
    captures, count, took = 0, 0, 0.0
    for place, packets in places(timeline):
        for how, some in mangled(packets, chance, link):
            began = time.process_time()
            found = connections(some)
            took += time.process_time() - began
            captures, count = captures + 1, count + len(some)
            told += [f"{place}, {how}: {one}" for one in blamed(found, link)]
            whole = how == "as it is" and "corrupt" not in link
            told += [f"{place}, {how}: {left.says}" for seen in found for left in seen.connection.undecided if whole]
    return captures, count, told, took


def programs(rounds: int, seed: int) -> list[str]:
    """Every program over links of every kind; gives what was said of senders."""
    chance = random.Random(seed)
    accusations: list[str] = []
    print(f"{'program':<8}{'link':<66}{'captures':>9}{'packets':>9}{'us each':>9}  blamed", flush=True)
    for number in range(rounds):
        for program in NEEDS:
            link, amount = LINKS[(number + len(program)) % len(LINKS)], chance.choice(AMOUNTS)
            ways = [f"{link}, seed: {chance.randrange(1 << 30)}" for _ in range(2)]
            with tempfile.TemporaryDirectory(prefix="netlab-captures-") as name:
                if number % 2:
                    timeline = captured_between(program, Path(name), what=ways[0], amount=amount)
                else:
                    timeline = captured(program, Path(name), there=ways[0], back=ways[1], amount=amount)
            captures, count, told, took = hear(timeline, link, chance)
            each = took / max(1, count) * 1e6
            print(f"{program:<8}{link:<66}{captures:>9}{count:>9}{each:>9.1f}  {len(told)}", flush=True)
            print("".join(f"    {one}\n" for one in told), end="", flush=True)
            accusations += told
    return accusations


def timelines() -> list[str]:
    """The claims and the shipped scenarios, each stack at its own interfaces; gives what was said of one."""
    scenarios = [one for file in sorted(Path(SHIPPED_SCENARIOS).glob("*.yaml")) for one in load_scenarios(file)]
    claims = [one for one in shipped_claims()[0] if one.claim is not None and not one.claim.slow]
    result = run_all([*scenarios, *claims], RunOptions(jobs=4))
    told, count = [], 0
    for one in result.scenarios:
        stacks = [name for name, node in one.timeline.nodes.items() if node.kind != "peer"]
        count += sum(isinstance(seen, Packet) for seen in one.timeline.observations)
        told += [f"{one.name}: {finding.rule.id}: {finding.says}" for finding in judge_wire(one.timeline, stacks)]
    print(f"{len(scenarios)} shipped scenarios and {len(claims)} claims, {count} packets: {len(told)} findings about stacks")
    print("".join(f"    {one}\n" for one in told), end="")
    return told


def main() -> int:
    missing = {program: lacking(program) for program in NEEDS if lacking(program)}
    if missing:
        print("\n".join(f"{program}: there is no {' and no '.join(some)} here" for program, some in missing.items()))
        print("fix: as root, apt-get install nginx-light curl iperf3 openssh-client openssh-server")
        return 4
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    return 1 if [*programs(rounds, seed), *timelines()] else 0


if __name__ == "__main__":
    sys.exit(main())
