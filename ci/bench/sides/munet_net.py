"""munet as a contender: a star as its API builds it. usage: python -m ci.bench.sides.munet_net star N"""

import asyncio
import contextlib
import importlib
import logging
import subprocess
import sys
import tempfile
from typing import Any

from ci.bench.sides.serve import isolate, milliseconds, serve

TRIES = 5


class Side:
    """One star, built again and again."""

    def __init__(self, size: int, folder: str) -> None:
        self.size, self.folder = size, folder
        self.munet = importlib.import_module("munet")
        self.net: Any = None
        logging.disable(logging.CRITICAL)

    def build(self) -> None:
        self.net = net = self.munet.BaseMunet("bench", rundir=self.folder)
        net.add_switch("s1")
        for number in range(1, self.size + 1):
            host = net.add_host(f"h{number}")
            net.add_link("s1", f"h{number}", f"s1-{number}", "eth0")
            host.cmd_raises(f"ip addr add 10.0.{number >> 8}.{number & 255}/16 dev eth0")
            host.cmd_raises(f"ip addr add fd00::{number:x}/64 dev eth0 nodad")

    def let_go(self) -> None:
        asyncio.run(self.net.async_delete())

    def up(self) -> dict[str, Any]:
        # on a busy machine munet may look for a child before that was forked, and then gives up
        for _ in range(TRIES - 1):
            with contextlib.suppress(subprocess.CalledProcessError):
                return {"up_ms": milliseconds(self.build)}
            self.let_go()
        return {"up_ms": milliseconds(self.build)}

    def down(self) -> dict[str, Any]:
        return {"down_ms": milliseconds(self.let_go)}


def main() -> None:
    isolate()
    with tempfile.TemporaryDirectory() as folder:
        side = Side(int(sys.argv[2]), folder)
        serve(up=side.up, down=side.down)


if __name__ == "__main__":
    main()
