"""The wait for what other processors are in the middle of."""

from netlab.observe.barrier import wait_for_processors


def test_it_ends_and_says_that_every_processor_was_waited_for() -> None:
    assert wait_for_processors()
