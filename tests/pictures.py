"""Topologies of many shapes for tests of pictures, and a picture taken apart into what a reader sees."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

from written import topology

from netlab.topology.load import load_topology
from netlab.topology.spec import Topology

SHIPPED = sorted((Path(__file__).parent.parent / "topologies").glob("*.yaml"))
SVG = "{http://www.w3.org/2000/svg}"


def _lines(links: list[str]) -> str:
    return "links:\n" + "".join(f"  - {link}\n" for link in links)


def ring(number: int) -> str:
    links = ["ring: [r]", *(f"endpoints: [h{i}, r{i}]" for i in range(1, number + 1))]
    return f"nodes: {{r: {{count: {number}, kind: router}}, h: {{count: {number}}}}}\n" + _lines(links)


def dumbbell(number: int) -> str:
    links = [
        "endpoints: [l, left]",
        "{endpoints: [left, right], impair: {both: {delay: 20ms, rate: 10mbit}}}",
        "endpoints: [right, r]",
    ]
    hosts = f"l: {{count: {number}}}, r: {{count: {number}}}"
    return f"nodes: {{{hosts}, left: {{kind: router}}, right: {{kind: router}}}}\n" + _lines(links)


def fat_tree() -> str:
    links = [f"endpoints: [c{1 + 2 * (a % 2) + c}, a{a + 1}]" for a in range(8) for c in range(2)]
    links += [f"endpoints: [a{a + 1}, e{a - a % 2 + e + 1}]" for a in range(8) for e in range(2)]
    links += [f"endpoints: [h{h + 1}, e{h // 2 + 1}]" for h in range(16)]
    kinds = ", ".join(f"{key}: {{count: {number}, kind: router}}" for key, number in (("c", 4), ("a", 8), ("e", 8)))
    return f"nodes: {{{kinds}, h: {{count: 16}}}}\n" + _lines(links)


def star(number: int, kind: str = "switch") -> str:
    return f"nodes: {{hub: {{kind: {kind}}}, h: {{count: {number}}}}}\n" + _lines(["endpoints: [h, hub]"])


def line(number: int) -> str:
    return f"nodes: {{client: {{}}, r: {{count: {number}, kind: router}}, server: {{}}}}\n" + _lines(["line: [client, r, server]"])


def campus(floors: int, number: int) -> str:
    nodes = ", ".join(f"s{i}: {{kind: switch}}, p{i}-: {{count: {number}}}" for i in range(floors))
    links = [f"endpoints: [{end}, s{i}]" for i in range(floors) for end in ("core", f"p{i}-")]
    return f"nodes: {{core: {{kind: router}}, {nodes}}}\n" + _lines(links)


def grid(side: int) -> str:
    nodes = ", ".join(f"r{x}-{y}: {{kind: router}}" for x in range(side) for y in range(side))
    links = [f"endpoints: [r{x}-{y}, r{x + 1}-{y}]" for x in range(side - 1) for y in range(side)]
    links += [f"endpoints: [r{x}-{y}, r{x}-{y + 1}]" for x in range(side) for y in range(side - 1)]
    return f"nodes: {{{nodes}}}\n" + _lines(links)


HOME = """\
# A home behind a router that translates.
name: home
nodes:
  laptop: {}
  phone: {}
  tv: {}
  lan: {kind: switch}
  home: {kind: nat, nat: {outside: isp, behaviour: symmetric, forwards: [tcp 8080 -> laptop:80]}}
  isp: {kind: router}
  server: {}
links:
  - endpoints: [laptop, lan]
  - endpoints: [phone, lan]
  - endpoints: [tv, lan]
  - endpoints: [lan, home]
  - {endpoints: [home, isp], mtu: 1492, impair: {home->isp: {delay: 10ms, jitter: 2ms, loss: 0.1%}}}
  - endpoints: [isp, server]
"""
EVERYTHING = """\
# Of everything one: <names> & "quotes" are safe.
name: "every <thing> & more"
nodes:
  h: {count: 3}
  sw: {kind: switch, stp: true, vlans: {10: {}, 20: {}}}
  r: {kind: router, loopback: 10.99.0.1/32}
  s: {kind: router, firewall: "table inet t {}"}
  p: {kind: peer}
  alone: {start: [{run: "<b>daemon", background: true}]}
links:
  - {endpoints: [h, sw], vlans: {sw: 10}}
  - {endpoints: [sw, r], vlans: {sw: [10, 20]}}
  - {endpoints: [r, s], mtu: 1400, offloads: [tx, sg, tso]}
  - {endpoints: [r, s], impair: {r->s: [{match: "S.", nth: [2, 1], action: drop}, {match: "...", action: hold, barrier: b}]}}
  - {endpoints: [s, p], state: down}
overlays:
  - {name: blue, vni: 42, nodes: [h1, h2, r], subnets: [192.168.0.0/24]}
"""
WRITTEN = {
    "ring": ring(6),
    "triangle": ring(3),
    "dumbbell": dumbbell(4),
    "fat-tree": fat_tree(),
    "star-5": star(5),
    "star-12": star(12, "router"),
    "star-50": star(50),
    "line-10": line(10),
    "line-50": line(50),
    "campus": campus(5, 20),
    "tree": campus(3, 3),
    "grid": grid(5),
    "mesh": "nodes: {r: {count: 5, kind: router}}\nlinks: [{mesh: [r]}]\n",
    "parallel": "nodes: {a: {}, b: {}}\nlinks: [{endpoints: [a, b]}, {endpoints: [a, b]}, {endpoints: [a, b], mtu: 9000}]\n",
    "home": HOME,
    "everything": EVERYTHING,
}


def pictured(name: str) -> Topology:
    shipped = {path.stem: path for path in SHIPPED}
    return topology(WRITTEN[name]) if name in WRITTEN else load_topology(shipped[name])


@dataclass(frozen=True)
class Rect:
    style: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Rect") -> bool:
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > 0.5 and down > 0.5

    def holds(self, x: float, y: float, margin: float = 0.0) -> bool:
        return self.left + margin < x < self.right - margin and self.top + margin < y < self.bottom - margin


@dataclass
class Seen:
    """The rectangles of a picture by what they are, the ways of its lines, and its page."""

    page: tuple[float, float]
    rects: list[Rect] = field(default_factory=list)
    ways: list[list[tuple[float, float]]] = field(default_factory=list)

    def of(self, *styles: str) -> list[Rect]:
        return [rect for rect in self.rects if rect.style.split()[0] in styles]


def seen(picture: str) -> Seen:
    root = ET.fromstring(picture)
    found = Seen(page=(float(root.get("width", "")), float(root.get("height", ""))))
    drawing = next(group for group in root.findall(f"{SVG}g") if len(group.findall(f"{SVG}g")) > 0)
    for rect in drawing.iter(f"{SVG}rect"):
        if rect.get("class"):
            x, y, width, height = (float(rect.get(key, "")) for key in ("x", "y", "width", "height"))
            found.rects.append(Rect(rect.get("class", ""), x, y, x + width, y + height))
    for path in drawing.iter(f"{SVG}path"):
        if (path.get("class") or "").startswith("wire"):
            found.ways.append(_points([float(number) for number in re.findall(r"-?[\d.]+", path.get("d", ""))]))
    return found


def _points(numbers: list[float]) -> list[tuple[float, float]]:
    (x1, y1), (x2, y2) = numbers[:2], numbers[-2:]
    cx, cy = numbers[2:4] if len(numbers) == 6 else ((x1 + x2) / 2, (y1 + y2) / 2)
    steps = [i / 100 for i in range(101)]
    return [
        ((1 - t) ** 2 * x1 + 2 * t * (1 - t) * cx + t * t * x2, (1 - t) ** 2 * y1 + 2 * t * (1 - t) * cy + t * t * y2)
        for t in steps
    ]
