"""The plugin's options, on the command line and in pytest's own settings file, and the folder that they mean.

It does not know what is written there.
"""

import re
import tempfile
from pathlib import Path

import pytest

__all__ = ["PCAP", "add", "check", "folder_of", "pcap"]

PCAP = ("always", "failed", "never")
_FOLDER = pytest.StashKey[Path]()
_LONGEST = 100


def add(parser: pytest.Parser) -> None:
    """Add them to pytest's."""
    group = parser.getgroup("netlab", "networks (netlab)")
    group.addoption(
        "--netlab-artifacts",
        metavar="DIR",
        help="Keep what failing tests leave (packets, timeline, report, bundle) below DIR; default: pytest's own temporary folder.",
    )
    group.addoption(
        "--netlab-pcap",
        choices=PCAP,
        help="Of which tests to write the packets that their lab saw (default: failed).",
    )
    group.addoption(
        "--netlab-pause",
        action="store_true",
        help="At a failure let the lab run, tell the commands that enter it, and wait for Enter.",
    )
    parser.addini("netlab_artifacts", "the default of --netlab-artifacts, seen from this file")
    parser.addini("netlab_pcap", f"the default of --netlab-pcap: {', '.join(PCAP)}", default="failed")


def check(config: pytest.Config) -> None:
    """Raises UsageError for options that cannot be; makes the folder's path one that workers elsewhere understand."""
    if pcap(config) not in PCAP:
        raise pytest.UsageError(f"netlab_pcap = {pcap(config)}: it is one of {', '.join(PCAP)}")
    if config.getoption("netlab_pause") and (config.getoption("numprocesses", None) or hasattr(config, "workerinput")):
        raise pytest.UsageError("--netlab-pause needs this terminal, and pytest-xdist's workers have none: add -n 0")
    if chosen := config.getoption("netlab_artifacts"):
        config.option.netlab_artifacts = str(Path(config.invocation_params.dir, chosen))


def pcap(config: pytest.Config) -> str:
    """Of which tests packets are written: one of PCAP."""
    return str(config.getoption("netlab_pcap") or config.getini("netlab_pcap"))


def folder_of(item: pytest.Item) -> Path:
    """The folder of what is kept of one test; the same for each try of it, and another one for every other test."""
    base, nodeid = _folder(item.config), item.nodeid
    file, _, name = nodeid.partition("::")
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", name.replace("::", ".")).strip("-") or "test"
    from hashlib import sha256  # most runs of pytest have no lab that fails

    if len(plain) > _LONGEST or plain != name.replace("::", ".") or ".." in file:
        plain = f"{plain[:_LONGEST]}-{sha256(nodeid.encode()).hexdigest()[:8]}"
    return base.joinpath(*(part for part in Path(file).parts if part not in ("..", "/")), plain)


def _folder(config: pytest.Config) -> Path:
    if _FOLDER not in config.stash:
        config.stash[_FOLDER] = _chosen(config)
    return config.stash[_FOLDER]


def _chosen(config: pytest.Config) -> Path:
    if chosen := config.getoption("netlab_artifacts"):
        return Path(chosen)
    if chosen := config.getini("netlab_artifacts"):
        return Path(config.rootpath, str(chosen))
    # pytest numbers its runs' directories, keeps the last three, and gives each of xdist's workers one within its run's
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is None:
        return Path(tempfile.mkdtemp(prefix="netlab-"))
    base = Path(factory.getbasetemp())
    return (base.parent if hasattr(config, "workerinput") else base) / "netlab"
