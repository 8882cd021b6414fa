"""The tier says what is missing and how to get it, on any machine."""

from pathlib import Path

from netlab.observe.tier import probe


def test_every_lack_is_explained() -> None:
    tier = probe()
    assert [capability.name for capability in tier.capabilities] == [
        "root",
        "btf",
        "bpf",
        "cookies",
        "states",
        "timers",
        "events",
        "memory",
        "calls",
    ]
    assert (tier.letter == "A") == all(map(tier.has, ("root", "btf", "bpf", "cookies", "states")))
    assert all(lack.reason and lack.fix for lack in tier.lacking)


def test_without_type_information_there_is_no_tier_a(tmp_path: Path) -> None:
    tier = probe(btf=tmp_path / "vmlinux", cache=tmp_path)
    assert tier.letter == ("B" if "perf_event_open" in tier.note else "C")
    assert tier.letter == "C" or tier.has("root")
    lacks = {lack.name: lack for lack in tier.lacking}
    assert {"btf", "states", "events", "memory", "calls"} <= lacks.keys()
    assert lacks["btf"].reason == f"no kernel type information at {tmp_path / 'vmlinux'}: No such file or directory"
    assert "CONFIG_DEBUG_INFO_BTF" in lacks["btf"].fix
