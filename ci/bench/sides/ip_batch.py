"""`ip -batch` as a contender: files of commands, one ip(8) process that makes all namespaces, and one in each.

It does less than the others: no offloads, no sysctls (so no forwarding), no neighbours, no waiting.
usage: python -m ci.bench.sides.ip_batch star|line N
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ci.bench.sides.serve import isolate, median_us, milliseconds, serve


def star(size: int) -> dict[str, list[str]]:
    """The commands of every namespace; "" has those that are made in none."""
    hosts = range(1, size + 1)
    made = {"": ["netns add s", *(f"netns add h{host}" for host in hosts)]}
    made["s"] = [
        "link add br0 type bridge stp_state 0 mcast_snooping 0",
        "link set br0 up",
        "link set lo up",
        *(f"link add eth{host - 1} type veth peer name eth0 netns h{host}" for host in hosts),
        *(f"link set eth{host - 1} up master br0" for host in hosts),
    ]
    for host in hosts:
        made[f"h{host}"] = [
            "link set lo up",
            f"addr add 10.0.{host >> 8}.{host & 255}/16 dev eth0",
            f"addr add fd00::{host:x}/64 dev eth0 nodad",
            "link set eth0 up",
        ]
    return made


def line(size: int) -> dict[str, list[str]]:
    """As of a star. Every router knows every subnet: one route each, and family."""
    routers = range(size)
    made = {"": [f"netns add r{router}" for router in routers]}
    for router in routers:
        mine = made[f"r{router}"] = ["link set lo up"]
        if router < size - 1:
            mine.append(f"link add right type veth peer name left netns r{router + 1}")
    for router in routers:
        mine = made[f"r{router}"]
        for name, link, side in (("left", router - 1, 1), ("right", router, 0)):
            if 0 <= link < size - 1:
                mine += [
                    f"addr add 10.0.{link}.{1 + side}/24 dev {name}",
                    f"addr add fd00:0:0:{link:x}::{1 + side}/64 dev {name} nodad",
                    f"link set {name} up",
                ]
                others = range(link + 1, size - 1) if name == "right" else range(link)
                mine += [f"route add 10.0.{other}.0/24 via 10.0.{link}.{2 - side}" for other in others]
                mine += [f"route add fd00:0:0:{other:x}::/64 via fd00:0:0:{link:x}::{2 - side}" for other in others]
    return made


class Side:
    """One network, built again and again from the same files."""

    def __init__(self, shape: str, size: int, folder: Path) -> None:
        commands = (star if shape == "star" else line)(size)
        self.names = [name for name in commands if name]
        self.folder = folder
        for name, lines in commands.items():
            self.write(name or "all", lines)
        self.write("end", (f"netns del {name}" for name in self.names))

    def write(self, name: str, lines: Iterable[str]) -> None:
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines))

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True)

    def build(self) -> None:
        self.ip("-batch", str(self.folder / "all"))
        for name in self.names:
            self.ip("-n", name, "-batch", str(self.folder / name))

    def up(self) -> dict[str, Any]:
        return {"up_ms": milliseconds(self.build)}

    def down(self) -> dict[str, Any]:
        return {"down_ms": milliseconds(lambda: self.ip("-batch", str(self.folder / "end")))}

    def spawns(self, times: int) -> dict[str, Any]:
        words = ["ip", "netns", "exec", self.names[-1], "true"]
        return median_us(lambda: os.waitpid(os.posix_spawnp("ip", words, os.environ), 0), times)


def main() -> None:
    isolate()
    with tempfile.TemporaryDirectory() as folder:
        side = Side(sys.argv[1], int(sys.argv[2]), Path(folder))
        serve(up=side.up, down=side.down, spawns=side.spawns)


if __name__ == "__main__":
    main()
