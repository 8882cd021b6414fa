"""Whatever is printed reads back as the same."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from netlab.notation.calls import Bound, Call, CallText, JoinText, Result, RunText
from netlab.notation.packets import PacketPattern
from netlab.notation.parse import NotationError, parse_packet, parse_result, parse_step, parse_value
from netlab.notation.printing import print_call, print_packet, print_result, print_step, print_value
from netlab.notation.values import (
    BadPointer,
    Buffer,
    Constant,
    Name,
    Number,
    Parts,
    Rights,
    SocketAddress,
    Structure,
    Text,
    Value,
)
from netlab.units import Duration

numbers = st.integers(-(2**40), 2**40)
names = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True).filter(
    lambda name: name not in ("buf", "rights", "iov", "unspec", "join", "run", "unixfamilyonly") and not name.startswith("family")
)
nodes = st.from_regex(r"[a-z][a-z0-9-]{0,6}", fullmatch=True).filter(lambda name: name not in ("unix", "abstract", "if"))
constants = st.sampled_from(["SOCK_STREAM", "SOCK_NONBLOCK", "AF_INET6", "O_RDWR", "POLLIN", "MSG_PEEK"])
ports = st.integers(0, 65535)
paths = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
lengths = st.none() | st.integers(-1, 300)
bounds = st.builds(
    Bound,
    st.sampled_from(["<", "<=", ">", ">="]),
    st.builds(Duration, st.integers(0, 10**9) | st.integers(0, 100).map(lambda count: count * 10**6)),
)
several_bounds = st.lists(bounds, max_size=2).map(tuple)


def addresses(lengths: st.SearchStrategy[int | None] = lengths) -> st.SearchStrategy[SocketAddress]:
    build: Any = st.builds
    kinds = [
        build(SocketAddress, st.just("ip"), st.ip_addresses().map(str), ports, length=lengths),
        build(SocketAddress, st.just("node"), nodes, ports, interface=st.just("") | nodes, length=lengths),
        build(SocketAddress, st.just("node"), nodes, port_of=names, length=lengths),
        build(
            SocketAddress, st.just("name"), names, variant=st.sampled_from(["", "v4", "any6", "mapped", "port0"]), length=lengths
        ),
        build(SocketAddress, st.just("unix"), paths, variant=st.sampled_from(["path", "abstract"]), length=lengths),
        build(SocketAddress, st.just("unix"), variant=st.just("unnamed"), length=lengths),
        build(SocketAddress, st.just("family"), port=st.integers(0, 65535), length=lengths),
    ]
    return st.one_of(kinds)


simple_values: st.SearchStrategy[Value] = st.one_of(
    st.builds(Number, numbers),
    st.builds(
        Constant, st.lists(constants | st.integers(0, 99), min_size=2, max_size=3).map(tuple) | constants.map(lambda c: (c,))
    ),
    st.builds(Name, names | st.sampled_from(["BUF", "NONE"])),
    st.builds(Text, st.binary(max_size=12)),
    st.builds(Buffer, st.integers(0, 10**6)),
    st.builds(BadPointer, st.booleans(), st.none() | st.integers(0, 5000)),
    st.builds(lambda pair: Structure("linger", pair), st.tuples(numbers, numbers)),
    st.builds(Rights, st.lists(names, max_size=3).map(tuple)),
    st.builds(Parts, st.lists(st.builds(Text, st.binary(max_size=5)) | st.builds(BadPointer, st.booleans())).map(tuple)),
    addresses(st.none()),
)

buffers = st.builds(Text, st.binary(max_size=12)) | st.builds(Buffer, st.integers(0, 999))
descriptors = st.builds(Name, names) | st.builds(Number, st.integers(-1, 999))
flags = st.builds(lambda name: Constant((name,)), constants)

plain_calls: st.SearchStrategy[Call] = st.one_of(
    st.builds(lambda fd, address: Call("bind", (fd, address)), descriptors, addresses()),
    st.builds(lambda fd, data, flag: Call("send", (fd, data, flag)), descriptors, buffers, flags),
    st.builds(lambda name, fd: Call("accept", (fd,), (), (name,)), names, descriptors),
    st.builds(lambda a, b, flag: Call("socketpair", (flag, flag), (), (a, b)), names, names, flags),
    st.builds(
        lambda fd, data, address, rights: Call("sendmsg", (fd, data), (("addr", address), ("control", rights))),
        descriptors,
        buffers,
        addresses(st.none()),
        st.builds(Rights, st.lists(names, max_size=2).map(tuple)),
    ),
    st.builds(lambda fd, value: Call("setsockopt", (fd, Number(1), Number(2), value)), descriptors, simple_values),
)
calls = plain_calls | st.builds(
    lambda call, time: Call("after", (Number(time), call)) if time else Call("child", (call,)), plain_calls, st.integers(0, 500)
)

outs = st.none() | st.sampled_from(["0", "POLLIN|POLLHUP", '"took in"', "{linger:1,2}", "10.0.0.1:*", "flags=0"])
flag_parts = st.lists(constants, min_size=1, max_size=2).map(tuple)
results: st.SearchStrategy[Result] = st.one_of(
    st.builds(Result, st.sampled_from(["any", "fd", "blocks", "partial"]), out=outs),
    st.builds(lambda name: Result("errno", errno=name), st.sampled_from(["EAGAIN", "EOPNOTSUPP", "ECONNRESET"])),
    st.builds(lambda name: Result("signal", errno=name), st.sampled_from(["SIGPIPE", "SIGKILL"])),
    st.builds(lambda form, value, out: Result(form, value=value, out=out), st.sampled_from(["value", "at_least"]), numbers, outs),
    st.builds(lambda form, parts: Result(form, flags=parts), st.sampled_from(["flag", "no_flag"]), flag_parts),
    st.builds(lambda name: Result("same", name=name), names),
)

steps: st.SearchStrategy[CallText | JoinText | RunText] = st.one_of(
    st.builds(CallText, calls, st.just("") | names, st.just(Result()) | results, several_bounds),
    st.builds(JoinText, names, st.just(Result()) | results, several_bounds),
    st.builds(
        RunText,
        st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.just("took"), min_size=1, max_size=4).map(tuple),
        st.just("") | names,
        results,
        several_bounds,
    ),
)


def _packet(**parts: Any) -> PacketPattern:
    return PacketPattern(**parts)


endpoints = st.from_regex(r"[a-z][a-z0-9]{0,5}(\.eth[0-9])?(:[0-9]{1,4})?", fullmatch=True)
fields = st.dictionaries(st.sampled_from(["seq", "ack", "len", "win", "ttl"]), numbers, max_size=3).map(
    lambda kept: tuple(kept.items())
)
options = st.lists(
    st.sampled_from([("mss", "1460"), ("sackOK", ""), ("TS", "val 1 ecr 2"), ("wscale", "7"), ("unknown-30", "")]), unique=True
).map(tuple)
counts = st.sampled_from([(1, 1), (0, 1), (3, 3), (2, 5), (2, None), (0, None)])
common = {
    "fields": fields,
    "data": st.none() | st.binary(max_size=8),
    "after": several_bounds,
    "count": counts,
}
packets = st.one_of(
    st.builds(
        lambda pair, **rest: _packet(source=pair[0], target=pair[1], **rest),
        st.tuples(endpoints, endpoints) | st.just(("", "")),
        protocol=st.just("tcp"),
        flags=st.frozensets(st.sampled_from("SFRPUEW."), min_size=1),
        options=options,
        options_only=st.booleans(),
        **common,
    ),
    st.builds(
        _packet, source=endpoints, target=endpoints, protocol=st.sampled_from(["udp", "icmp", "icmp6", "arp", "tcp"]), **common
    ),
    st.just(PacketPattern(any=True, count=(0, None))),
)


@given(simple_values)
def test_values(value: Value) -> None:
    assert parse_value(print_value(value)) == value


@given(calls)
def test_calls(call: Call) -> None:
    assert parse_step(print_call(call)) == CallText(call)


@given(results)
def test_results(result: Result) -> None:
    assert parse_result(print_result(result)) == result


@given(steps)
def test_steps(step: CallText | JoinText | RunText) -> None:
    assert parse_step(print_step(step)) == step


@given(packets)
def test_packets(packet: PacketPattern) -> None:
    text = print_packet(packet)
    assert parse_packet(text) == replace(packet, text=text)


@given(st.text(st.sampled_from('abs(),=&->"\\|@:.[]{}#<>?!019 EAGINFtookrun_'), max_size=30))
def test_no_text_breaks_a_reader(text: str) -> None:
    for read in (parse_step, parse_result, parse_packet, parse_value):
        try:
            read(text)
        except NotationError as error:
            column = error.offset
        else:
            column = 0
        assert 0 <= column <= len(text), read.__name__
