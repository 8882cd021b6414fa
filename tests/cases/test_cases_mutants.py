"""What the mutants of the cases are: wrong each, no two alike, and never the same twice over."""

from collections import Counter

from cases.case_files import load_cases, result_of
from cases.mutants import mutants, other_outs

from netlab.notation.parse import parse_result

CASES = load_cases()


def test_no_mutant_is_the_truth_and_no_two_are_alike() -> None:
    for case in CASES:
        outcomes = [repr(one.expect) for one in mutants(case)]
        assert len(set(outcomes)) == len(outcomes) >= 3, case.id
        told = result_of(case.expect), case.expect.get("state")
        assert all((result_of(one.expect), one.expect.get("state")) != told for one in mutants(case)), case.id


def test_every_mutant_can_be_written_as_a_result() -> None:
    for case in CASES:
        for one in mutants(case):
            parse_result(result_of(one.expect))


def test_a_failure_has_a_success_and_a_success_has_failures() -> None:
    for case in CASES:
        kinds = Counter(one.kind for one in mutants(case))
        wanted = {"errno": 3, "success": 1} if case.expect.get("errno") else {"failure": 3}
        assert all(kinds[kind] == many for kind, many in wanted.items()), (case.id, kinds)


def test_they_are_the_same_each_time() -> None:
    assert [mutants(case) for case in CASES] == [mutants(case) for case in load_cases()]


def test_what_a_call_gives_besides_is_changed_in_kind() -> None:
    assert other_outs("len=1") == ("len=2", "len=0")
    assert other_outs("*") == ("0",)
    assert other_outs(">=1") == ("0",)
    assert other_outs("LISTEN") == ("ESTABLISHED", "CLOSE")
    assert other_outs("POLLERR|POLLHUP") == ("POLLHUP", "POLLIN|POLLERR|POLLHUP", "POLLOUT|POLLERR|POLLHUP")
    assert other_outs("127.0.0.1:*") == ("192.0.2.1:*", "127.0.0.1:0")
    assert other_outs("[::]:0") == ("[2001:db8::1]:0", "[::]:9")
    assert other_outs("reno") == ("renox",)
