"""One packet against one pattern, for the matcher: the comparison that impairment rules, outside this room, use too."""

from netlab.timeline.packet_fields import Difference, Endpoint, at_end, differences, endpoint, field_value

__all__ = ["Difference", "Endpoint", "at_end", "differences", "endpoint", "field_value"]
