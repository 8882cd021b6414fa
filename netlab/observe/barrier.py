"""Waits until every processor has ended what it was in the middle of, as membarrier(2) does.

A socket is gone from the tables before the kernel tells of its last transition: whoever stops watching between the two, on another
processor, misses it. It takes some milliseconds. The module refuses to know who must wait, and for what.
"""

import ctypes
import platform

_NUMBERS = {"x86_64": 324, "aarch64": 283}
_GLOBAL = 1  # MEMBARRIER_CMD_GLOBAL, linux/membarrier.h: a period of RCU, which interrupts' handlers take part in


def wait_for_processors() -> bool:
    """Returns when what any processor was doing in the kernel at the call, without being preempted, is done.

    False where this kernel cannot say so: it was built without membarrier(2), or keeps processors free of its clock's ticks.
    """
    number = _NUMBERS.get(platform.machine())
    if number is None:
        return False
    result: int = ctypes.CDLL(None).syscall(ctypes.c_long(number), ctypes.c_int(_GLOBAL), ctypes.c_uint(0), ctypes.c_int(0))
    return result == 0
