"""Records of the names that labs have under /run/netns, each with the namespace that it is of.

A record is written before the first name is made and removed after the last is gone, so that after a crash exactly those are found
again. It does not know how a name is made.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

FOLDER = "/run/netlab/exposed"
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """A record: a lab's name and identity, and for each name of a namespace the device and inode of that namespace."""

    lab: str
    id: str
    namespaces: Mapping[str, tuple[int, int]]


def every() -> list[Exposed]:
    """Every record there is."""
    names = sorted(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else []
    found = [read(name.removesuffix(_SUFFIX)) for name in names if name.endswith(_SUFFIX)]
    return [record for record in found if record is not None]


def read(lab: str) -> Exposed | None:
    """The record of a lab's name, if there is one."""
    try:
        with open(_path(lab), encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    import json  # few labs have a record

    try:
        data = json.loads(text)
        namespaces = {name: (int(device), int(inode)) for name, (device, inode) in data["namespaces"].items()}
        return Exposed(lab=lab, id=data["id"], namespaces=namespaces)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Exposed(lab=lab, id="", namespaces={})  # the record was cut short, so that no name was made yet


def write(record: Exposed) -> None:
    """Write a record, as a whole or not at all."""
    import json

    os.makedirs(FOLDER, mode=0o755, exist_ok=True)
    fresh = f"{FOLDER}/{record.lab}.new"
    with open(fresh, "w", encoding="utf-8") as file:
        json.dump({"id": record.id, "namespaces": dict(record.namespaces)}, file)
    os.replace(fresh, _path(record.lab))


def remove(record: Exposed) -> None:
    """Remove a record."""
    try:
        os.unlink(_path(record.lab))
    except FileNotFoundError:
        pass


def _path(lab: str) -> str:
    return f"{FOLDER}/{lab}{_SUFFIX}"
