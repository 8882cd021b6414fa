"""Tells how the machine here differs from the one on which a bundle's scenario failed. It judges nothing by that."""

from collections.abc import Iterator, Mapping

from netlab.bundle.spec import Bundle
from netlab.check.result import HostFacts


def differences(bundle: Bundle, host: HostFacts, netlab: str, versions: Mapping[str, str]) -> Iterator[str]:
    """A line for each thing that is not the same: "kernel: 6.1.0 here, 6.18.44 there"."""
    yield from _between({"netlab": bundle.netlab, "kernel": bundle.host.kernel, "tier": bundle.host.tier}, _own(netlab, host))
    yield from _between(bundle.versions, versions)
    yield from _between(bundle.host.pinned, host.pinned)
    there, here = bundle.host.capabilities, host.capabilities
    for name in sorted({*there, *here}):
        if (there.get(name) == "yes") != (here.get(name) == "yes"):
            yield f"{name}: {here.get(name, 'unknown')} here, {there.get(name, 'unknown')} there"


def _own(netlab: str, host: HostFacts) -> dict[str, str]:
    return {"netlab": netlab, "kernel": host.kernel, "tier": host.tier}


def _between(there: Mapping[str, str], here: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*there, *here]):
        if there.get(name) != here.get(name):
            yield f"{name}: {here.get(name, 'none')} here, {there.get(name, 'none')} there"
