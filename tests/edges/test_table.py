"""The table of edges, from a report written by hand: who reached what, in which tier, and what is left out."""

from xml.etree import ElementTree

from ci.edges import SLOW, Told, edges, lines, read
from netlab.model.tcp import UNREACHED

REPORT = """
<testsuites><testsuite>
  <testcase classname="tests.edges.test_a" name="test_one">
    <properties><property name="edge" value="tcp.listen.close"/><property name="other" value="x"/></properties>
  </testcase>
  <testcase classname="tests.edges.test_a" name="test_two">
    <properties><property name="edge" value="tcp.listen.close"/></properties>
  </testcase>
  <testcase classname="tests.edges.test_a" name="test_three">
    <properties><property name="edge" value="tcp.listen.abort"/></properties><failure message="no"/>
  </testcase>
  <testcase classname="tests.edges.test_b" name="test_four"><skipped message="not root"/></testcase>
</testsuite></testsuites>
"""


def test_what_a_report_tells() -> None:
    told = read(ElementTree.fromstring(REPORT))
    assert told.by_edge == {"tcp.listen.close": ["test_a::test_one", "test_a::test_two"]}
    assert (told.failed, told.skipped) == (["test_a::test_three"], {"test_b::test_four": "not root"})


def test_a_line_an_edge() -> None:
    rows = [row for row in edges() if row.id in ("tcp.listen.close", "tcp.listen.abort")]
    assert lines(rows, read(ElementTree.fromstring(REPORT)), Told(by_edge={"tcp.listen.abort": ["test_c::test_five"]})) == [
        ("LISTEN > CLOSED", "CLOSE", "RFC 9293 §3.10.4", "test_a::test_one and 1 more", "yes", "-"),
        ("LISTEN > CLOSED", "ABORT", "RFC 9293 §3.10.5", "test_c::test_five", "-", "yes"),
    ]


def test_only_edges_of_the_table_are_left_out() -> None:
    assert {*UNREACHED, *SLOW} <= {row.id for row in edges()}
