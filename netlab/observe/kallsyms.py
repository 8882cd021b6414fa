"""The addresses of kernel functions, from /proc/kallsyms; none where the kernel hides them. Refuses to know what they are for."""

import bisect
import functools
import re
from collections.abc import Iterable
from pathlib import Path

_PATH = Path("/proc/kallsyms")
_FUNCTION = re.compile(rb"^[0-9a-f]{16} [tTwW] (\S+?)(?:\.llvm\.\d+)?(?=\s)", re.MULTILINE)


@functools.cache  # 50 ms to read, and the same until the next boot
def function_addresses(names: tuple[str, ...], path: Path = _PATH) -> dict[str, int]:
    """The addresses of those of ``names`` that the kernel has and shows."""
    try:
        table = path.read_bytes()
    except OSError:
        return {}
    return {name: address for name in names if (address := _address_of(table, name.encode()))}


def _address_of(table: bytes, name: bytes) -> int:
    # To search for the name alone takes a tenth of the time that an expression for the whole line does. A compiler that optimises
    # the whole kernel at once may put a suffix of its own behind a static function's name.
    pattern = re.compile(rb"([0-9a-f]+) [tT] " + re.escape(name) + rb"(?:\.llvm\.\d+)?$", re.MULTILINE)
    at = -1
    while (at := table.find(b" " + name, at + 1)) >= 0:
        match = pattern.match(table, _line(table, at))
        if match:
            return int(match[1], 16)
    return 0


class FunctionNames:
    """The functions that addresses lie in. To look up new addresses takes 50 ms, whatever their number."""

    def __init__(self, path: Path = _PATH) -> None:
        self._path, self._known = path, dict[int, str]()

    def learn(self, addresses: Iterable[int]) -> None:
        """Look up all of these in one go."""
        new = {address for address in addresses if address not in self._known}
        if new:
            self._known.update(_functions_around(new, self._path))

    def __getitem__(self, address: int) -> str:
        """The function's name; empty where the kernel hides it."""
        self.learn((address,))
        return self._known[address]


def _functions_around(addresses: set[int], path: Path) -> dict[int, str]:
    try:
        table = path.read_bytes()
    except OSError:
        return dict.fromkeys(addresses, "")
    # The kernel's own functions come first, in the order of their addresses; those of modules and programs follow, in none.
    others = table.find(b"\t[")
    end = len(table) if others < 0 else _line(table, others)
    last = _address(table, _line(table, end - 1))
    return {each: _search(table, end, each) if each <= last else _scan(table, end, each) for each in addresses}


def _search(table: bytes, end: int, address: int) -> str:
    place = bisect.bisect_right(range(end), address, key=lambda at: _address(table, _line(table, at)))
    line = _line(table, place - 1) if place else 0
    while line and table[line + 17 : line + 18] not in b"tTwW":
        line = _line(table, line - 1)
    return _name(table, line)


def _line(table: bytes, at: int) -> int:
    """Where the line of the byte ``at`` begins."""
    return table.rfind(b"\n", 0, at) + 1


def _scan(table: bytes, start: int, address: int) -> str:
    lines = [match.start() for match in _FUNCTION.finditer(table, start) if _address(table, match.start()) <= address]
    return _name(table, max(lines, key=lambda line: _address(table, line))) if lines else ""


def _address(table: bytes, line: int) -> int:
    return int(table[line : line + 16] or b"0", 16)


def _name(table: bytes, line: int) -> str:
    match = _FUNCTION.match(table, line)
    return match[1].decode() if match and _address(table, line) else ""


def addresses_shown(path: Path = _PATH) -> bool:
    """Whether this process sees addresses at all (kptr_restrict hides them as zeros)."""
    try:
        with path.open("rb") as opened:
            return int(opened.readline().split()[0], 16) != 0
    except (OSError, ValueError, IndexError):
        return False
