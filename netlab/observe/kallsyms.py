"""The addresses of kernel functions, from /proc/kallsyms; none where the kernel hides them. Refuses to know what they are for."""

import functools
import re
from pathlib import Path

_PATH = Path("/proc/kallsyms")


@functools.cache  # 50 ms to read, and the same until the next boot
def function_addresses(names: tuple[str, ...], path: Path = _PATH) -> dict[str, int]:
    """The addresses of those of ``names`` that the kernel has and shows."""
    # A compiler that optimises the whole kernel at once may put a suffix of its own behind a static function's name.
    pattern = rf"^([0-9a-f]+) [tT] ({'|'.join(map(re.escape, names))})(?:\.llvm\.\d+)?$"
    try:
        text = path.read_bytes()
    except OSError:
        return {}
    found = {name.decode(): int(address, 16) for address, name in re.findall(pattern.encode(), text, re.MULTILINE)}
    return {name: address for name, address in found.items() if address}


def addresses_shown(path: Path = _PATH) -> bool:
    """Whether this process sees addresses at all (kptr_restrict hides them as zeros)."""
    try:
        with path.open("rb") as opened:
            return int(opened.readline().split()[0], 16) != 0
    except (OSError, ValueError, IndexError):
        return False
