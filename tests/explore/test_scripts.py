"""Each text of the rarer courses says calls that there are, about what something before has made, and is played whole."""

import random
from collections.abc import Iterator

import pytest
from networks import two_hosts

from netlab.explore.playing import Stage
from netlab.explore.scene import RECORD, Draw, Ground, Line, Scene
from netlab.explore.script_texts import PARTS, SCRIPTS
from netlab.explore.scripts import spoken
from netlab.explore.trials import Trial
from netlab.notation.printing import print_call
from netlab.notation.values import Name

TWO = Ground(addresses={"client": ("10.0.0.1", "fd00::1"), "server": ("10.0.0.2", "fd00::2")})
ONE = Ground(addresses={"client": ("10.0.0.1", "fd00::1")})
WORDS = {"BUF", "NONE"}
DRAWS = 40
"""Of each text, whose choices are drawn: enough for all of the widest, 13 calls, to be made."""

TRIES = 6
"""How often a text is played until it is whole: a call that waits on a busy machine keeps those about its result back."""


def made(text: str, ground: Ground, chosen: random.Random, serial: int) -> tuple[Line, ...]:
    scene = Scene(ground, serial)
    spoken(text, scene, Draw(chosen.randbytes(RECORD)))
    return tuple(scene.lines)


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_text_says_calls_about_what_is_there(text: str) -> None:
    chosen = random.Random(text)
    for serial in range(DRAWS):
        names: dict[str, set[str]] = {}
        for line in made(text, ONE if serial % 4 == 3 else TWO, chosen, serial):
            there = names.setdefault(line.process, set())
            used = {one.name for one in line.call.arguments if isinstance(one, Name)} - WORDS
            if line.call.name == "fork":
                names[f"{line.process}/{line.call.binds[0]}"] = set(there)
            # A name that nothing made is spoken of on purpose nowhere: numbers are, where a descriptor must not be open.
            assert used <= there, print_call(line.call)
            there.update(line.call.binds)


def test_no_text_stands_twice_and_no_part_is_of_no_use() -> None:
    assert len(set(SCRIPTS)) == len(SCRIPTS)
    assert [name for name in PARTS if not any(name in text for text in SCRIPTS)] == []


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(two_hosts()) as up:
        yield up


def whole(trial: Trial, lines: tuple[Line, ...]) -> bool:
    """Whether each call was made, but for those of a child that something ended before, and users that a rootless lab has not."""
    ended = {one.line.process for one in trial.played if one.signal}
    left = list(lines)
    for one in trial.played:
        left.remove(one.line)
    return all(line.process in ended or line.call.name == "seteuid" for line in left)


@pytest.mark.netns
@pytest.mark.parametrize("text", SCRIPTS)
def test_a_text_is_played_whole(text: str, stage: Stage) -> None:
    chosen = random.Random(text)
    for _ in range(TRIES):
        lines = made(text, stage.ground, chosen, stage.next())
        if whole(stage.play(lines), lines):
            return
    pytest.fail(f"some call of it was never made in {TRIES} trials: {text}")
