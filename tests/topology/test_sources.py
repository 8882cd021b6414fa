"""Loading a topology tells what every file held that it was read from."""

from pathlib import Path

import pytest

from netlab.errors import SpecError
from netlab.topology.load import load_topology

NETWORK = """\
include: [base.yaml, link.yaml]
nodes:
  a: {files: {/etc/motd: {from: motd}, /etc/issue: {from: motd}}}
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    for file, text in (("net.yaml", NETWORK), ("base.yaml", "include: more.yaml\nnodes: {b: {}}\n"), ("motd", "hello\n")):
        (tmp_path / file).write_text(text)
    (tmp_path / "more.yaml").write_bytes(b"\xef\xbb\xbfnodes: {c: {}}\n")  # with a byte order mark
    (tmp_path / "link.yaml").symlink_to("base.yaml")
    return tmp_path / "net.yaml"


def test_each_file_once_as_it_was_and_what_leads_to_one_of_them(net: Path) -> None:
    sources: dict[str, bytes | None] = {}
    load_topology(net, sources=sources)
    held = {str(path): path.read_bytes() for path in net.parent.iterdir() if not path.is_symlink()}
    assert sources == {**held, str(net.with_name("link.yaml")): None}


def test_the_file_alone_where_it_names_no_other(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("nodes: {a: {}}\n")
    sources: dict[str, bytes | None] = {}
    load_topology(path, sources=sources)
    assert sources == {str(path): b"nodes: {a: {}}\n"}


def test_it_makes_no_difference_to_what_is_wrong(net: Path) -> None:
    (net.parent / "motd").unlink()
    told = []
    for sources in (None, dict[str, bytes | None]()):
        with pytest.raises(SpecError) as caught:
            load_topology(net, sources=sources)
        told.append(str(caught.value))
    assert told[0] == told[1]
