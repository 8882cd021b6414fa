"""What doctor says of a kernel that has other things than most: it loads its modules when they are tried."""

import pytest
from uml.guest import Guest


@pytest.mark.proof
def test_doctor_finds_what_this_kernel_has_and_lacks(guest: Guest) -> None:
    script = """
import json
from netlab.doctor import diagnose
print(json.dumps({check.name: [check.available, check.reason, check.fix] for check in diagnose().checks}))
"""
    checks = guest.answer(script)
    there = {name for name, (available, _, _) in checks.items() if available}
    assert there >= {"network namespaces", "veth", "bridge", "bridge vlan filtering", "802.1q", "vxlan", "vrf", "netem", "tbf"}
    assert not {"nftables", "nftables nat", "mptcp", "bpf"} & there
    assert checks["mptcp"][2] == "boot a kernel with CONFIG_MPTCP"
