"""The planted bugs: scenarios over programs with one fault each, or over their mended twins, written out for this machine.

A fault shows only where certain packets are lost: ``DROPS`` are rules that lose exactly those, ``HARMLESS`` rules that lose others.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

DROPS = {
    "greeting": "client->server: [{match: . seq 1 len 0, nth: 1, action: drop}, {match: P. seq 1, nth: 1, action: drop}]",
    "heartbeat": "server->client: [{match: tcp len 1000, nth: 1, action: drop}]",
    "counting": "server->client: [{match: udp, nth: 2, action: drop}]",
}
"""The packets that matter: the last ACK of the handshake and the first data; the answer; one reply."""
HARMLESS = {
    "greeting": (
        "client->server: [{match: . seq 1 len 0, nth: 1, action: drop}]",
        "client->server: [{match: P. seq 1, nth: 1, action: drop}]",
    ),
    "heartbeat": ("server->client: [{match: F., nth: 1, action: drop}]",),
    "counting": ("client->server: [{match: udp, nth: [1, 3], action: drop}]",),
}
"""Losses that the faulty programs survive: of the two that matter only the one, the FIN, requests."""
PROGRAMS = {"greeting": ("greeting.c", "greeter.py"), "heartbeat": ("heartbeat.py",), "counting": ("counting.py",)}
SEEDS = {"greeting": 2, "heartbeat": 8, "counting": 4}
"""Seeds by which the random loss of the scenarios meets the packets that matter."""
MATTER = {"greeting": 2, "heartbeat": 1, "counting": 1}
"""How many packets must be lost."""
BUGS = tuple(DROPS)
SYSCTLS = ("tcp_rto_min_us", "tcp_rto_max_ms")
"""What the scenarios over TCP need of the kernel: Linux 6.15."""


def lacking() -> str:
    """What this machine lacks for the planted bugs, and the fix; "" when nothing."""
    absent = [name for name in SYSCTLS if not Path("/proc/sys/net/ipv4", name).exists()]
    if absent:
        return f"this kernel has no {' and no '.join(absent)}; fix: Linux 6.15 or later"
    return "" if shutil.which("cc") else "there is no C compiler here; fix: apt-get install gcc libc6-dev"


def scenario(name: str, folder: Path, *, mended: bool = False, impair: str = "", timeout: str = "") -> Path:
    """A bug's scenario as a file in ``folder``, its programs beside it; ``impair`` are rules in place of the random loss."""
    text = (HERE / f"{name}.yaml").read_text()
    for program in PROGRAMS[name]:
        made = folder / program.removesuffix(".c")
        if program.endswith(".c") and not made.exists():
            subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-o", str(made), str(HERE / program)], check=True)
        elif not made.exists():
            shutil.copy(HERE / program, made)
    if impair:
        text = re.sub(r"\nimpair:\n(?:  .*\n)+", f"\nimpair:\n  {impair}\n", text)
    if timeout:
        text = re.sub(r"\ntimeout: .*", f"\ntimeout: {timeout}", text)
    text = text.replace("PYTHON", sys.executable).replace("FOLDER", str(folder))
    text = text.replace("MENDED", "mended") if mended else re.sub(r",? MENDED", "", text)
    path = folder / f"{name}{'-mended' if mended else ''}.yaml"
    path.write_text(text)
    return path
