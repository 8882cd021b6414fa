from pathlib import Path
from typing import Any

import pytest

from netlab.document import Document
from netlab.errors import Place, SpecError


def data(text: str) -> Any:
    return Document.parse(text, "f.yaml").data


def test_only_the_core_tags_of_yaml_1_2_are_read() -> None:
    text = (
        "a: 010\nb: 0o17\nc: 0x1F\nd: on\ne: yes\nf: 12:34:56\ng: 1_000\nh: True\ni: ~\nj: 1.5e3\nk: 2001-01-01\nl:\nm: -7\n<<: x\n"
    )
    assert data(text) == {
        "a": 10, "b": 15, "c": 31, "d": "on", "e": "yes", "f": "12:34:56", "g": "1_000", "h": True, "i": None, "j": 1500.0,
        "k": "2001-01-01", "l": None, "m": -7, "<<": "x",
    }  # fmt: skip


def test_a_quoted_scalar_is_text_and_an_explicit_core_tag_is_obeyed() -> None:
    assert data("a: '1'\nb: \"true\"\nc: !!str 5\nd: ! 7\ne: !!float 1\n") == {"a": "1", "b": "true", "c": "5", "d": "7", "e": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!int x\n", 'f.yaml:1:4: "x" is no int'),
        ("a: !!binary eA==\n", "f.yaml:1:4: the tag !!binary is not allowed"),
        ("a: !mine x\n", "f.yaml:1:4: the tag !mine is not allowed; only plain YAML is read"),
        ("a: @x\n", "f.yaml:1:4: this is not YAML: while scanning for the next token, found character that cannot start any token; "
                    "a text that begins with @ must be quoted"),
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        data(text)
    assert str(caught.value) == message


def test_keys_are_text_as_written() -> None:
    assert data("1: a\ntrue: b\n~: c\n") == {"1": "a", "true": "b", "~": "c"}


def test_an_alias_is_what_it_stands_for() -> None:
    assert data("a: &x {b: [1, 2]}\nc: *x\n") == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}


def test_a_thousand_values_aliased_ninety_times_fit_and_a_hundred_times_do_not() -> None:
    thousand = "a: &a [" + "1, " * 999 + "1]\n"
    assert len(data(thousand + "b: [" + "*a, " * 89 + "*a]\n")["b"]) == 90
    with pytest.raises(SpecError, match="more than 100,000 values with this alias"):
        data(thousand + "b: [" + "*a, " * 99 + "*a]\n")


def test_places_of_values_keys_items_and_characters_within_texts() -> None:
    document = Document.parse("a:\n  - b: plain text\n    c: 'it''s'\n    d: \"x\\t\\\"y\"\n", "f.yaml")
    assert document.place() == Place("f.yaml", 1, 1)
    assert document.place(("a", 0, "b")) == Place("f.yaml", 2, 8)
    assert document.place(("a", 0, "b"), key=True) == Place("f.yaml", 2, 5)
    assert document.place(("a", 0, "b"), offset=6) == Place("f.yaml", 2, 14)
    assert document.place(("a", 0, "c"), offset=3) == Place("f.yaml", 3, 13)
    assert document.place(("a", 0, "d"), offset=3) == Place("f.yaml", 4, 14)
    assert document.place(("a", 5, "nothing")) == Place("f.yaml", 2, 3)


def test_a_column_counts_characters_not_bytes() -> None:
    assert Document.parse("é: {ü: x}\n", "f.yaml").place(("é", "ü")) == Place("f.yaml", 1, 8)


def test_a_text_over_several_lines_has_one_place() -> None:
    assert Document.parse("a: one\n  two three\n", "f.yaml").place(("a",), offset=8) == Place("f.yaml", 1, 4)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("# One.\n# Two.\na: 1\n", "One.\nTwo."),
        ("\n---\n# One.\n\n# Not this.\na: 1\n", "One."),
        ("# yaml-language-server: $schema=x.json\n# One.\na: 1\n", "One."),
        ("a: 1\n# Not this.\n", ""),
        ("#One.\n#\n#  Three.\na: 1\n", "One.\n\n Three."),
    ],
)
def test_the_intent_is_the_comment_on_top(text: str, intent: str) -> None:
    assert Document.parse(text, "f.yaml").intent == intent


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    document = Document.read(path)
    assert (document.data, document.place(("a",))) == ({"a": 1}, Place(str(path), 1, 4))
