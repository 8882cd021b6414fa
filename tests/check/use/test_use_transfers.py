"""Rules about calls that did less than was asked, each on a history that has the fault and on its twin where it is mended."""

import pytest
from check.use.story import CONNECTION, LISTENER, Program, Story


def served() -> tuple[Story, Program]:
    story = Story()
    server = story.process()
    server.listen()
    server.accept()
    return story, server


def called() -> tuple[Story, Program]:
    story = Story("client")
    client = story.process(program="client")
    client.connect()
    return story, client


def finish(program: Program) -> None:
    program.signal("SIGTERM")
    program.exits()


def partial(mended: bool = False, then: str = "close") -> Story:
    story, client = called()
    client.send(60_000, length=100_000)
    if mended:
        client.send(errno="EAGAIN", length=40_000)
        client.poll()
        client.send(40_000, length=40_000)
    if then == "close":
        client.close()
    elif then == "shutdown":
        client.call("shutdown", 4, CONNECTION, how="SHUT_WR")
        client.recv(0)
        client.close()
    elif then == "recv":
        client.recv(5, took=600)
        client.close()
    client.exits()
    return story


@pytest.mark.parametrize("then", ["close", "recv", "exit"])
def test_a_partial_write_whose_rest_is_never_sent(then: str) -> None:
    ids = [found for found in partial(then=then).found() if found[0] != "use.open-at-exit"]
    assert ids == [("use.partial-write", "fault")]
    assert [found for found in partial(True, then).found() if found[0] != "use.open-at-exit"] == []


def test_the_rest_is_told_in_bytes() -> None:
    assert "took 60000 of 100000 bytes on the connection to 10.0.0.2:80. The other 40000 were never sent" in partial().says()


@pytest.mark.parametrize("why", ["timeout", "broken", "peer closed", "told to end"])
def test_giving_up_for_a_reason_is_right(why: str) -> None:
    story, client = called()
    client.send(60_000, length=100_000)
    if why == "timeout":
        client.poll(0, took=200)
    if why == "broken":
        client.recv(errno="ECONNRESET")
    if why == "peer closed":
        client.recv(0)
    if why == "told to end":
        client.signal("SIGTERM")
    client.close()
    client.exits()
    assert story.found() == []


def test_a_file_that_ends_is_no_partial_write() -> None:
    story, client = called()
    client.call("sendfile", 4, CONNECTION, result=500, length=65_536)
    client.close()
    client.exits()
    assert story.found() == []


def test_eagain_of_a_send_closed_right_after() -> None:
    for mended in (False, True):
        story, client = called()
        client.send(errno="EAGAIN")
        if mended:
            client.poll()
            client.send()
        client.close()
        client.exits()
        assert story.found() == ([] if mended else [("use.eagain", "fault")])


@pytest.mark.parametrize("accepted", [True, False])
def test_eagain_of_the_first_receive_closed_right_after(accepted: bool) -> None:
    for mended in (False, True):
        story, program = served() if accepted else called()
        program.recv(errno="EAGAIN")
        if mended:
            program.poll()
            program.recv()
        program.close()
        finish(program)
        assert story.found() == ([] if mended else [("use.eagain", "fault")])


def test_half_a_request_taken_for_all_is_a_warning() -> None:
    story, server = served()
    server.recv()
    server.recv(errno="EAGAIN")
    server.close()
    finish(server)
    assert story.found() == [("use.eagain", "warning")]


def test_einprogress_taken_for_an_error() -> None:
    for mended in (False, True):
        story = Story("client")
        client = story.process()
        client.socket(4, CONNECTION, flags=("SOCK_NONBLOCK",))
        client.call("connect", 4, CONNECTION, errno="EINPROGRESS", address=["10.0.0.2", 80])
        if mended:
            client.poll(descriptors=[4])
            client.call("getsockopt", 4, CONNECTION, option="SO_ERROR", value=0)
        client.close()
        client.exits()
        assert story.found() == ([] if mended else [("use.eagain", "fault")])


def test_emptying_the_queue_before_a_close_is_right() -> None:
    story, client = called()
    client.send()
    client.recv()
    client.recv(errno="EAGAIN")
    client.close()
    client.exits()
    assert story.found() == []
    story, server = served()
    server.recv()
    server.send()
    server.recv(errno="EAGAIN")
    server.close()
    finish(server)
    assert story.found() == []


@pytest.mark.parametrize("how", ["MSG_PEEK", "slept", "timeout option", "took long", "broken"])
def test_eagain_that_is_no_mistake(how: str) -> None:
    story, client = called()
    if how == "timeout option":
        client.call("setsockopt", 4, CONNECTION, level="SOL_SOCKET", option="SO_RCVTIMEO", value={"sec": 0, "usec": 500})
    if how == "broken":
        client.send(errno="EPIPE")
    client.recv(errno="EAGAIN", flags=["MSG_PEEK"] if how == "MSG_PEEK" else [], took=50 if how == "took long" else 0.02)
    if how == "slept":
        story.wait(500)
    client.close()
    client.exits()
    assert story.found() == []


def interrupted(signal: str = "SIGUSR1", again: bool = False, status: int = 1, closes: bool = True) -> Story:
    story, server = served()
    server.recv(errno="EINTR", took=50)
    server.signal(signal)
    if again:
        server.recv()
        server.send()
    if closes:
        server.close()
        server.close(3, LISTENER)
    server.exits(status)
    return story


def test_eintr_taken_for_an_error() -> None:
    assert interrupted().found() == [("use.eintr", "fault")]
    assert interrupted(again=True).found() == []
    assert interrupted().says() == (
        "SIGUSR1 interrupted recvfrom(4), which gave EINTR. It was not called again: the socket (10.0.0.2:80 to 10.0.0.1:40000)"
        " was closed 1.010 ms later."
    )
    assert ("use.eintr", "fault") in interrupted(closes=False).found()


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT", "SIGALRM"])
def test_a_signal_that_asks_for_an_end_is_heeded(signal: str) -> None:
    assert interrupted(signal).found() == []


def test_a_process_that_ends_well_after_eintr_meant_to() -> None:
    assert interrupted(status=0).found() == []


def test_being_told_to_end_later_does_not_mend_it() -> None:
    story, server = served()
    server.recv(errno="EINTR", took=50)
    server.signal("SIGCHLD")
    server.close()
    server.accept(4, 1005, ("10.0.0.1", 40001))
    server.close(4, 1005)
    finish(server)
    assert story.found() == [("use.eintr", "fault")]


def test_an_interrupted_server_that_closes_and_goes_on_lost_its_client() -> None:
    story, server = served()
    server.recv(errno="EINTR", took=50)
    server.signal("SIGCHLD")
    server.close()
    server.accept(4, 1005, ("10.0.0.1", 40001))
    server.close(4, 1005)
    server.close(3, LISTENER)
    server.exits()
    assert story.found() == [("use.eintr", "fault")]


@pytest.mark.parametrize("errno", ["EINPROGRESS", "ECONNREFUSED"])
def test_an_ignored_outcome_of_connect(errno: str) -> None:
    for mended in (False, True):
        story = Story("client")
        client = story.process()
        client.socket(4, CONNECTION, flags=("SOCK_NONBLOCK",))
        client.call("connect", 4, CONNECTION, errno=errno, address=["10.0.0.2", 80])
        if not mended:
            client.send(errno="EPIPE" if errno == "ECONNREFUSED" else "ENOTCONN")
        client.poll(descriptors=[4])
        client.close()
        client.exits()
        assert story.found() == ([] if mended else [("use.connect-ignored", "fault")])


def test_sending_early_and_then_waiting_is_right() -> None:
    story = Story("client")
    client = story.process()
    client.socket(4, CONNECTION, flags=("SOCK_NONBLOCK",))
    client.call("connect", 4, CONNECTION, errno="EINPROGRESS", address=["10.0.0.2", 80])
    client.send(errno="EAGAIN")
    client.poll(descriptors=[4])
    client.send()
    client.close()
    client.exits()
    assert story.found() == []


@pytest.mark.parametrize("call", ["recvfrom", "poll", "accept4"])
def test_asking_hundreds_of_times_is_busy_polling(call: str) -> None:
    for waits in (False, True):
        story, server = served()
        for _ in range(3000 if call == "poll" else 300):
            if waits:
                server.poll()
            if call == "poll":
                story.wait(-0.999)
                server.poll(0, took=0.005, timeout=0)
            else:
                server.call(call, 4, CONNECTION, errno="EAGAIN", took=0.005)
        server.recv()
        server.close()
        finish(server)
        assert story.found() == ([] if waits else [("use.busy-polling", "warning")])


def test_a_call_that_had_to_wait_for_a_processor_does_not_hide_the_others() -> None:
    story, server = served()
    for at in range(90):
        server.call("recvfrom", 4, CONNECTION, errno="EAGAIN", took=0.005 if at % 3 else 4)
        server.call("recvfrom", 4, CONNECTION, errno="EAGAIN", took=0.005)
    server.recv()
    server.close()
    finish(server)
    assert story.found() == [("use.busy-polling", "warning")]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_event_loop_that_works_between_its_polls_is_a_note(threads: int) -> None:
    story, server = served()
    for _ in range(3000):
        server.poll(0, took=0.005, timeout=0)
        story.wait(-0.95 if threads == 1 else -0.999)
    server.recv(tid=9 + threads)
    server.close()
    finish(server)
    assert story.found() == [("use.busy-polling", "note")]


@pytest.mark.parametrize("how", ["sockets", "a timer", "reads", "threads"])
def test_being_told_again_and_again_of_sockets_is_busy_polling(how: str) -> None:
    story, server = served()
    server.call("epoll_ctl", 8, operation="EPOLL_CTL_ADD", target=4, target_inode=CONNECTION)
    if how == "a timer":
        server.call("epoll_ctl", 8, operation="EPOLL_CTL_ADD", target=9)
    for _ in range(10000):
        server.call("epoll_wait", 8, result=1, took=0.005)
        story.wait(-0.999)
        if how == "reads":
            server.recv()
    server.recv(tid=99 if how == "threads" else 10)
    server.close()
    finish(server)
    assert story.found() == ([("use.busy-polling", "warning")] if how == "sockets" else [])


def test_asking_now_and_then_or_for_a_moment_is_no_busy_polling() -> None:
    story, server = served()
    for _ in range(600):
        server.poll(0, took=0.002, timeout=0)
        story.wait(-0.999)
    for _ in range(300):
        server.recv(errno="EAGAIN")
        story.wait(10)
    for _ in range(300):
        server.poll(0, took=2, timeout=2)
    server.recv()
    server.close()
    finish(server)
    assert story.found() == []


def test_every_rule_of_calls_is_inconclusive_without_them() -> None:
    story, server = served()
    server.send(errno="EAGAIN")
    server.close()
    finish(server)
    ids = {"use.partial-write", "use.eagain", "use.eintr", "use.connect-ignored", "use.busy-polling"}
    for how in ({"without": ("calls",)}, {"lossy": ("calls",)}):
        assert story.undecided(**how) >= ids
        assert story.found(**how) == []
