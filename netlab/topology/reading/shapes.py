"""Reads impairment by quantities: a mapping such as {delay: 10ms, loss: 0.1%}. It does not know how packets are delayed or lost."""

from netlab.errors import Problem
from netlab.topology.schema.link import ShapeFile
from netlab.topology.spec import Shape
from netlab.units import Duration

_RANDOM = ("jitter", "loss", "duplicate", "corrupt", "reorder")
_NONE = Duration(0)


def shape_of(file: ShapeFile, problems: list[Problem]) -> Shape | None:
    """The shape that a mapping stands for, None when its quantities make no sense together, or some could not be read."""
    if (file.node.fields or {}).keys() - file.model_fields_set:
        return None
    given = {name for name in ShapeFile.model_fields if getattr(file, name) is not None}
    delay, jitter = file.delay or _NONE, file.jitter or _NONE
    found = []
    if not given:
        found.append(file.node.problem(message="no quantity is given here", fix="write for example {delay: 10ms, loss: 0.1%}"))
    if jitter > delay:
        what = f"varies by at most {delay}, so not by {jitter}" if delay > _NONE else "that is not there cannot vary"
        found.append(file.node.problem("jitter", message=f"a delay {what}", fix="give a delay at least as long"))
    if file.reorder and delay == _NONE:
        message = "packets overtake others only while those are delayed"
        found.append(file.node.problem("reorder", message=message, fix="add delay: 10ms"))
    if file.seed is not None and not given & set(_RANDOM):
        message = "a seed is for what is random, and nothing here is"
        found.append(file.node.problem("seed", message=message, fix=f"leave it out, or add one of {', '.join(_RANDOM)}", key=True))
    problems += found
    if found:
        return None
    return Shape(
        delay=delay,
        jitter=jitter,
        loss=file.loss or 0.0,
        duplicate=file.duplicate or 0.0,
        corrupt=file.corrupt or 0.0,
        reorder=file.reorder or 0.0,
        rate=file.rate or 0,
        limit=file.limit or 0,
        seed=file.seed,
        place=file.place(),
    )
