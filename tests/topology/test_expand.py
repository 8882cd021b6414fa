import os
import time
from pathlib import Path
from typing import Any

import pytest

from netlab.document import Document
from netlab.errors import Place, SpecError
from netlab.files import Kind, kind_of
from netlab.topology.expanding.expand import expanded
from netlab.topology.expanding.variables import Settings
from netlab.topology.load import load_topology, parse_topology
from netlab.topology.schema.written import json_schema
from netlab.topology.spec import Topology
from netlab.validate import Problems
from netlab.yaml_nodes import Node


def tree(text: str, **settings: str) -> Node:
    problems = Problems()
    node, unknown = expanded(Document.parse(text, "f.yaml").root, Settings.of(settings), problems)
    assert not problems
    assert not unknown
    return node


def plain(text: str, **settings: str) -> Any:
    return tree(text, **settings).data


def links(text: str) -> list[dict[str, Any]]:
    return list(plain(text)["links"])


def topology(text: str) -> Topology:
    return parse_topology(Document.parse(text, "f.yaml"))


def told(text: str, **settings: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_topology(Document.parse(text, "f.yaml"), settings=settings)
    return [str(problem).removeprefix("f.yaml:") for problem in caught.value.problems]


# variables


def test_a_topology_that_has_nothing_to_work_out_stays_the_very_same_tree() -> None:
    root = Document.parse("name: x\nnodes: {a: {}, b: {}}\nlinks: [{endpoints: [a, 'b:eth3'], mtu: 1400}]\n", "f.yaml").root
    assert expanded(root, Settings({}), Problems())[0] is root


@pytest.mark.parametrize(
    ("declared", "written", "read"),
    [
        ("n: 3", '"${n}"', 3),
        ("n: 3", "${n}", 3),
        ("n: '3'", '"${n}"', "3"),
        ("n: 0x10", '"${n}"', 16),
        ("n: 0x10", '"a${n}"', "a0x10"),
        ("n: 3", '"h${n}-${n}"', "h3-3"),
        ("n: 3", "' ${n}'", " 3"),
        ("n: ~", '"${n}"', None),
        ("n: ~", '"a${n}b"', "ab"),
        ("n: true", '"${n}"', True),
        ("n: [1, {a: 2}]", '"${n}"', [1, {"a": 2}]),
        ("n: {a: [1]}", '["${n}", 2]', [{"a": [1]}, 2]),
        ("n: 3", '"{${n}}"', "{3}"),
        ("n: 3", '"$${n} $${${n}}"', "${n} ${3}"),
        ("n: 3", '"$n $$ ${n}$ {n}"', "$n $$ 3$ {n}"),
        ("n: '$${x}'", '"${n}"', "${x}"),
        ("a: 1, n: '${a}2'", '"${n}3"', "123"),
        ("n: '${a}', a: [1]", '"${n}"', [1]),
        ("a: [1], n: ['${a}', '${a}']", '"${n}"', [[1], [1]]),
        ("n: 3", "{'${n}': '${n}', x: y}", {"3": 3, "x": "y"}),
        ("a-b_1: x", "${a-b_1}y", "xy"),
    ],
)
def test_a_variable_gives_its_value_or_its_text(declared: str, written: str, read: Any) -> None:
    assert plain(f"vars: {{{declared}}}\nnodes:\n  a: {written}\n") == {"nodes": {"a": read}}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("7", 7),
        ("010", 10),
        ("true", True),
        ("10ms", "10ms"),
        ("", None),
        ("[1]", "[1]"),
        ("${m}", "${m}"),
        ("a=b", "a=b"),
        ("1.5", 1.5),
    ],
)
def test_what_is_set_from_outside_stands_in_place_of_what_the_file_says(given: str, read: Any) -> None:
    assert plain('vars: {n: 3, m: "<${n}>"}\nnodes: {a: "${n}"}\n', n=given) == {"nodes": {"a": read}}


def test_what_is_set_from_outside_counts_in_the_values_of_other_variables_too() -> None:
    assert plain('vars: {n: 3, m: "<${n}>"}\nnodes: {a: "${m}"}\n', n="7") == {"nodes": {"a": "<7>"}}


def test_a_value_stands_where_its_variable_is_used_and_what_is_inside_of_it_where_it_was_written() -> None:
    root = tree('vars:\n  n: [1, {a: 2}]\n  t: word\nnodes:\n  x: "${n}"\n  "${t}": "a ${t} ${t}"\n')
    assert (root.place("nodes", "x"), root.place("nodes", "x", 1, "a")) == (Place("f.yaml", 5, 6), Place("f.yaml", 2, 14))
    assert (root.place("nodes", "word", key=True), root.place("nodes", "word", offset=5)) == (
        Place("f.yaml", 6, 3),
        Place("f.yaml", 6, 11),
    )


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ('vars: {host: 3}\nnodes: {a: {kind: "x ${hosts}"}}\n', ['2:22: no variable "hosts"; did you mean "host"?']),
        (
            'nodes:\n  a:\n    start:\n      - shell: |\n          echo one\n            echo ${HOME} | cat\n',
            ['6:18: no variable "HOME"; declare it under vars:, or write $${HOME} for a plain ${HOME}'],
        ),
        ("vars: {}\nnodes:\n  ${a}: {}\n", ['3:3: no variable "a"; declare it under vars:, or write $${a} for a plain ${a}']),
        (
            'vars: {x: 1}\nnodes: {a: "it\'s ${x} and ${x"}\n',
            ['2:27: this "${" is not closed; write ${NAME}, or $${ for a plain ${'],
        ),
        (
            'vars: {x: [1]}\nnodes: {a: "y ${x}"}\n',
            ['2:15: the value of "x" is a list, which cannot stand within a text; write ${x} alone, as the whole value'],
        ),
        (
            'vars: {a: "${b}", b: "${c} ", c: "${a}"}\nnodes: {a: {}}\n',
            ['1:34: the value of "a" is made of itself: a -> b -> c -> a; write one of these out'],
        ),
        (
            'vars: {a: "<${a}>"}\nnodes: {a: {}}\n',
            ['1:13: the value of "a" is made of itself: a -> a; write one of these out'],
        ),
        ("vars: {a b: 1, '': 2}\nnodes: {a: {}}\n", [
            '1:8: "a b" is no name for a variable; a letter or _, then letters, digits, _ and -',
            '1:16: "" is no name for a variable; a letter or _, then letters, digits, _ and -',
        ]),
        ("vars: [a]\nnodes: {a: {}}\n", ["1:7: this must be a mapping, not a list"]),
        (
            "vars: {x: a}\nnodes:\n  a: {}\n  ${x}: {}\n",
            ['4:3: the key "a" is written twice, first in line 3; remove one of the two'],
        ),
        ("nodes: {a: ${x}}\n", [
            "1:13: this is not YAML: while parsing a flow mapping, did not find expected ',' or '}'; "
            'inside of [...] and {...} a text with a { in it must be quoted, in "..."',
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_variables_is_told_at_its_column(text: str, problems: list[str]) -> None:
    assert told(text) == problems


def test_every_value_that_a_variable_spoils_is_told_where_it_is_used() -> None:
    text = (
        'vars: {m: fast}\nnodes: {a: {}, b: {}}\nlinks:\n  - {endpoints: [a, b], mtu: "${m}"}\n  - {endpoints: [a, b], mtu: 67}\n'
    )
    assert told(text) == ['4:30: this must be a whole number, not "fast"', "5:30: 67 is too small: it must be at least 68"]


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ({"hots": "7"}, ['--set hots: no variable "hots" is declared; did you mean "hosts"?']),
        ({"x": "1"}, ['--set x: no variable "x" is declared; the variables are delay, hosts']),
        ({"hosts": "9" * 50}, ["--set hosts: a number of 50 digits is too long"]),
    ],
)
def test_what_is_set_and_not_declared_is_told(settings: dict[str, str], problems: list[str]) -> None:
    assert told("vars: {hosts: 1, delay: 2}\nnodes: {a: {}}\n", **settings) == problems


def test_settings_that_several_files_share_are_asked_at_the_end(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(f"vars: {{{name}: 1}}\nnodes: {{a: {{sysctls: {{net.x.y: '${{{name}}}'}}}}}}\n")
    shared = Settings.of({"one": "5", "two": "6"})
    read = [load_topology(tmp_path / f"{name}.yaml", shared).nodes[0].sysctls for name in ("one", "two")]
    shared.check()
    assert read == [(("net.x.y", "5"),), (("net.x.y", "6"),)]
    lone = Settings.of({"one": "5", "two": "6"})
    load_topology(tmp_path / "one.yaml", lone)
    with pytest.raises(SpecError, match=r'^--set two: no variable "two" is declared; the variables are one$'):
        lone.check()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "vars: {v0: x, " + ", ".join(f"v{i + 1}: ['${{v{i}}}']" for i in range(100)) + "}\nnodes: {a: {}}\n",
            "nested deeper than 64 levels, with its variables",
        ),
        (
            "vars: {" + ", ".join(f"v{i}: 'x${{v{i + 1}}}'" for i in range(100)) + ", v100: x}\nnodes: {a: {}}\n",
            "variables of variables, more than 32 deep",
        ),
        (
            "vars: {v0: [x], "
            + ", ".join(f"v{i + 1}: [{', '.join(10 * [f'${{v{i}}}'.join(2 * [chr(34)])])}]" for i in range(9))
            + "}\n",
            "more than 100,000 values, with its variables",
        ),
        (
            "vars: {v0: xx, " + ", ".join(f"v{i + 1}: '{10 * f'${{v{i}}}'}'" for i in range(9)) + "}\n",
            "variables make more than 1 MB of text",
        ),
    ],
    ids=["deep", "long", "many", "large"],
)
def test_variables_that_blow_up_are_refused_at_once(text: str, problem: str) -> None:
    began = time.process_time()
    assert [line.partition(": ")[2] for line in told(text)] == [problem]
    assert time.process_time() - began < 1


# files


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / "main.yaml"


def told_of(path: Path) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_topology(path)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_included_files_come_first_and_the_last_value_of_a_variable_counts_in_all(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    path = write(
        tmp_path,
        main="# Why.\ninclude: [base.yaml, parts/more.yaml]\nvars: {n: 3, s: '[${n}]'}\nname: whole\nneighbours: all\n"
        "nodes: {m: {env: {N: '${n}', S: '${s}'}}}\nlinks: [{endpoints: [m, b]}]\n",
        base="name: base\nneighbours: kernel\nvars: {n: 1, t: '<${n}>'}\nnodes: {b: {env: {N: '${n}', T: '${t}'}}}\n"
        "links: [{endpoints: [b, c]}]\n",
    )
    write(tmp_path / "parts", more="include: ../base.yaml\nnodes: {c: {}}\noverlays: []\n")
    root, _ = expanded(Document.read(path).root, Settings({}), Problems())
    assert root.data == {
        "name": "whole", "neighbours": "all", "overlays": [],
        "nodes": {"b": {"env": {"N": 3, "T": "<3>"}}, "c": {}, "m": {"env": {"N": 3, "S": "[3]"}}},
        "links": [{"endpoints": ["b", "c"]}, {"endpoints": ["m", "b"]}],
    }  # fmt: skip
    assert [root.place(*loc, key=True) for loc in (("nodes", "b"), ("nodes", "c"), ("nodes", "m"))] == [
        Place(str(tmp_path / "base.yaml"), 4, 9),
        Place(str(tmp_path / "parts" / "more.yaml"), 2, 9),
        Place(str(path), 6, 9),
    ]
    read = load_topology(path)
    assert kind_of(str(path)) is Kind.TOPOLOGY
    assert (read.name, read.intent, [link.place.file for link in read.links]) == (
        "whole",
        "Why.",
        [str(tmp_path / "base.yaml"), str(path)],
    )


def test_a_setting_goes_before_what_every_file_says(tmp_path: Path) -> None:
    path = write(tmp_path, main="include: base.yaml\nvars: {n: 2}\n", base="vars: {n: 1}\nnodes: {h: {count: '${n}'}}\n")
    assert [len(load_topology(path, settings).nodes) for settings in (None, {"n": "4"})] == [2, 4]


def test_a_file_gets_as_many_keys_from_those_that_it_includes_as_it_loses(tmp_path: Path) -> None:
    path = write(tmp_path, main="include: base.yaml\nlinks: [{endpoints: [a, b]}]\n", base="nodes: {a: {}, b: {}}\n")
    assert [end.node for end in load_topology(path).links[0].endpoints] == ["a", "b"]


def test_what_is_wrong_in_an_included_file_has_its_place_there(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main="include: [base.yaml]\nnodes: {a: {knid: x}}\n",
        base="nodes: {b: {}}\nlinsk: []\nlinks: [{endpoints: [b, d]}]\n",
    )
    assert told_of(path) == [
        'base.yaml:2:1: unknown key "linsk"; did you mean "links"?',
        'base.yaml:3:25: no node "d"; the nodes are a, b',
        'main.yaml:2:13: unknown key "knid"; did you mean "kind"?',
    ]


@pytest.mark.parametrize(
    ("files", "problems"),
    [
        (
            {"main": "nodes: {m: {}}\ninclude:\n  - bse.yaml\n", "base": "nodes: {a: {}}\n"},
            ['main.yaml:3:5: bse.yaml: there is no such file; did you mean "base.yaml"?'],
        ),
        ({"main": "include: [..]\n"}, ["main.yaml:1:11: ..: this is a directory, not a file"]),
        ({"main": "include: [7, '', [a]]\n"}, [
            "main.yaml:1:11: this must be the path of a topology file, not 7 (a number)",
            'main.yaml:1:14: this must be the path of a topology file, not ""',
            "main.yaml:1:18: this must be the path of a topology file, not a list",
        ]),
        ({"main": "include:\nnodes: {a: {}}\n"}, ["main.yaml:1:9: this must be the path of a topology file, not nothing"]),
        (
            {"main": "vars: {v: 1}\ninclude: ['${v}.yaml']\nnodes: {a: {}}\n"},
            ["main.yaml:2:11: a file's name has no variables: they are known only when every file is read; write the name out"],
        ),
        (
            {"main": "include: [a.yaml]\n", "a": "include: [b.yaml]\n", "b": "nodes: {}\ninclude: [main.yaml, b.yaml]\n"},
            [
                "b.yaml:2:11: main.yaml includes itself: main.yaml -> a.yaml -> b.yaml -> main.yaml; leave one of these out",
                "b.yaml:2:22: b.yaml includes itself: b.yaml -> b.yaml; leave one of these out",
            ],
        ),
        (
            {"main": "include: [a.yaml, b.yaml]\nnodes:\n  y: {}\n", "a": "nodes: {x: {}, y: {}}\n", "b": "nodes: {x: {}}\n"},
            [
                'b.yaml:1:9: the node "x" is there already, in a.yaml:1; rename one of the two',
                'main.yaml:3:3: the node "y" is there already, in a.yaml:1; rename one of the two',
            ],
        ),
        ({"main": "include: [a.yaml, b.yaml, c.yaml]\n", "a": "[1]\n", "b": "links: {}\nnodes: [a]\nvars:\n", "c": "a: [\n"}, [
            "a.yaml:1:1: a topology is a mapping, not a list; write nodes: and links:",
            "b.yaml:1:8: this must be a list, not a mapping",
            "b.yaml:2:8: this must be a mapping, not a list",
            "b.yaml:3:6: this must be a mapping, not nothing",
            "c.yaml:2:1: this is not YAML: while parsing a flow node, did not find expected node content; "
            "is a bracket or quote not closed, or the indentation uneven?",
        ]),
        (
            {"main": "include: [f0.yaml]\n", **{f"f{i}": f"include: [f{i + 1}.yaml]\n" for i in range(20)}},
            ["f15.yaml:1:11: files include each other more than 16 levels deep"],
        ),
        (
            {"main": "include: [a.yaml, b.yaml]\n", **{name: f"nodes: {{{name}: [{'1,' * 60_000}]}}\n" for name in "ab"}},
            ["main.yaml:1:19: with b.yaml the topology has more than 100,000 values; is this the right file?"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_including(tmp_path: Path, files: dict[str, str], problems: list[str]) -> None:
    assert told_of(write(tmp_path, **files)) == problems


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert told_of(write(tmp_path, main="include: pipe.yaml\n")) == ["main.yaml:1:10: pipe.yaml: this is no regular file"]


# groups


def test_a_group_is_as_many_nodes_that_are_all_alike() -> None:
    text = "nodes: {a: {}, h: {count: 3, kind: router, env: {A: b}}, p: {count: 2, name: 'x{n}-{n}', first: 9}, "
    text += "z: {count: 1, name: last}}\n"
    router = {"kind": "router", "env": {"A": "b"}}
    assert plain(text) == {"nodes": {"a": {}, "h1": router, "h2": router, "h3": router, "x9-9": {}, "x10-10": {}, "last": {}}}
    assert [(node.name, node.place) for node in topology(text).nodes][1:4] == [(f"h{n}", Place("f.yaml", 1, 16)) for n in (1, 2, 3)]


def test_a_group_at_one_end_of_a_link_gives_a_link_for_each_member() -> None:
    text = "nodes: {s: {kind: switch}, h: {count: 2}}\nlinks: [{endpoints: ['h:eth3', s], mtu: 1400, subnets: [10.0.0.0/24]}]\n"
    assert links(text) == [{"endpoints": [f"h{n}:eth3", "s"], "mtu": 1400, "subnets": ["10.0.0.0/24"]} for n in (1, 2)]
    root = tree(text)
    assert {root.place("links", i, *loc) for i in (0, 1) for loc in ((), ("endpoints",), ("endpoints", 0))} == {
        Place("f.yaml", 2, 9), Place("f.yaml", 2, 21), Place("f.yaml", 2, 22),
    }  # fmt: skip


def test_two_groups_on_a_link_give_a_link_for_every_pair() -> None:
    text = "nodes: {g: {count: 2}, h: {count: 2}}\nlinks: [{endpoints: [g, h]}]\n"
    assert [link["endpoints"] for link in links(text)] == [["g1", "h1"], ["g1", "h2"], ["g2", "h1"], ["g2", "h2"]]


def test_what_a_link_says_of_a_group_holds_for_each_member_unless_it_has_its_own() -> None:
    text = "nodes: {s: {kind: switch}, h: {count: 3}}\nlinks:\n  - endpoints: [h, s]\n"
    text += "    addresses: {h3: 10.0.0.9/24}\n    mac: {h: '02:00:00:00:00:01', s: '02:00:00:00:00:02'}\n    vlans: {s: 10}\n"
    text += "    impair: {h->s: {delay: 1ms}, s -> h: {delay: 2ms}, h2->s: {delay: 3ms}, both: {loss: 1%}}\n"

    def expected(n: int, delay: str) -> dict[str, Any]:
        return {
            "endpoints": [f"h{n}", "s"],
            "addresses": {"h3": "10.0.0.9/24"} if n == 3 else {},
            "mac": {f"h{n}": "02:00:00:00:00:01", "s": "02:00:00:00:00:02"},
            "vlans": {"s": 10},
            "impair": {"both": {"loss": "1%"}, f"h{n}->s": {"delay": delay}, f"s->h{n}": {"delay": "2ms"}},
        }

    assert links(text) == [expected(1, "1ms"), expected(2, "3ms"), expected(3, "1ms")]
    assert tree(text).place("links", 2, "impair", "s->h3", key=True) == Place("f.yaml", 7, 34)


def test_a_group_stands_for_its_members_among_neighbours_and_in_overlays() -> None:
    text = "nodes: {a: {}, h: {count: 2}}\nneighbours: [a, h]\n"
    text += "overlays: [{name: blue, vni: 1, nodes: [h, a], addresses: {h: 10.0.0.1/24, h2: 10.0.0.2/24, a: 10.0.0.3/24}}]\n"
    read = plain(text)
    assert (read["neighbours"], read["overlays"]) == (
        ["a", "h1", "h2"],
        [
            {
                "name": "blue",
                "vni": 1,
                "nodes": ["h1", "h2", "a"],
                "addresses": {"h1": "10.0.0.1/24", "h2": "10.0.0.2/24", "a": "10.0.0.3/24"},
            }
        ],
    )


def test_a_group_of_a_variable_number() -> None:
    text = 'vars: {n: 1}\nnodes: {s: {kind: switch}, h: {count: "${n}"}}\nlinks: [{endpoints: [h, s]}]\n'
    assert [len(plain(text, **settings)["links"]) for settings in ({}, {"n": "5"})] == [1, 5]


# lines, rings, meshes, segments


@pytest.mark.parametrize(
    ("link", "ends"),
    [
        ("{line: [a, r, b]}", ["a-r1", "r1-r2", "r2-r3", "r3-b"]),
        ("{line: r}", ["r1-r2", "r2-r3"]),
        ("{line: [a, b, a]}", ["a-b", "b-a"]),
        ("{line: ['a:x', b]}", ["a:x-b"]),
        ("{ring: [r]}", ["r1-r2", "r2-r3", "r3-r1"]),
        ("{mesh: [r, a]}", ["r1-r2", "r1-r3", "r1-a", "r2-r3", "r2-a", "r3-a"]),
    ],
)
def test_lines_rings_and_meshes(link: str, ends: list[str]) -> None:
    text = f"nodes: {{a: {{}}, b: {{}}, r: {{count: 3}}}}\nlinks: [{link}]\n"
    assert ["-".join(each["endpoints"]) for each in links(text)] == ends


@pytest.mark.parametrize(
    ("pools", "pieces"),
    [
        ("[10.0.0.0/28]", [["10.0.0.0/30"], ["10.0.0.4/30"], ["10.0.0.8/30"]]),
        ("['fd00::/62']", [["fd00::/64"], ["fd00:0:0:1::/64"], ["fd00:0:0:2::/64"]]),
        (
            "['fd00::/65', 10.0.0.0/8]",
            [["fd00::/127", "10.0.0.0/30"], ["fd00::2/127", "10.0.0.4/30"], ["fd00::4/127", "10.0.0.8/30"]],
        ),
        ("[]", [[], [], []]),
    ],
)
def test_pools_are_cut_into_a_subnet_for_each_link(pools: str, pieces: list[list[str]]) -> None:
    text = f"nodes: {{r: {{count: 3}}}}\nlinks: [{{ring: [r], subnets: {pools}}}]\n"
    assert [link["subnets"] for link in links(text)] == pieces
    assert len(topology(text).links) == 3


def test_pools_are_cut_for_a_group_whose_links_are_apart() -> None:
    text = "nodes: {r: {kind: router}, h: {count: 2}}\nlinks: [{endpoints: [h, r], subnets: [10.0.0.0/24]}]\n"
    assert [link["subnets"] for link in links(text)] == [["10.0.0.0/30"], ["10.0.0.4/30"]]


def test_a_line_of_switches_is_one_segment_and_keeps_its_subnets_whole() -> None:
    text = "nodes: {s: {kind: switch, count: 3}, a: {}}\nlinks: [{line: [s], subnets: [10.0.0.0/24]}, {endpoints: [a, s2]}]\n"
    assert {link.subnets for link in topology(text).links} == {topology(text).links[0].subnets}


def test_a_link_of_three_is_a_segment_around_a_switch() -> None:
    text = (
        "nodes: {a: {}, b: {}, lan1: {}, h: {count: 2}}\nlinks:\n  - {endpoints: [a, b, lan1], subnets: [10.0.0.0/24], mtu: 1400}\n"
    )
    text += "  - {endpoints: ['a:x', h, b], name: wan, impair: {h->wan: {delay: 1ms}, both: [{match: S, action: drop}]}}\n"
    text += "  - endpoints: [a, b, h1]\n"
    read = plain(text)
    assert read["nodes"] == {
        "a": {}, "b": {}, "lan1": {}, "h1": {}, "h2": {}, "lan2": {"kind": "switch", "subnets": ["10.0.0.0/24"]},
        "wan": {"kind": "switch"}, "lan3": {"kind": "switch"},
    }  # fmt: skip
    both = {"both": [{"match": "S", "action": "drop"}]}
    assert read["links"] == [
        *({"endpoints": [end, "lan2"], "mtu": 1400} for end in ("a", "b", "lan1")),
        {"endpoints": ["a:x", "wan"], "impair": both},
        {"endpoints": ["h1", "wan"], "impair": both | {"h1->wan": {"delay": "1ms"}}},
        {"endpoints": ["h2", "wan"], "impair": both | {"h2->wan": {"delay": "1ms"}}},
        {"endpoints": ["b", "wan"], "impair": both},
        *({"endpoints": [end, "lan3"]} for end in ("a", "b", "h1")),
    ]
    assert [node.place for node in topology(text).nodes[5:]] == [Place("f.yaml", *at) for at in ((3, 5), (4, 38), (5, 5))]


@pytest.mark.parametrize(
    ("nodes", "link", "problems"),
    [
        ("h: {count: 0}", "", ["1:20: 0 is too small: it must be at least 1"]),
        ("h: {count: 10001}", "", ["1:20: 10001 is too large: it must be at most 10000"]),
        ("h: {count: many, first: -1}", "", [
            '1:20: this must be a whole number, not "many"', "1:33: -1 is too small: it must be at least 0",
        ]),
        ("h: {count: }", "", []),
        ("h: {name: x, first: 1}", "", [
            '1:13: "name" is of groups, and there is no count; add count:, or leave it out',
            '1:22: "first" is of groups, and there is no count; add count:, or leave it out',
        ]),
        ("h: {count: 2, name: x}", "", ['1:29: all 2 members would be called "x"; write {n} where the number goes: "x{n}"']),
        ("h2: {}, h: {count: 2}", "", [
            '1:17: "h2", a member of the group h, is there already, in line 1; give the members another name:',
        ]),
        ("h: {count: 2}, h2: {}", "", [
            '1:9: "h2", a member of the group h, is there already, in line 1; give the members another name:',
        ]),
        ("h: {count: 1, name: h}", "", []),
        ("H: {count: 3}", "", [
            f'1:9: "H{n}" is no name for a node; a small letter, then small letters, digits and -, at most 63 in all'
            for n in (1, 2, 3)
        ]),
        ("H: {count: 3, name: 'h{n}'}", "", [
            '1:9: "H" is no name for a group; a small letter, then small letters, digits and -, at most 63 in all',
        ]),
        ("both: {count: 3, name: 'h{n}'}", "", [
            '1:9: a group cannot be called "both": the word has a meaning of its own; choose another name',
        ]),
        ("h: {count: 500, kind: swich, cuont: 1}", "", [
            '1:31: "swich" is none of host, router, nat, switch, peer; did you mean "switch"?',
            '1:38: unknown key "cuont"; did you mean "count"?',
        ]),
        ("h: {count: 500}, a: {}", "endpoints: [h, hh], mtu: 1, knid: 2", [
            '2:25: no node or group "hh"; did you mean "h"?',
            "2:35: 1 is too small: it must be at least 68",
            '2:38: unknown key "knid"; it may be one of endpoints, subnets, addresses, allow_duplicate, mtu, mac, state, offloads, '
            "vlans, impair, line, ring, ...",
        ]),
        ("h: {count: 3}", "endpoints: [h, 'h:x']", [
            "2:21: both ends of the link are the group h; mesh: [h] links every two of its members",
        ]),
        ("h: {count: 3}, s: {kind: switch}", "endpoints: [h, s], addresses: {x: 10.0.0.1/24}, impair: {x->s: {delay: 1ms}}", [
            "2:41: x is not on this link; its nodes are h1 and s",
            '2:67: no node "x"; did you mean "h1->s"?',
        ]),
        ("h: {count: 3}", "line: [h], endpoints: [h1, h2]", [
            "2:21: a link has one of endpoints, line, ring, mesh, and here are line and endpoints; make it two links",
        ]),
        ("h: {count: 2}", "ring: [h]", ["2:16: a ring joins at least 3 nodes, and here are 2"]),
        ("h: {}", "line: h", ["2:16: a line joins at least 2 nodes, and here is 1"]),
        ("h: {}", "mesh: []", ["2:16: a mesh joins at least 2 nodes, and here are 0"]),
        ("h: {}", "mesh: {}", ["2:16: this must be a list, not a mapping"]),
        ("h: {}", "mesh: ", ["2:16: this must be a list, not nothing"]),
        ("h: {}", "mesh: [h, [h]]", ["2:20: this must be text, not a list"]),
        ("h: {count: 2}", "line: [h, x]", ['2:20: no node or group "x"; they are h']),
        ("h: {}, g: {}", "endpoints: [h, g], name: x", [
            '2:29: "name" is of shared segments, and this link has no three endpoints; leave it out',
        ]),
        ("h: {}, g: {count: 2}", "line: [h, g], name: x", [
            '2:24: "name" is of shared segments, and this link has no three endpoints; leave it out',
        ]),
        ("h: {}, g: {count: 2}", "endpoints: [h, g1, g2], name: h", [
            '2:40: the name "h" is taken, by what stands in line 1; choose another for this segment\'s switch',
        ]),
        ("h: {}, g: {count: 2}", "endpoints: [h, g1, g2], name: g", [
            '2:40: the name "g" is taken, by a group; choose another for this segment\'s switch',
        ]),
        ("h: {}, g: {count: 2}", "endpoints: [h, g1, g2], name: 7", ["2:40: this must be text, not 7 (a number)"]),
        ("h: {}, g: {count: 2}", "endpoints: [h, g1, g2], name: X", [
            '2:40: "X" is no name for a node; a small letter, then small letters, digits and -, at most 63 in all',
        ]),
        ("h: {}, g: {}", "endpoints: [h, g, [h]]", ["2:28: this must be text, not a list"]),
        ("r: {count: 6}", "line: [r], subnets: [10.0.0.0/28, 'fd00::/64', 10.1.0.0/31]", [
            "2:31: 10.0.0.0/28 can be cut into 4 subnets of /30, and there are 5 links; give a pool of /27 or larger",
            "2:44: fd00::/64 can be cut into 1 subnets of /64, and there are 5 links; give a pool of /61 or larger",
            "2:57: 10.1.0.0/31 can be cut into 0 subnets of /30, and there are 5 links; give a pool of /27 or larger",
        ]),
        ("r: {count: 3}", "line: [r], subnets: [10.0.0.1/24, 10.0.0.0/33, 7]", [
            "2:31: 10.0.0.1/24 is an address within its subnet, not the subnet; did you mean 10.0.0.0/24?",
            '2:44: "10.0.0.0/33" is no subnet; write for example 10.0.0.0/24 or "fd00::/64"',
            "2:57: this must be a subnet such as 10.0.0.0/24, not 7 (a number)",
        ]),
        ("r: {count: 3}, s: {kind: switch}", "line: [r, s], subnets: [10.0.0.0/24]", [
            "2:33: these subnets cannot be cut into one for each link: s joins links into one segment; "
            "give the switch its subnets, or leave them out",
        ]),
        ("g: {count: 5000}, h: {count: 5000}, i: {}", "", ["1:45: with this the topology has more than 10,000 nodes and links"]),
        ("g: {count: 200}", "mesh: [g]", ["2:9: with this the topology has more than 10,000 nodes and links"]),
        ("g: {count: 4900}", f"ring: [g], impair: {{both: [{'{match: S, action: drop},' * 80}]}}", [
            "2:9: with this the topology has more than 1,000,000 values in nodes and links",
        ]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_groups_and_links_is_told_where_it_is_written(nodes: str, link: str, problems: list[str]) -> None:
    text = f"nodes: {{{nodes}}}\n" + (f"links: [{{{link}}}]\n" if link else "")
    if not problems:
        assert topology(text)
    else:
        assert told(text) == problems


def test_a_thousand_members_do_not_hide_what_else_is_wrong() -> None:
    text = "nodes: {s: {kind: switch}, h: {count: 900, subnets: [10.0.0.0/24], vrfs: 7}, b: {kind: x}}\n"
    text += "links: [{endpoints: [h, s], mtu: 2}, {endpoints: [b, zzz]}]\n"
    problems = told(text)
    assert [line.partition(" ")[0] for line in problems] == ["1:44:", "1:74:", "1:88:", "2:34:", "2:54:"]


def test_members_share_what_their_group_says() -> None:
    text = "nodes: {s: {kind: switch}, h: {count: 900, env: {A: b}}}\nlinks: [{endpoints: [h, s], impair: {both: {delay: 1ms}}}]\n"
    root = tree(text)
    assert len({id(root.at("nodes", f"h{n}")) for n in range(1, 901)}) == 1
    assert len({id(root.at("links", i, "impair")) for i in range(900)}) == 1


def test_a_thousand_members_are_there_at_once() -> None:
    root = Document.parse(
        "nodes: {s: {kind: switch}, h: {count: 1000, env: {A: b}}}\nlinks: [{endpoints: [h, s]}]\n", "f.yaml"
    ).root

    def took() -> float:
        began = time.process_time()
        expanded(root, Settings({}), Problems())
        return time.process_time() - began

    assert min(took() for _ in range(5)) < 0.05  # 5 ms on a quiet machine


def test_an_unknown_key_names_those_that_may_be_written() -> None:
    assert told("inclde: [x]\nvras: {}\nnodes: {a: {frist: 1}}\nlinks: [{lien: [a]}]\n") == [
        '1:1: unknown key "inclde"; did you mean "include"?',
        '2:1: unknown key "vras"; did you mean "vars"?',
        '3:13: unknown key "frist"; did you mean "first"?',
        '4:9: the key "endpoints" is missing; add "endpoints:"',
        '4:10: unknown key "lien"; did you mean "line"?',
    ]


def test_the_schema_of_what_may_be_written() -> None:
    schema = json_schema()
    node, link = schema["$defs"]["NodeWritten"], schema["$defs"]["LinkWritten"]
    assert {"include", "vars", "nodes", "links", "overlays", "neighbours", "name"} <= schema["properties"].keys()
    assert {"count", "first", "name", "kind"} <= node["properties"].keys()
    assert {"endpoints", "line", "ring", "mesh", "name", "mtu"} <= link["properties"].keys()
    assert link["oneOf"] == [{"required": [form]} for form in ("endpoints", "line", "ring", "mesh")]
    assert node["dependentRequired"] == {"name": ["count"], "first": ["count"]}
    assert link["properties"]["mtu"]["anyOf"][1] == {"$ref": "#/$defs/Variable"}
    assert schema["$defs"]["Variable"]["pattern"] == r"\$\{"
