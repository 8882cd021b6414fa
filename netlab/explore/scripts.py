"""Generated sequences' rarer courses, read from a table of short texts: one record plays one, with what it draws filled in.

It knows the texts' notation, and neither what is in them nor what comes of the calls.
"""

import re
from collections.abc import Callable, Mapping

from netlab.explore.openings import ends
from netlab.explore.scene import Draw, Scene
from netlab.explore.script_texts import PARTS, SCRIPTS
from netlab.notation.calls import CallText
from netlab.notation.parse import parse_step

_CHOICE = re.compile(r"<([^<>]*)>")
_NAME = re.compile(r"\$([a-z])")
_PLACE = re.compile(r"\$([A-Z])")
_MANY = re.compile(r"(SEND|TO|RECV)\((.*)\)$")


def script(scene: Scene, draw: Draw) -> None:
    """One of the texts."""
    spoken(SCRIPTS[(draw.byte() << 8 | draw.byte()) * len(SCRIPTS) >> 16], scene, draw)


def spoken(text: str, scene: Scene, draw: Draw) -> None:
    """A text, with what is drawn filled in, of a process near and one far, which may be the same."""
    near, far = ends(scene, draw)
    for name, part in PARTS.items():
        text = text.replace(name, part)
    if "k: " in text:  # a child forks no more
        near, far = scene.host(near), scene.host(far)
    child = ""
    names: dict[str, str] = {}
    places: dict[str, str] = {}
    for statement in text.split(";"):
        who, _, said = statement.strip().rpartition(": ")
        said = _CHOICE.sub(lambda found: draw.of(found[1].split("|")).replace("+", "|"), said)
        said = _NAME.sub(lambda found: names.setdefault(found[1], "") or _named(scene, names, found[1]), said)
        said = _PLACE.sub(lambda found: places.setdefault(found[1], "") or _placed(scene, places, found[1], near, far), said)
        said = _MANY.sub(lambda found: _SAID[found[1]](draw, found[2]), said)
        if who == "k" and not child:
            name = scene.child()
            scene.say(near, "fork", binds=(name,))
            child = f"{near}/{name}"
        process = {"f": far, "k": child}.get(who, near)
        step = parse_step(said)
        assert isinstance(step, CallText)
        call = step.call
        scene.say(process, call.name, *call.arguments, binds=call.binds, named=call.keywords)


def _named(scene: Scene, names: dict[str, str], letter: str) -> str:
    names[letter] = scene.name()
    return names[letter]


def _placed(scene: Scene, places: dict[str, str], letter: str, near: str, far: str) -> str:
    """P to S are ports; F and G the far host's addresses, N and M the near one's own; X is nobody's; U and V are names of UNIX
    sockets, abstract and by path; D is a file."""
    apart = scene.host(near) != scene.host(far)
    own = scene.ground.addresses[scene.host(near)]
    v4, v6 = scene.ground.addresses[scene.host(far)] if apart else ("127.0.0.1", "::1")
    made: Mapping[str, Callable[[], str]] = {
        "F": lambda: v4, "G": lambda: v6, "N": lambda: own[0], "M": lambda: own[1], "X": lambda: scene.absent(near),
        "U": lambda: f"abstract:{scene.path()}", "T": lambda: f"abstract:{scene.path()}", "V": lambda: f"unix:{scene.path()}",
        "D": scene.path,
    }  # fmt: skip
    places[letter] = made[letter]() if letter in made else str(scene.port())
    return places[letter]


def _send(draw: Draw, arguments: str) -> str:
    word = draw.of(("send", "sendto", "sendmsg", "write"))
    if word == "write":
        arguments = ", ".join(_split(arguments)[:2])
    return f"{word}({arguments})"


def _to(draw: Draw, arguments: str) -> str:
    """By an address, which sendmsg() has by its name."""
    if draw.odds(50):
        return f"sendto({arguments})"
    descriptor, data, flags, address, *length = _split(arguments)
    return f"sendmsg({descriptor}, {data}, {flags}, addr={address}{''.join(f', addrlen={one}' for one in length)})"


def _receive(draw: Draw, arguments: str) -> str:
    word = draw.of(("recv", "recvfrom", "recvmsg", "read"))
    if word == "read":
        arguments = ", ".join(_split(arguments)[:2])
    return f"{word}({arguments})"


def _split(arguments: str) -> list[str]:
    """At commas that are in no brackets."""
    return re.split(r", (?![^(\[{]*[)\]}])", arguments)


_SAID: Mapping[str, Callable[[Draw, str], str]] = {"SEND": _send, "TO": _to, "RECV": _receive}
