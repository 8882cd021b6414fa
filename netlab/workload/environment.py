"""What calls need to know of the process that makes them and of the lab around it, so that names in them stand for something."""

from typing import Protocol


class Environment(Protocol):
    """What the process that makes the call knows: its descriptors by name, and the addresses around it."""

    def descriptor(self, name: str) -> int:
        """The number of a descriptor (or process) by its name."""

    def address_of_name(self, name: str) -> bytes | None:
        """getsockname() of the socket: a raw struct sockaddr, None when it has none."""

    def family(self, name: str | int) -> int:
        """The family of a socket, by name or number."""

    def node_address(self, node: str, interface: str, family: int) -> str:
        """A node's IP address in this family, as text."""

    def port_of(self, name: str) -> int:
        """The port that a socket is bound to."""

    def interface_index(self, name: str) -> int:
        """The index of an interface of this node, which is a link-local address's scope (RFC 4007 §11)."""

    def process_number(self, name: str) -> int:
        """The number, among the lab's processes, of a child by its name; of "self", the process that makes the call."""
