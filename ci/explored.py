"""Generated sequences of calls on this kernel: none that the model does not allow, and how much of the model they reached.

It counts and prints; what is drawn, played and judged is netlab.explore's. Exit status: 0 no
disagreement, 1 some, 3 none in fewer sequences than were asked for.
"""

import argparse
import sys
from collections.abc import Mapping

from netlab.explore.running import explore
from netlab.explore.telling import disagreement, outcomes, summary, trial_rules, unreached, wanted
from netlab.model.sockets.rules import Rule
from netlab.model.sockets.tables import all_rules, modelled_calls

SEQUENCES, SEED = 20_000, 7
TOO_FEW = 3


def no_trial(call: str, rules: Mapping[str, Rule]) -> str:
    """Why no trial makes a call, as its rules say it."""
    reasons = {rule.unreached for rule in rules.values() if rule.call == call}
    return "; ".join(sorted(reasons - {""})) if "" not in reasons else "no sequence has it"


def main() -> int:
    """Try so many sequences, and tell what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", nargs="?", type=int, default=SEQUENCES)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no longer than this")
    asked = parser.parse_args()
    done = explore(seed=asked.seed, seconds=60 * asked.minutes, sequences=asked.sequences, jobs=asked.jobs)
    coverage, rules = done.coverage, trial_rules(all_rules())
    reachable = {name: rule for name, rule in rules.items() if not rule.unreached}
    reached = len(coverage.rules & reachable.keys())
    count = coverage.sequences or 1
    print(f"seed {asked.seed}")
    print(*summary(coverage, rules, done.seconds, done.processor), sep="\n")
    print(f"two hosts: {100 * coverage.two_hosts / count:.0f} %; ESTABLISHED: {100 * coverage.established / count:.0f} %")
    print(f"rules that a trial can come to: {reached} of {len(reachable)} reached ({100 * reached / len(reachable):.1f} %)")
    calls = {call for call, _ in coverage.outcomes}
    never = [f"{call} ({no_trial(call, rules)})" for call in sorted(modelled_calls() - calls)]
    print(f"calls: {len(calls & modelled_calls())} of {len(modelled_calls())}; never made: {', '.join(never) or 'none'}")
    unseen = coverage.unseen(wanted(rules))
    print(f"outcomes of calls never seen: {', '.join(f'{call} {errno}'.strip() for call, errno in unseen) or 'none'}")
    print("outcomes seen:", *outcomes(coverage), sep="\n")
    print("rules not reached:", *unreached(coverage, rules), sep="\n")
    for number, found in enumerate(done.found, 1):
        print("", *disagreement(found, number, len(done.found)), sep="\n")
    print(f"{coverage.sequences} sequences, {len(done.found)} disagreements")
    if done.found:
        return 1
    return TOO_FEW if coverage.sequences < asked.sequences else 0


if __name__ == "__main__":
    sys.exit(main())
