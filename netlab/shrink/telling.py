"""What a shrunk scenario says on top of its file, and how far a search has come, in words. It runs nothing."""

from collections.abc import Sequence

from netlab.bundle.spec import Failed
from netlab.shrink.candidates import Progress, Size
from netlab.shrink.clauses import Clause, joined, listed
from netlab.shrink.impairments import quantities
from netlab.shrink.opening import Data


def sentence(clauses: Sequence[Clause], data: Data, *, minimal: bool, exact: bool) -> str:
    """What the failure takes. ``minimal``: nothing more of it could go; ``exact``: rules say which packets, and no chance."""
    shaped = [f"{_amounts(one)} {'both ways' if way == 'both' else f'on {way}'}" for way, one in quantities(data)]
    within = f" with {listed(shaped)}" if shaped else ""
    what = joined(clauses)
    if not what:
        return f"Fails{within}, with nothing lost or changed." if shaped else "Fails with nothing lost, late or changed."
    return f"Fails {'exactly ' if minimal and exact else ''}when {_all_of(what)}{f',{within}' if within else ''}."


def intent(said: str, failed: Failed, source: str, *, same: int, runs: int, minimal: bool) -> str:
    """The comment on top of the file: the sentence, what then goes wrong, and where this comes from."""
    where = f" ({failed.step})" if failed.step else ""
    wrong = f"{failed.field}: expected {failed.expected}, got {failed.actual}{where}" if failed.field else failed.claim
    unfinished = "" if minimal else " The search was ended early: it may be made smaller."
    return f"{said}\nWhat fails: {wrong}.\nShrunk by netlab-ns from {source}; in {same} of {runs} runs it fails so.{unfinished}"


def _all_of(clauses: Sequence[str]) -> str:
    """The clauses as one; with a comma before the last "and" where one of them has an "and" of its own."""
    if len(clauses) > 1 and any(" and " in clause for clause in clauses):
        return f"{', '.join(clauses[:-1])}, and {clauses[-1]}"
    return listed(clauses)


def _amounts(one: Data) -> str:
    return listed([f"{name} {value}" for name, value in one.items() if name != "seed"])


def size_words(size: Size) -> str:
    """ "2 decisions, 12 steps, 2 nodes, 1 link"."""
    counted = [
        (size.decisions, "decision"),
        (size.impairments, "impairment"),
        (size.steps, "step"),
        (size.nodes, "node"),
        (size.links, "link"),
    ]
    if size.decisions is not None:
        counted[1] = (None, "impairment")
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counted if count is not None)


def progress_line(progress: Progress) -> str:
    """A line of progress, as it is shown where there is no terminal."""
    runs = f"{progress.runs} run{'' if progress.runs == 1 else 's'}"
    return f"{progress.phase}: {size_words(progress.size)} after {runs}"
