"""One packet against one pattern, for the matcher: the same comparison that impairment rules use, which must not import this room."""

from netlab.timeline.packet_fields import Difference, Endpoint, at_end, differences, endpoint, field_value

__all__ = ["Difference", "Endpoint", "at_end", "differences", "endpoint", "field_value"]
