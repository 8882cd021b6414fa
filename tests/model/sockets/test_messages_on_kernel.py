"""What the model says of datagrams, UNIX sockets and raw ones is what the kernel does, call by call, in sequences that matter."""

from pathlib import Path

import pytest
from model.sockets.message_sequences import sequences, sequences_between
from model.sockets.on_kernel import disagreements, disagreements_between

pytestmark = pytest.mark.netns


def test_the_model_allows_what_the_kernel_does(tmp_path: Path) -> None:
    """And it knows every one of these calls: none is left unjudged."""
    assert disagreements(sequences(), tmp_path) == {}


def test_the_model_allows_what_two_hosts_do(tmp_path: Path) -> None:
    """Whatever is still on its way between them."""
    assert disagreements_between(sequences_between(), tmp_path) == {}
