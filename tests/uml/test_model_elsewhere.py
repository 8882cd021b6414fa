"""The documented model is played on another kernel too, calls that block and a peer driven by hand included."""

import pytest
from uml.guest import Guest

pytestmark = pytest.mark.proof

SCRIPT = """
import json
from ci.model_elsewhere import told
print(json.dumps(told(["rst-exact-seq", "refused-rst", "nagle"], 1)))
"""


def test_claims_hold_on_another_kernel(guest: Guest) -> None:
    found = guest.answer(SCRIPT)
    assert {name: outcome for name, (outcome, _) in found.items()} == dict.fromkeys(
        ("refused-rst", "rst-exact-seq", "nagle"), "PASS"
    ), found
