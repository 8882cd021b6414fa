"""How the values of options lie in memory: sizes, structures, ints. It knows neither an option nor a call."""

import struct
import sys

STRUCTURES = {"linger": "=ii", "timeval": "@ll", "ucred": "=iII", "int": "=i", "byte": "=B", "ip_mreq": "!II", "ip_mreqn": "!II =i"}
"""In parts, where byte orders differ."""
INT, LONG = 4, 8
LONGEST_NAME = 16  # TCP_CA_NAME_MAX in include/net/tcp.h, IFNAMSIZ in include/uapi/linux/if.h
POINTER_LENGTH = 16
"""The length that is passed with a bad pointer which names none, as the notation says."""

ROOMS = {"linger": 8, "timeval": struct.calcsize("@ll"), "credentials": 12, "address": 128, "string": LONGEST_NAME,
         "name": LONGEST_NAME, "tcp_info": 512, "bytes": 40}  # fmt: skip
"""How much room a call that names none gives to what is told of an option; an int's for all others."""

SECOND = 1_000_000_000
UNSIGNED = 2**32


def integer(raw: bytes) -> int:
    """A signed int of as many bytes as there are, unsigned if those are fewer."""
    return int.from_bytes(raw, sys.byteorder, signed=len(raw) == INT)
