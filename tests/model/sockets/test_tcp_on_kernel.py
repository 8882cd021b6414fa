"""What the model says of TCP sockets is what the kernel does, call by call, in sequences that matter."""

from pathlib import Path

import pytest
from model.sockets.on_kernel import disagreements
from model.sockets.tcp_sequences import sequences

pytestmark = pytest.mark.netns


def test_the_model_allows_what_the_kernel_does(tmp_path: Path) -> None:
    """And it knows every one of these calls: none is left unjudged."""
    assert disagreements(sequences(), tmp_path) == {}
