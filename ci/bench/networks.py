"""The networks that are built: stars of hosts on one switch, and routers in a line, as topology files.

It does not know who builds them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A star of ``size`` hosts, or a line of ``size`` routers."""

    shape: str
    size: int

    @classmethod
    def parse(cls, name: str) -> "Network":
        """The network of a name like "star-50"."""
        shape, _, size = name.partition("-")
        if shape not in ("star", "line") or not size.isdigit() or int(size) < 2:
            raise ValueError(f'"{name}" is no network: write star-N or line-N, with N at least 2')
        return cls(shape=shape, size=int(size))

    @property
    def name(self) -> str:
        """As people write it: "star-50"."""
        return f"{self.shape}-{self.size}"

    @property
    def yaml(self) -> str:
        """Its topology file, as a user would write it."""
        if self.shape == "star":
            return (
                f"# {self.size} hosts on one switch.\n"
                "nodes:\n"
                '  s: {kind: switch, subnets: [10.0.0.0/16, "fd00::/64"]}\n'
                f"  h: {{count: {self.size}}}\n"
                "links:\n"
                "  - endpoints: [h, s]\n"
            )
        return f"# {self.size} routers in a line.\nnodes:\n  r: {{kind: router, count: {self.size}}}\nlinks:\n  - line: [r]\n"
