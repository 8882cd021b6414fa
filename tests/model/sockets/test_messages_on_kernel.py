"""What the model says of datagrams, UNIX sockets and raw ones is what the kernel does, call by call, in sequences that matter."""

from pathlib import Path

import pytest
from model.sockets.message_sequences import sequences
from model.sockets.on_kernel import disagreements

pytestmark = pytest.mark.netns


def test_the_model_allows_what_the_kernel_does(tmp_path: Path) -> None:
    """And it knows every one of these calls: none is left unjudged."""
    assert disagreements(sequences(), tmp_path) == {}
