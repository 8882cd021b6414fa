"""Timelines as they would have been recorded in worlds that no kernel can be made to show: a mutation for each claim's id.

Each world says in netlab/model/worlds why nothing but an edited timeline can show it.
"""

from collections.abc import Callable, Mapping

import msgspec

from netlab.timeline.observations import AnyObservation, CallReturned
from netlab.timeline.timeline import Timeline

Mutation = Callable[[Timeline], Timeline]


def returns(call: str, nth: int, *, result: int, errno: str = "") -> Mutation:
    """The nth call (from 1) of a name gives something else."""

    def mutate(timeline: Timeline) -> Timeline:
        count = 0

        def changed(seen: AnyObservation) -> AnyObservation:
            nonlocal count
            if not isinstance(seen, CallReturned) or seen.call != call:
                return seen
            count += 1
            return msgspec.structs.replace(seen, result=result, errno=errno, out=None) if count == nth else seen

        return msgspec.structs.replace(timeline, observations=tuple(map(changed, timeline.observations)))

    return mutate


EDITS: Mapping[str, Mutation] = {
    "api-in-libc": returns("exported", 12, result=-1, errno="ENOENT"),
}
