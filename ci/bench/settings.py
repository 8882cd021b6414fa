"""What all parts share: how many rounds, which networks, where the reference is; and the contenders for a network."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci.bench.contenders import Contender
from ci.bench.measure import Drain
from ci.bench.networks import Network
from ci.bench.reference import options

NETLAB, REFERENCE, IP = "netlab", "C", "ip -batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``reference`` is its program, None without a C compiler; ``tools`` the interpreter that may have other tools."""

    rounds: int
    networks: tuple[Network, ...]
    folder: Path
    reference: Path | None
    drain: Drain
    tools: str
    mininet: bool

    def topology(self, network: Network) -> Path:
        """The topology file of a network."""
        path = self.folder / f"{network.name}.yaml"
        path.write_text(network.yaml)
        return path

    def contender(self, name: str, network: Network) -> Contender:
        """A process that builds a network as this tool does."""
        if name == REFERENCE:
            return Contender(name, [str(self.reference), *options(network, self.topology(network))])
        if name == NETLAB:
            return Contender(name, [sys.executable, "-m", "ci.bench.sides.netlab_lab", str(self.topology(network))])
        return Contender(name, [sys.executable, "-m", "ci.bench.sides.ip_batch", network.shape, str(network.size)])

    @contextmanager
    def contenders(self, network: Network, *names: str) -> Iterator[dict[str, Contender]]:
        """Those processes, by name; without the C reference where it could not be compiled."""
        with ExitStack() as stack:
            yield {name: stack.enter_context(self.contender(name, network)) for name in self.known(names)}

    def known(self, names: Iterable[str]) -> list[str]:
        """Those of the names that are there."""
        return [name for name in names if name != REFERENCE or self.reference is not None]
