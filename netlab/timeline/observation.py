"""What every observation has: its time and its node."""

import msgspec

Address = tuple[str, int]
"""An IP address in its canonical text and a port."""


class Observation(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One timed fact. ``host`` is the node's name, empty for what belongs to the run as a whole."""

    time: int
    host: str = ""
