"""Every malformed file is refused with all of its errors, each at its exact place, with no traceback and at once."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from netlab.errors import SpecError
from netlab.scenario.load import load_claims, load_scenarios
from netlab.topology.load import load_topology

FOLDER = Path(__file__).parent / "malformed"
AT_ONCE = 1.0
HOSTILE = 3.0  # seconds of CPU; 0.3 on a quiet machine

EXPECTED = {
    "alias-bomb.yaml": ("5:36: the document has more than 100,000 values with this alias; aliases of aliases multiply",),
    "bad-addresses.yaml": (
        '8:11: "10.0.0.300/24" is no address; write for example 10.0.0.5/24',
        "8:11: 10.0.1.1/24 is in no subnet of the link a-b; they are: 10.0.0.0/24",
        "9:11: 10.0.0.0 stands for the subnet 10.0.0.0/24 itself; choose another",
        "9:24: 10.0.0.255 is the broadcast address of 10.0.0.0/24; choose another",
        "9:36: 10.0.0.9/25 has another prefix length than its subnet 10.0.0.0/24; write 10.0.0.9/24",
        "10:7: c is not on this link; its nodes are a and b",
    ),
    "bad-calls.scenario.yaml": (
        '3:33: SOCK_STREEM is no constant that netlab knows; did you mean "SOCK_STREAM"?',
        '4:18: soket is no call that netlab knows; did you mean "socket"?',
        '5:38: EPIEP is no errno; did you mean "EPIPE"?',
        '6:37: EPIEP is no errno; did you mean "EPIPE"?',
        '7:24: "server" is no address; write server:8080 for a port of host server, or @server for what getsockname gives',
    ),
    "bad-kind.yaml": (
        '2:13: "ruoter" is none of host, router, nat, switch, peer; did you mean "router"?',
        '3:13: "hub" is none of host, router, nat, switch, peer',
    ),
    "bad-names.yaml": (
        '2:3: "Client" is no name for a node; a small letter, then small letters, digits and -, at most 63 in all',
        '3:3: "a_b" is no name for a node; a small letter, then small letters, digits and -, at most 63 in all',
        '4:3: a node cannot be called "expect": the word has a meaning of its own; choose another name',
        '8:17: "eth/0" is no name for an interface; letters, digits, - and _, at most 15 in all, and not lo, br0, all or default',
        '8:28: "a-very-long-interface" is no name for an interface; letters, digits, - and _, at most 15 in '
        "all, and not lo, br0, all or default",
        '9:17: "lo" is no name for an interface; letters, digits, - and _, at most 15 in all, and not lo, br0, all or default',
    ),
    "bad-steps.scenario.yaml": (
        '3:5: "client:close(s)" is no step; put a space after the colon',
        "4:5: 7 (a number) is no step; write HOST: CALL, such as client: s = socket(AF_INET, SOCK_STREAM, 0)",
        "5:13: the step of client must be text, not a mapping; quote the step, in '...'",
        '7:5: a step says one thing, and here are "client" and "server"; each step begins with its own -',
        '9:5: a step says one thing, and here are "expect" and "for"; indent it deeper, if it belongs to the expect above',
        "10:5: this step says nothing; write HOST: CALL",
    ),
    "bad-subnets.yaml": (
        "6:15: 10.0.0.1/24 is an address within its subnet, not the subnet; did you mean 10.0.0.0/24?",
        '6:28: "10.0.0.0/33" is no subnet; write for example 10.0.0.0/24 or "fd00::/64"',
        '6:41: "10.0.0.0" has no prefix length; write for example 10.0.0.0/24',
        "6:51: 127.0.0.0/24 cannot be used on a link: 127.0.0.0/8 is loopback",
        "6:65: this must be a subnet such as 10.0.0.0/24, not 7 (a number)",
    ),
    "bad-sysctl.yaml": (
        '2:17: "kernel.panic" is no sysctl of a network namespace; they are written like net.ipv4.tcp_syn_retries',
        "2:53: this must be text or a whole number, not a list",
        "2:62: only a switch has subnets, and a is a host; give them on its links, or make it a switch",
    ),
    "barriers.scenario.yaml": (
        '4:3: no node "sever"; did you mean "client->server"?',
        '5:3: "sideways" is no direction; it may be client->server, server->client',
        '7:14: no rule holds packets at a barrier "sins"; did you mean "syns"?',
    ),
    "binary.yaml": ("1:19: byte 0x80 is not UTF-8; this does not look like a text file",),
    "broken-inline.scenario.yaml": (
        '3:27: no node "c"; the nodes are a, b',
        '5:12: soket is no call that netlab knows; did you mean "socket"?',
    ),
    "budget.scenario.yaml": (
        "3:3: these are 21,001 steps, with all that is repeated; at most 20,000 are allowed; repeat less",
        '7:21: this must be a whole number, not "none"',
    ),
    "claims.yaml": (
        '3:9: "Bad Id" is no id; small letters, digits, - and . only',
        '8:5: the key "sources" is missing; add "sources:"',
        '17:23: client has nothing called "nothing" by now; bind it first: NAME = socket(...)',
        '19:9: the id "same" is taken, in line 12; each claim has its own',
        '22:5: unknown key "colour"; it may be one of id, statement, reason, sources',
    ),
    "cut-short.scenario.yaml": (
        "4:28: the step is cut short here: \" #\" begins a YAML comment; quote the whole step, in '...'",
        "5:20: the step is cut short here: \" #\" begins a YAML comment; quote the whole step, in '...'",
    ),
    "deep.yaml": ("1:71: nested deeper than 64 levels",),
    "documents.scenario.yaml": (
        '4:15: EIEIO is no errno; did you mean "EIO"?',
        "6:5: a wait step gives nothing that a document could say otherwise",
        '8:11: "X." is neither TCP flags nor a protocol; the flags are S F R P U E W . (. is ACK)',
        '10:15: host has nothing called "t" by now',
        '12:33: "OPEN" is no state of TCP; the states are CLOSED, LISTEN, SYN-SENT, SYN-RECEIVED, '
        "ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT",
    ),
    "duplicate-address.yaml": (
        "7:33: 10.0.0.5 is the address of a already; choose another, or allow_duplicate: true on the link if it is meant",
    ),
    "duplicate-key.yaml": ('4:3: the key "client" is written twice, first in line 2; remove one of the two',),
    "empty.yaml": ("1:1: the file says nothing: it is empty, or all of it is comments",),
    "expectations.scenario.yaml": (
        "4:14: no packets are expected, but for how long is not said; add for: 200ms",
        '5:24: the pattern is cut short by a comma inside of [...]: "client > server S <mss 1460"; quote the pattern, in "..."',
        "5:53: this is no pair of endpoints; write client > server, or leave both out when any will do",
        '7:7: unknown key "pakets"; did you mean "packets"?',
        '8:26: "ESTABLISHD" is no state of TCP; did you mean "ESTABLISHED"?',
        '8:38: client has nothing called "d" by now; it has c',
        '8:58: "client" is no socket; write PROCESS.NAME, such as client.s',
        '9:21: "many" says nothing of descriptors; write a change (+2, unchanged) or a table ({3: socket})',
        '9:27: no process "servr" by now; did you mean "server"?',
        '12:20: no node "sever"; did you mean "server"?',
        '13:18: client has no interface "eth9"; did you mean "eth0"?',
        '14:27: "Q." is neither TCP flags nor a protocol; the flags are S F R P U E W . (. is ACK)',
        '15:11: no node "router"',
        '16:50: "lots" is no change; write for example +1, 0 or >=1',
        '16:77: "sent" is none of send, receive; did you mean "send"?',
        "16:96: this must be a duration, not 5 (a number); write a number with its unit, such as 200ms",
        "17:13: this expects nothing; write for example packets: or states:",
        '18:33: this must be true or false, not "maybe"',
    ),
    "full-subnet.yaml": ("5:31: the segment of sw: 10.0.0.0/30 has too few addresses for 3 interfaces; give a larger subnet",),
    "group-without-statement.scenario.yaml": ('2:1: "group" belongs to a statement, and there is none; add statement:',),
    "impair.yaml": (
        '8:7: this link does not join a and c; did you mean "a->b"?',
        '9:7: no node "d"; did you mean "a->b"?',
        '10:7: "towards" is no direction; write a->b, b->a or both',
        '12:26: "Q" is neither TCP flags nor a protocol; the flags are S F R P U E W . (. is ACK)',
        "13:30: a held packet needs a barrier to wait at; add barrier: NAME, and later a step release: NAME",
        "14:36: barrier belongs to action: hold, and this action is drop; leave barrier out, or write action: hold",
        '15:30: "dorp" is none of drop, hold, delay, duplicate, reorder, corrupt, truncate, mark, reset, icmp; '
        'did you mean "drop"?',
        "16:27: 0 is too small: it must be at least 1",
    ),
    "jobs.scenario.yaml": (
        '5:32: a job "waiting" is running already; join waiting first, or call this one otherwise',
        "6:18: the job \"waiting\" is server's, not client's; write server: join waiting",
        '7:18: no job "waitng" by now; a step starts it with & as waitng',
        '8:18: the job "waiting" was joined before; a job ends once',
    ),
    "link-steps.scenario.yaml": (
        '3:14: no node "sever"; did you mean "client->server"?',
        "4:38: what server sends to client never goes client->server; write it for server->client, or turn it round",
        '5:50: client never has anything called "c"; a step binds it: client: c = socket(...)',
        '5:79: no step releases a barrier "opened"; a step lets it go: release: opened',
        "6:38: this must be a duration, not 10 (a number); write a number with its unit, such as 200ms",
        '7:13: this must be a mapping, not "client->server"',
        '8:11: no node "sever"; did you mean "client->server"?',
        "10:11: all is every direction, and others are named beside it; write heal: all",
        "11:11: this must be text, not 5 (a number)",
        '12:28: "dwn" is none of up, down; did you mean "down"?',
        "13:25: nothing is said of it here; write up, down or {mtu: 1280}",
        "14:31: IPv6 needs an mtu of at least 1280, and client:eth0 has an IPv6 address; "
        "raise the mtu, or give the link IPv4 subnets only",
        '15:12: client has no interface "eth1"; did you mean "client:eth0"?',
        '16:12: "client" is no interface and no link; it may be client:eth0, or both ends: client->NODE',
        "18:5: a link step gives nothing that a document could say otherwise",
        '19:14: no rule holds packets at a barrier "gate"; a rule with action: hold names its barrier',
        '21:5: a step says one thing, and here are "impair" and "heal"; each step begins with its own -',
    ),
    "list-on-top.yaml": ("1:1: a topology is a mapping, not a list; write nodes: and links:",),
    "missing-nodes.yaml": ('1:1: the key "nodes" is missing; add "nodes:"',),
    "mtu.yaml": (
        "6:10: IPv6 needs an mtu of at least 1280, and the link a-b has an IPv6 subnet; raise the mtu, or give IPv4 subnets only",
        "9:10: 67 is too small: it must be at least 68",
        "11:10: 65536 is too large: it must be at most 65535",
    ),
    "no-nodes.yaml": ("2:8: too few: 0, at least 1 wanted",),
    "no-steps.scenario.yaml": ("2:8: too few: 0, at least 1 wanted",),
    "no-topology.scenario.yaml": (
        '1:1: the key "topology" is missing; add topology: two-hosts, or another one',
        '2:11: "soon" is no duration; write a number with its unit (ns, us, ms, s, min), such as 200ms',
    ),
    "not-utf8.yaml": ("1:10: byte 0xe9 is not UTF-8; save the file as UTF-8",),
    "nul.yaml": ("3:8: character U+0000 is not allowed in YAML; this does not look like a text file",),
    "only-comments.yaml": ("1:1: the file says nothing: it is empty, or all of it is comments",),
    "overlapping-subnets.yaml": (
        "9:14: the link b-c: 10.0.5.0/24 overlaps 10.0.0.0/16 of the link a-b in line 7; choose another, or "
        "allow_duplicate: true on the link if it is meant",
    ),
    "processes.scenario.yaml": (
        "3:13: the child needs a name; write p = fork(); its steps are those of HOST/p",
        '5:5: no process "server/q" by now; did you mean "server/p"?',
        "6:5: a program is run in a node, not in a forked process; write server: run ...",
        '7:20: no process "server/x" by now; did you mean "server"?',
    ),
    "python-tag.yaml": ("1:8: the tag !!python/object/apply:os.system is not allowed; only plain YAML is read",),
    "recursion.yaml": ("2:21: *n stands inside of &n, so it would never end",),
    "rules.yaml": (
        '8:19: no node "c"; the nodes are a, b',
        '9:21: a has no interface "eth1"; did you mean "eth0"?',
        '10:25: "http" is no port; write a number up to 65535, such as b:80',
        "11:19: what b sends to a never goes a->b; write it for b->a, or turn it round",
        "12:21: a rule looks at single packets: ? means nothing here; leave it out; nth, every and range say which ones",
        "13:27: none of these is in range: 2-5 too, so the rule never acts; all that is written must hold at once",
        "14:29: 5-2 ends before it begins; did you mean 2-5?",
        "15:30: this must be a percentage, not 0.5 (a number); write it with its sign, such as 0.1%",
        '16:30: "2s" is no window of time; write for example 1s-2s, 500ms- or -2s',
        "17:22: a seed is for what is random, and nothing here is; leave it out, or add chance: 1%",
        "18:24: byte counts a TCP stream, and these packets are of udp; leave byte out; nth counts packets",
        '19:31: no node "c"; the nodes are a, b',
        '19:51: "SYN_SEND" is no state of TCP; did you mean "SYN-SENT"?',
        '20:31: no node "c"; the nodes are a, b',
        '20:46: "s" is no socket; write PROCESS.NAME, such as client.c',
        "22:30: a packet that is delayed needs to be told by how much; add delay: 100ms",
        "23:57: a delay varies by at most 1ms, so not by 2ms; give a delay at least as long",
        "24:36: delay belongs to action: delay, and this action is drop; leave delay out, or write action: delay",
        "25:49: 0 is too small: it must be at least 1",
        '26:46: "tcp.flag" is no field of a header; did you mean "tcp.flags"?',
        "27:64: tcp.flags has 8 bits, so at most the value 255, not 256; give a smaller one",
        "28:30: a packet that is cut short needs a length; add length: 40, in bytes from its IP header on",
        '29:42: "ect" is none of ce, ect0, ect1, not-ect; did you mean "ect1"?',
        "30:32: only TCP has resets, and these packets are of udp; action: icmp answers with an error",
        "31:30: a packet that is answered needs an error to be answered with; add icmp: host-unreachable",
        "32:57: time-exceeded tells no MTU; leave mtu out, or write icmp: fragmentation-needed",
        "33:11: a rule has no loss; write quantities apart: [{match: ..., action: drop}, {loss: ...}]",
        '34:22: unknown key "nht"; did you mean "nth"?',
        '35:11: the key "action" is missing; add "action:"',
    ),
    "segment-conflict.yaml": (
        "9:14: the segment of sw is one segment, with 10.0.0.0/24 in line 7; here it is 10.0.1.0/24; give them once",
    ),
    "self-link.yaml": (
        "5:16: a link needs two nodes, and both ends are a; a host reaches itself on lo",
        "7:17: the interface a:eth0 is the end of another link already, in line 6; an interface ends one link: choose another name",
        "8:16: too few: 1, at least 2 wanted",
    ),
    "tab.yaml": (
        "3:1: this is not YAML: while scanning for the next token, found character that cannot start any "
        "token; indent with spaces, not with tabs",
    ),
    "two-documents.yaml": ("2:1: a second document begins here; write one document a file",),
    "unclosed.yaml": (
        "2:1: this is not YAML: while parsing a flow mapping, did not find expected ',' or '}'; is a bracket "
        "or quote not closed, or the indentation uneven?",
    ),
    "unknown-alias.yaml": ("3:11: no anchor &client before this; did you mean *cleint?",),
    "unknown-host.scenario.yaml": (
        '3:5: no node "sever"; did you mean "server"?',
        '4:5: no node "exepct"; did you mean "expect"?',
        '5:5: no process "server/p" by now; did you mean "server"?',
    ),
    "unknown-keys.yaml": (
        '3:7: unknown key "knid"; did you mean "kind"?',
        '5:1: unknown key "linkz"; did you mean "links"?',
        '8:5: unknown key "subnet"; did you mean "subnets"?',
    ),
    "unknown-names.scenario.yaml": (
        '4:18: client has nothing called "sokc" by now; did you mean "sock"?',
        '5:20: server has nothing called "sock" by now; it is a name of client',
        '6:27: no node "sever"; did you mean "server"?',
        '7:34: server has no interface "eth7"; did you mean "eth0"?',
        '8:35: client has nothing called "nobody" by now; bind it first: NAME = socket(...)',
        '9:26: client has nothing called "other" by now',
    ),
    "unknown-nodes.yaml": (
        '5:17: no node "cleint"; did you mean "client"?',
        '6:25: no node "xyz"; the nodes are client, server',
    ),
    "unknown-topology.scenario.yaml": ('1:11: there is no topology "two-hots"; did you mean "two-hosts"?',),
    "unquoted-colon.scenario.yaml": (
        "3:25: this is not YAML: mapping values are not allowed in this context; a text with ': ' in it must "
        "be quoted as a whole, in '...'",
    ),
    "wrong-types.yaml": (
        "1:7: this must be text, not 5 (a number)",
        "3:13: 3 (a number) is none of host, router, nat, switch, peer",
        "3:25: this must be a mapping, not a list",
        "4:43: this must be text or a whole number, not true (a truth value)",
        '7:10: this must be a whole number, not "fast"',
        '8:16: this must be a list, not "a"',
    ),
}


def problems_of(path: Path, within: float = AT_ONCE) -> list[str]:
    load: Callable[[Path], object] = (
        load_scenarios if path.name.endswith(".scenario.yaml") else load_claims if "claims" in path.name else load_topology
    )
    began = time.process_time()
    with pytest.raises(SpecError) as caught:
        load(path)
    assert time.process_time() - began < within
    assert all(problem.place.file == str(path) for problem in caught.value.problems)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_malformed_file_is_refused_with_every_error_at_its_place(name: str) -> None:
    assert problems_of(FOLDER / name) == list(EXPECTED[name])


def test_every_malformed_file_is_in_the_table() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(EXPECTED)


@pytest.mark.parametrize("suffix", [".yaml", ".scenario.yaml"])
def test_a_file_of_ten_megabytes_is_refused_before_it_is_parsed(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"large{suffix}"
    path.write_bytes(b"nodes: {a: {}}\n" * 700_000)
    assert problems_of(path) == ["1:1: the file is too large: 10.0 MB, at most 1 MB is read; is this the right file?"]


def test_a_file_without_a_size_is_refused_when_it_goes_on_and_on() -> None:
    assert problems_of(Path("/dev/zero")) == ["1:1: the file is too large: more, at most 1 MB is read; is this the right file?"]


def test_a_missing_file_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "two-hosts.yaml").write_text("nodes: {a: {}}\n")
    wanted = tmp_path / "two-host.yaml"
    assert problems_of(wanted) == [f'1:1: there is no such file; did you mean "{tmp_path / "two-hosts.yaml"}"?']


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == ["1:1: this is a directory, not a file"]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        "- " * 400_000,
        "{a: " * 200_000,
        "? " * 400_000,
        "a: [" + "1," * 500_000,
        "a: " + "9" * 900_000,
        "'" + "a\n" * 400_000,
        "".join(f"k{i}: v\n" for i in range(60_000)),
        "nodes: {a: {}}\n" + "".join(f"k{i}: 1\n" for i in range(30_000)),
        "nodes: {a: {}}\nlinks:\n" + "".join(f"  - endpoints: [b{i}, c{i}]\n" for i in range(5_000)),
    ],
    ids=["brackets", "dashes", "braces", "keys", "items", "digits", "quote", "pairs", "unknown keys", "unknown nodes"],
)
def test_a_hostile_file_is_refused_at_once_and_with_few_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(text)
    assert 1 <= len(problems_of(path, HOSTILE)) <= 100
