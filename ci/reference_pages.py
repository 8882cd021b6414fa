"""Writes docs/reference from the code: commands from click, files and results from their JSON Schemas, Python from docstrings.

    python -m ci.reference_pages

The pages are made anew by every build of the documents and are in no repository, so they cannot be behind the code.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

import netlab
from netlab import api, errors
from netlab.cli import cli
from netlab.json_schemas import schema_of
from netlab.lab.lab import LabNode

FOLDER = Path(__file__).parent.parent / "docs" / "reference"

Schema = dict[str, Any]

_PROSE = {
    "topology": ("Topology files", "What each key of a topology file may hold. How to use them: [topologies](../topologies.md)."),
    "scenario": ("Scenario files", "What each key of a scenario file may hold. How to use them: [scenarios](../scenarios.md)."),
    "claims": ("Claims files", "What each key of a file of claims may hold. How to use them: [conform](../conform.md)."),
    "result": (
        "JSON results",
        "What `--json` writes. The number `schema` goes up when a key changes its meaning or goes; keys may be added without that.",
    ),
}
_CLASSES: tuple[tuple[str, type, tuple[str, ...]], ...] = (
    ("Lab", api.Lab, ("load", "parse", "observe", "call", "run", "release")),
    ("LabNode, an item of a Lab", LabNode, ("address", "addresses", "socket", "run", "popen")),
    ("Seen, what lab.observe() gives", api.Seen, ("packets", "flags", "states", "calls", "lost")),
    ("Called, what lab.call() gives", api.Called, ()),
)
"""What of each class is for users; the rest is how netlab works inside."""


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    made = {"command-line.md": _commands(), "python.md": _python()}
    return made | {f"{kind}.md": _of_schema(kind) for kind in _PROSE}


def write() -> None:
    """Write the pages that are not as they should be: Sphinx then reads no page twice."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        path = FOLDER / name
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def _commands() -> str:
    context = click.Context(cli, info_name="netlab-ns")
    parts = [
        "# Command line",
        "Made from the commands themselves; `netlab-ns COMMAND --help` says the same.",
        _plain(cli.help or ""),
    ]
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is not None:
            parts += _command(command, click.Context(command, info_name=name, parent=context))
    return "\n\n".join(parts) + "\n"


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## {context.info_name}\n\n```text\n{context.command_path} {usage}\n```"
    yield _plain(command.help or "")
    options = [record for each in command.get_params(context) if (record := each.get_help_record(context)) is not None]
    if options:
        yield _table(("option", "meaning"), [(f"`{option}`", _cell(_plain(told))) for option, told in options])
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            within = command.get_command(context, name)
            if within is not None:
                yield from _command(within, click.Context(within, info_name=f"{context.info_name} {name}", parent=context.parent))


def _of_schema(kind: str) -> str:
    schema = schema_of(kind)
    title, prose = _PROSE[kind]
    parts = [f"# {title}", f"{prose} Made from the JSON Schema, which `netlab-ns schema {kind}` prints."]
    parts += _object("The file", schema)
    for name in sorted(schema.get("$defs", {})):
        parts += _object(name, schema["$defs"][name])
    return "\n\n".join(parts) + "\n"


def _object(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {name}"
    if told := schema.get("description"):
        yield _plain(told)
    properties, required = schema.get("properties", {}), schema.get("required", ())
    if properties:
        rows = [
            (f"`{key}`" + (" (required)" if key in required else ""), _cell(_type(one)), _cell(_told(one)))
            for key, one in properties.items()
        ]
        yield _table(("key", "holds", "meaning"), rows)
    else:
        yield _type({key: value for key, value in schema.items() if key != "description"})


def _type(schema: Any) -> str:
    """What a schema allows, in words; a variable may stand for anything and is not told each time."""
    if not isinstance(schema, dict):
        return "anything"
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    for key in ("enum", "const"):
        if key in schema:
            values = schema[key] if key == "enum" else [schema[key]]
            return ", ".join(f"`{json.dumps(value)}`" for value in values)
    for key in ("anyOf", "oneOf"):
        if key in schema and "properties" not in schema:
            told = [_type(one) for one in schema[key] if one != {"$ref": "#/$defs/Variable"} and one != {"type": "null"}]
            return " or ".join(dict.fromkeys(told)) or "anything"
    if "else" in schema and "type" not in schema:
        return _type(schema["else"])
    return _simple(schema)


def _simple(schema: Schema) -> str:
    kind = schema.get("type", "")
    kinds = [kind] if isinstance(kind, str) else [one for one in kind if one != "null"]
    if kinds == ["array"]:
        inner = _type(schema.get("items", {}))
        return "a list" if inner == "anything" else f"a list of {inner}"
    if kinds == ["object"]:
        values = schema.get("additionalProperties")
        inner = _type(values) if isinstance(values, dict) else "anything"
        return "a mapping" if inner == "anything" else f"a mapping to {inner}"
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below"))
        if key in schema
    ]
    return " ".join([" or ".join(kinds) or "anything", *bounds])


def _told(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    within = [one.get("description") for key in ("anyOf", "oneOf") for one in schema.get(key, ()) if isinstance(one, dict)]
    told = schema.get("description") or next((one for one in within if one), "")
    default = schema.get("default")
    parts = [_plain(told)] if told else []
    if default not in (None, [], {}, ""):
        parts.append(f"Left out: `{json.dumps(default)}`.")
    return " ".join(part if part.endswith((".", "!", "?")) or len(parts) == 1 else f"{part}." for part in parts)


def _python() -> str:
    names = ", ".join(f"`{name}`" for name in netlab.__all__)
    parts = ["# Python", f"`import netlab` gives {names}. Made from the docstrings."]
    for title, kind, members in _CLASSES:
        parts += [f"## {title}", _plain(inspect.getdoc(kind) or "")]
        parts += [_member(name, inspect.getattr_static(kind, name)) for name in members]
    rows = [
        (f"`{name}`", _cell(_plain(inspect.getdoc(one) or "")))
        for name, one in vars(errors).items()
        if inspect.isclass(one) and issubclass(one, errors.NetlabError)
    ]
    return "\n\n".join([*parts, "## Errors", _table(("error", "meaning"), rows)]) + "\n"


def _member(name: str, member: Any) -> str:
    called = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    told = _plain(inspect.getdoc(called) or "")
    if not told:
        raise ValueError(f"{name}: a name that users use has no docstring")
    if isinstance(member, property):
        return f"### {name}\n\n{told}"
    return f"### {name}()\n\n```python\n{name}{_signature(called)}\n```\n\n{told}"


def _signature(called: Any) -> str:
    text = re.sub(r"<(?:class )?'?(?:\w+\.)*(\w+)(?:: \d+|')>", r"\1", str(inspect.signature(called)))
    text = re.sub(r"\b(?:netlab|collections|typing|pathlib|socket)(?:\.\w+)*\.(\w+)", r"\1", text)
    return re.sub(r"'([A-Z]\w*)'", r"\1", text)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plain(text: str) -> str:
    """A docstring as Markdown: nothing in it is markup but ``code``."""
    pieces = re.split(r"(``.+?``|`[^`]+`)", inspect.cleandoc(text).replace("\b", ""))
    return "".join(piece if piece.startswith("`") else re.sub(r"([*_<>\[\]#$])", r"\\\1", piece) for piece in pieces)


def main() -> int:
    """Write them."""
    write()
    print(f"{len(pages())} pages in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
