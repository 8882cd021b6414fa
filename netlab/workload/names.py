"""What the scenario's names stand for in each process: descriptors, and the addresses that calls are made with.

One table a process, copied by fork. It asks the agents for names of sockets and knows the lab's addresses; it makes no call.
"""

import socket
import struct

from netlab.errors import StepError
from netlab.lab.lab import Lab
from netlab.workload.agents import AgentProcess

LOOPBACK_INDEX = 1
"""The loopback interface's in every namespace: it is the first that is there (LOOPBACK_IFINDEX in include/net/flow.h)."""


class Names:
    """The names of one process; an Environment for marshalling."""

    def __init__(self, lab: Lab, process: AgentProcess, everyone: dict[str, "Names"]) -> None:
        self._lab, self.process, self._everyone = lab, process, everyone
        self.table: dict[str, int] = {}
        self.addresses: dict[str, bytes] = {}
        self.number = 0

    def copy_for(self, child: AgentProcess) -> "Names":
        """The names of a forked child: the same, from now on its own."""
        names = Names(self._lab, child, self._everyone)
        names.table = dict(self.table)
        names.addresses = dict(self.addresses)
        return names

    def bind(self, name: str, fd: int) -> None:
        """From now on, ``name`` is this descriptor."""
        self.table[name] = fd
        self.addresses.pop(name, None)

    def keep(self, name: str, address: bytes) -> None:
        """From now on, ``name`` is this address: a raw struct sockaddr."""
        self.addresses[name] = address
        self.table.pop(name, None)

    def descriptor(self, name: str) -> int:
        """The descriptor's number. Names of sockets of other processes are "process.name"; they have no number here."""
        try:
            return self.table[name]
        except KeyError:
            raise StepError(f"{self.process.name} has no descriptor named {name}") from None

    def address_of_name(self, name: str) -> bytes | None:
        """getsockname() of a socket of this process, or of another one ("client.u"), or a kept address: the raw struct sockaddr."""
        process, _, short = name.rpartition(".")
        keeper = self._everyone.get(process, self) if process else self
        if short in keeper.addresses:
            return keeper.addresses[short]
        owner, fd = self._find(name)
        raw, _ = owner.process.look(fd)
        return raw or None

    def family(self, name: str | int) -> int:
        """The family (AF_INET ...) of a socket, by name or descriptor; AF_INET when there is no such socket."""
        if isinstance(name, int):
            return self.process.look(name)[1] or socket.AF_INET
        owner, fd = self._find(name)
        return owner.process.look(fd)[1] or socket.AF_INET

    def node_address(self, node: str, interface: str, family: int) -> str:
        """A node's address in this family: on ``interface`` if given, else on the first link towards it, else its first one."""
        version = 6 if family == socket.AF_INET6 else 4
        target = self._lab.nodes[node]
        mine = [address.network for end in self._lab.nodes[self.process.host].interfaces.values() for address in end.addresses]
        ends = [end for name, end in target.interfaces.items() if interface in ("", name)]
        candidates = [address for end in ends for address in end.addresses if address.version == version]
        candidates.sort(key=lambda address: address.network not in mine)
        if not candidates:
            raise StepError(f"{node} has no IPv{version} address" + (f" on {interface}" if interface else ""))
        return str(candidates[0].ip)

    def port_of(self, name: str) -> int:
        """The port that a socket is bound to, in whatever process has it; 0 when none."""
        mine = "." in name or name in self.table or name in self.addresses
        raw = self.address_of_name(name) if mine else self._elsewhere(name)
        if not raw or len(raw) < 4 or struct.unpack_from("=H", raw)[0] not in (socket.AF_INET, socket.AF_INET6):
            return 0
        return int(struct.unpack_from(">H", raw, 2)[0])

    def interface_index(self, name: str) -> int:
        """The index that an interface has in this process's node."""
        interfaces = self._lab.nodes[self.process.host].interfaces
        if name == "lo":
            return LOOPBACK_INDEX
        if name not in interfaces:
            raise StepError(f"{self.process.host} has no interface {name}")
        return interfaces[name].index

    def process_number(self, name: str) -> int:
        """What fork() gave for a child of this process by its name, or for this process itself ("self"), if fork() made it."""
        own = self.process.name if name == "self" else f"{self.process.name}/{name}"
        if own not in self._everyone or not self._everyone[own].number:
            raise StepError(f"{self.process.name} has made no process named {name}" if name != "self" else f"{own} was not forked")
        return self._everyone[own].number

    def _elsewhere(self, name: str) -> bytes | None:
        owners = [names for names in self._everyone.values() if name in names.table or name in names.addresses]
        if len(owners) != 1:
            raise StepError(f"the name {name} is known in {len(owners)} processes: write PROCESS.{name}")
        return owners[0].address_of_name(name)

    def _find(self, name: str) -> tuple["Names", int]:
        if name in self.table:
            return self, self.table[name]
        process, _, short = name.rpartition(".")
        other = self._everyone.get(process)
        if other is None or short not in other.table:
            raise StepError(f"{self.process.name} knows no socket named {name}")
        return other, other.table[short]
