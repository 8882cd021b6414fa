"""The kernel's own words for why it threw a packet away, and why it sent a reset: from BTF, so that new ones have their names too.

Reasons are numbered anew in nearly every release; only the names can be relied on (include/net/dropreason-core.h, rstreason.h).
The module refuses to know which reasons are good ones.
"""

from dataclasses import dataclass
from pathlib import Path

from netlab.observe.btf import Btf
from netlab.observe.layout import BTF_PATH, Answers, remembered

_DROPS, _RESETS = "skb_drop_reason", "sk_rst_reason"
_ORDINARY = ("SKB_NOT_DROPPED_YET", "SKB_CONSUMED")
_UNSAID = "SKB_DROP_REASON_NOT_SPECIFIED"
_PREFIXES = ("SKB_DROP_REASON_", "SK_RST_REASON_", "SKB_")
_NO_REASONS = frozenset(("MAX", "SUBSYS_MASK"))
_SUBSYSTEM = 16


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """The names by number. ``ordinary`` are the numbers of frees that are no drops, ``unsaid`` that of frees without a reason
    (None: the kernel has no reasons)."""

    drops: dict[int, str]
    resets: dict[int, str]
    ordinary: tuple[int, ...]
    unsaid: int | None

    def drop(self, number: int) -> str:
        """A drop's reason. Those that a subsystem counts for itself have no names here: "SUBSYSTEM_3:7"."""
        if number >> _SUBSYSTEM:
            return f"SUBSYSTEM_{number >> _SUBSYSTEM}:{number & (1 << _SUBSYSTEM) - 1}"
        return self.drops.get(number, str(number))

    def reset(self, number: int) -> str:
        """A reset's reason; empty where the kernel says none."""
        name = self.resets.get(number, "")
        return "" if name == "NOT_SPECIFIED" else name


def read_reasons(*, cache: Path | None, btf: Path = BTF_PATH) -> Reasons:
    """The running kernel's reasons, from ``cache`` if they are there. Raises HostError where it has no type information."""
    found = remembered(f"{_DROPS}\n{_RESETS}", _ask, _complete, cache, btf)
    values: dict[str, dict[str, int]] = {_DROPS: {}, _RESETS: {}}
    for key, value in found.items():
        enum, _, name = key.partition(" ")
        if value is not None:
            values[enum][name] = value
    drops = values[_DROPS]
    return Reasons(
        drops=_names(drops),
        resets=_names(values[_RESETS]),
        ordinary=tuple(drops[name] for name in _ORDINARY if name in drops),
        unsaid=drops.get(_UNSAID),
    )


def _ask(types: Btf) -> Answers:
    return {f"{enum} {name}": value for enum in (_DROPS, _RESETS) for name, value in types.enumeration(enum).items()}


def _complete(found: Answers) -> bool:
    return all(key.partition(" ")[0] in (_DROPS, _RESETS) for key in found)


def _names(values: dict[str, int]) -> dict[int, str]:
    plain = {name.removeprefix(next(filter(name.startswith, _PREFIXES), "")): value for name, value in values.items()}
    return {value: name for name, value in plain.items() if name not in _NO_REASONS}
