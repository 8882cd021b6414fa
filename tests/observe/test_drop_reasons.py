"""The names of reasons: stripped of their prefixes, kept on disk, and the same as this kernel's types say."""

from pathlib import Path

import pytest

from netlab.errors import HostError
from netlab.observe.btf import Btf
from netlab.observe.drop_reasons import Reasons, read_reasons
from netlab.observe.layout import BTF_PATH

REASONS = Reasons(drops={3: "NO_SOCKET"}, resets={0: "NOT_SPECIFIED", 1: "NO_SOCKET"}, ordinary=(0, 1), unsaid=2)


def test_a_reason_has_its_name_or_else_its_number() -> None:
    assert [REASONS.drop(number) for number in (3, 4, 3 << 16 | 7)] == ["NO_SOCKET", "4", "SUBSYSTEM_3:7"]


def test_a_reset_for_no_reason_has_none() -> None:
    assert [REASONS.reset(number) for number in (0, 1, 99)] == ["", "NO_SOCKET", ""]


@pytest.mark.skipif(not BTF_PATH.exists(), reason=f"btf: no {BTF_PATH}")
def test_this_machines_own_are_read_once(tmp_path: Path) -> None:
    types = Btf(BTF_PATH.read_bytes())
    number = types.enumerator("SKB_DROP_REASON_NO_SOCKET")
    if number is None:
        pytest.skip("this kernel gives no reasons for drops (before Linux 5.17)")
    reasons = read_reasons(cache=tmp_path)
    assert reasons.drop(number) == "NO_SOCKET"
    assert reasons.unsaid == types.enumerator("SKB_DROP_REASON_NOT_SPECIFIED")
    assert types.enumerator("SKB_NOT_DROPPED_YET") in reasons.ordinary
    assert not {"MAX", "SUBSYS_MASK"} & {*reasons.drops.values(), *reasons.resets.values()}
    assert read_reasons(cache=tmp_path, btf=Path("/nonexistent")) == reasons


def test_without_type_information_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no kernel type information"):
        read_reasons(cache=tmp_path, btf=Path("/nonexistent"))
