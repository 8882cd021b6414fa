"""Holds a document's value against a pydantic model: every error becomes a Problem with its place, in netlab's words.

What is wrong is left out and the rest is still given, so that one pass can go on to find what else is wrong. It does not know
what the models mean.
"""

import typing
from collections.abc import Callable, Iterable, Sequence
from types import UnionType
from typing import Annotated, Any, Self, TypeVar, Union

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails

from netlab.errors import Place, Problem, SpecError
from netlab.notation import spelling
from netlab.yaml_nodes import Fields, Items, Node, Part

_ROUNDS = 8
_MOST = 100
MOST_AT_A_PLACE = 5
_MANY_NAMES = 200
_SHOWN_NAMES = 12


class Piece(BaseModel):
    """A mapping of a file, typed. It knows its node, and so the place of each of its keys and values."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)

    _node: Node = PrivateAttr()

    @model_validator(mode="wrap")
    @classmethod
    def _remember(cls, data: Any, handler: ModelWrapValidatorHandler[Any], info: ValidationInfo) -> Any:
        if not isinstance(data, Fields):
            made = handler({} if data is None and not _required(cls) else data)
            made._node = Node("", 0, 0)
            return made
        # one mapping may stand in many places, as that of a group's members does: it is read once, right or wrong
        before: dict[tuple[type, int], Any] = info.context if info.context is not None else {}
        found = before.get((cls, id(data)))
        if found is None:
            try:
                found = handler(data)
                found._node = data.node
            except ValidationError as error:
                found = error
            before[cls, id(data)] = found
        if isinstance(found, ValidationError):
            raise found
        return found

    @property
    def node(self) -> Node:
        """The mapping as it stands in the file."""
        return self._node

    def place(self, *loc: Part, key: bool = False) -> Place:
        """Where a value of this mapping stands, or its key."""
        return self._node.place(*loc, key=key)


AnyPiece = TypeVar("AnyPiece", bound=Piece)


class Problems(list[Problem]):
    """The problems found so far, each once, and a few of those at one place: what stands for many things is wrong many times.

    After a hundred it raises the SpecError: nobody reads more, and finding them takes time. ``told`` counts those too that were
    not taken in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._at: dict[Place, list[Problem]] = {}
        self.told = 0

    def append(self, problem: Problem) -> None:
        """Add one."""
        self.told += 1
        here = self._at.setdefault(problem.place, [])
        if problem not in here and len(here) < MOST_AT_A_PLACE:
            here.append(problem)
            super().append(problem)
            self._enough()

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add several."""
        for problem in problems:
            self.append(problem)

    def __iadd__(self, problems: Iterable[Problem]) -> Self:  # type: ignore[override,misc]
        self.extend(problems)
        return self

    def _enough(self) -> None:
        if len(self) >= _MOST:
            raise SpecError(*dict.fromkeys(self[:_MOST]))


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """``did you mean "x"?``, or "" when nothing is close; in haste where there are very many candidates."""
    pool = list(candidates)
    if len(pool) > _MANY_NAMES:
        pool = [each for each in pool if each[:1] == word[:1] and abs(len(each) - len(word)) < 2][:_MANY_NAMES]
    return spelling.did_you_mean(word[:_MANY_NAMES], pool)


def named(names: Iterable[str]) -> str:
    """Names as a sentence lists them, not too many; "none" if there are none."""
    every = list(names)
    return ", ".join([*every[:_SHOWN_NAMES], *(["..."] if len(every) > _SHOWN_NAMES else [])]) or "none"


def shown(data: Any) -> str:
    """A value as an error names it: what it is, and its text if short."""
    match data:
        case None:
            return "nothing"
        case bool():
            return f"{str(data).lower()} (a truth value)"
        case int() | float():
            return f"{data} (a number)"
        case str():
            return f'"{data}"' if len(data) <= 40 else f'"{data[:37]}..."'
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return type(data).__name__


def validated(
    model: type[AnyPiece], node: Node, written: Callable[[], type[BaseModel]] | None = None
) -> tuple[AnyPiece | None, list[Problem]]:
    """The model's value of a node, without what is wrong in it (None if nothing can be made of the rest), and every problem.

    ``written`` gives the model of what the user may write, where that is more than this model's keys.
    """
    data = node.data
    problems: list[Problem] = []
    for attempt in range(_ROUNDS):
        try:
            return model.model_validate(data, context={}), problems
        except ValidationError as error:
            errors = error.errors(include_url=False)
            if attempt == 0:
                problems = _problems(written() if written is not None else model, node, errors)
            spots = {_spot(data, details["loc"]) for details in errors}
            if None in spots:
                return None, problems
            data = _without(data, spots, {})
    return None, problems


def written_at(node: Node, kept: Sequence[Any]) -> list[int]:
    """Where in a list as it is written each text and each mapping stands that was kept of it."""
    items = node.items or []
    if len(items) == len(kept):
        return list(range(len(kept)))
    found, at = [], 0
    for each in kept:
        while at < len(items) - 1 and (items[at] is not each.node if isinstance(each, Piece) else items[at].data != each):
            at += 1
        found.append(at)
        at += 1
    return found


def _problems(model: type[BaseModel], node: Node, errors: Iterable[ErrorDetails]) -> list[Problem]:
    """The first problems, each once: values that stand for several, as a group's, are wrong several times."""
    found: dict[tuple[int, str, str, str], Problem] = {}
    for details in errors:
        loc = details["loc"]
        key = id(node.at(*loc)), str(loc[-1]) if loc else "", details["type"], details["msg"]
        if key not in found:
            found[key] = _problem(model, node, details)
            if len(found) == _MOST:
                break
    return list(dict.fromkeys(found.values()))


def _required(model: type[BaseModel]) -> bool:
    return any(field.is_required() for field in model.model_fields.values())


_Spot = tuple[int, Part]
"""A mapping's key or a list's index, by the identity of that, wherever it stands."""


def _spot(data: Any, loc: tuple[Part, ...]) -> _Spot | None:
    """The last part of a loc that exists in the data: a missing key spoils its mapping, and a union's tags are no keys."""
    spot: _Spot | None = None
    for part in loc:
        if (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            spot = id(data), part
            data = data[part]  # type: ignore[index]
    return spot


def _without(data: Any, bad: set[_Spot | None], made: dict[int, Any]) -> Any:
    """The data without what is bad; what stands in several places still does."""
    if not isinstance(data, Fields | Items):
        return data
    found = made.get(id(data))
    if found is None:
        if isinstance(data, Fields):
            kept = {key: _without(value, bad, made) for key, value in data.items() if (id(data), key) not in bad}
            found = Fields(data.node, kept)
        else:
            found = Items(data.node, [_without(item, bad, made) for i, item in enumerate(data) if (id(data), i) not in bad])
        made[id(data)] = found
    return found


def _problem(model: type[BaseModel], node: Node, details: ErrorDetails) -> Problem:
    loc, kind, given = details["loc"], details["type"], details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    if loc and loc[-1] == "[key]":
        message, fix = _told(kind, given, context, details["msg"])
        return node.problem(*loc[:-1], message=message, fix=fix, key=True)
    if kind == "extra_forbidden":
        known = _keys(model, loc[:-1])
        listed = f"it may be one of {named(known)}" if known else ""
        fix = did_you_mean(str(loc[-1]), known) or listed
        return node.problem(*loc, message=f'unknown key "{loc[-1]}"', fix=fix, key=True)
    if kind == "missing":
        return node.problem(*loc[:-1], message=f'the key "{loc[-1]}" is missing', fix=f'add "{loc[-1]}:"', key=_keyed(loc[:-1]))
    message, fix = _told(kind, given, context, details["msg"])
    return node.problem(*loc, message=message, fix=fix)


def _told(kind: str, given: Any, context: dict[str, Any], message: str) -> tuple[str, str]:
    """The message of an error, and the fix."""
    if kind == "literal_error":
        words = [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")]
        fix = did_you_mean(given, words) if isinstance(given, str) else ""
        return f"{shown(given)} is none of {', '.join(words)}", fix
    if kind == "value_error":
        told, _, fix = str(context["error"]).partition("; ")
        return told, fix
    return _WORDS.get(kind, _otherwise)(given, context, message), ""


def _keyed(loc: tuple[Part, ...]) -> bool:
    return bool(loc) and isinstance(loc[-1], str)


def _type(wanted: str) -> Callable[[Any, dict[str, Any], str], str]:
    return lambda given, context, message: f"this must be {wanted}, not {shown(given)}"


def _limit(relation: str, key: str) -> Callable[[Any, dict[str, Any], str], str]:
    return lambda given, context, message: f"{given} is too {relation}: it must be at {_LEAST[relation]} {context[key]}"


def _otherwise(given: Any, context: dict[str, Any], message: str) -> str:
    return f"{message[:1].lower()}{message[1:]}, not {shown(given)}"


_LEAST = {"small": "least", "large": "most"}
_WORDS: dict[str, Callable[[Any, dict[str, Any], str], str]] = {
    "string_type": _type("text"),
    "int_type": _type("a whole number"),
    "int_from_float": _type("a whole number"),
    "bool_type": _type("true or false"),
    "list_type": _type("a list"),
    "dict_type": _type("a mapping"),
    "model_type": _type("a mapping"),
    "greater_than_equal": _limit("small", "ge"),
    "less_than_equal": _limit("large", "le"),
    "too_short": lambda given, context, message: f"too few: {context['actual_length']}, at least {context['min_length']} wanted",
    "too_long": lambda given, context, message: f"too many: {context['actual_length']}, at most {context['max_length']} allowed",
    "string_too_short": lambda given, context, message: "this must not be empty",
}


def _keys(model: type[BaseModel], loc: tuple[Part, ...]) -> list[str]:
    """The keys that a mapping at this location may have."""
    types: list[Any] = [model]
    for part in loc:
        types = [found for each in types for found in _under(each, part)] or types  # a union's tag leads nowhere
    return [field.alias or name for each in types if _is_model(each) for name, field in each.model_fields.items()]


def _under(kind: Any, part: Part) -> list[Any]:
    """The types that a value may have under a key or an index of one of this type."""
    if _is_model(kind):
        fields = [field.annotation for name, field in kind.model_fields.items() if (field.alias or name) == part]
        return [found for annotation in fields for found in _choices(annotation)]
    arguments = typing.get_args(kind)
    inside = {dict: isinstance(part, str), list: isinstance(part, int)}.get(typing.get_origin(kind), False)
    return _choices(arguments[-1]) if inside and arguments else []


def _choices(annotation: Any) -> list[Any]:
    """What an annotation is of: each of a union's types, and what it only annotates."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _choices(typing.get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [found for each in typing.get_args(annotation) for found in _choices(each)]
    return [annotation]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
