"""NeST as a contender: a star as its API builds it. usage: python -m ci.bench.sides.nest_net star N"""

import importlib
import sys
from typing import Any

from ci.bench.sides.serve import isolate, milliseconds, serve


class Side:
    """One star, built again and again."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.topology = importlib.import_module("nest.topology")
        self.map = importlib.import_module("nest.topology_map").TopologyMap
        self.clean_up = importlib.import_module("nest.clean_up")
        importlib.import_module("nest.config").set_value("log_level", "ERROR")
        self.round = 0

    def build(self) -> None:
        self.round += 1
        switch = self.topology.Switch(f"s{self.round}")
        for number in range(1, self.size + 1):
            host = self.topology.Node(f"h{self.round}-{number}")
            near, _ = self.topology.connect(host, switch)
            near.set_address([f"10.0.{number >> 8}.{number & 255}/16", f"fd00::{number:x}/64"])

    def up(self) -> dict[str, Any]:
        return {"up_ms": milliseconds(self.build)}

    def down(self) -> dict[str, Any]:
        took = milliseconds(self.clean_up.delete_namespaces)
        self.map.get_nodes().clear()
        return {"down_ms": took}


def main() -> None:
    isolate()
    side = Side(int(sys.argv[2]))
    serve(up=side.up, down=side.down)


if __name__ == "__main__":
    main()
