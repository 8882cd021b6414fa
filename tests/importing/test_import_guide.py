"""The examples of docs/import.md: they run, and each command and option that it names is there."""

import re
from pathlib import Path

import pytest
from labs import netlab

PAGE = Path(__file__).parent.parent.parent / "docs" / "import.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.netns
@pytest.mark.parametrize("scenario", EXAMPLES[1:], ids=["capture", "log"])
def test_an_example_passes(scenario: str, tmp_path: Path) -> None:
    (tmp_path / "field.yaml").write_text(EXAMPLES[0])
    file = tmp_path / "field.scenario.yaml"
    file.write_text(scenario)
    ran = netlab("run", file)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_options_that_it_names_are_there() -> None:
    told = netlab("import", "pcap", "--help").stdout + netlab("import", "strace", "--help").stdout
    ours = {option for option in re.findall(r"`(--\w+)|import \w+ \S+ (-o) ", PAGE.read_text()) for option in option if option}
    assert ours == {"--real", "--name", "--force", "-o"}
    assert {option for option in ours if option not in told} == set()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("pcap", "absent.pcap"), 2, "absent.pcap:1:1: cannot be read: No such file or directory"),
        (("strace", "absent.log"), 2, "absent.log:1:1: cannot be read: No such file or directory"),
        (("pcap", str(PAGE)), 2, "neither pcapng nor pcap"),
        (("strace", str(PAGE)), 2, "this is no log of strace's; strace -f -tt -s 1000 -o FILE PROGRAM writes one"),
        (("pcap", "--real", "me", str(PAGE)), 2, "--real me: this is no IP address; write one of the capture's, or both"),
    ],
)
def test_what_cannot_be_imported_is_refused(arguments: tuple[str, ...], status: int, message: str, tmp_path: Path) -> None:
    done = netlab("import", *arguments, "-o", tmp_path)
    assert done.returncode == status
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_there_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "field.log"
    log.write_text("socket(AF_INET, SOCK_STREAM, 0) = 3\n")
    assert netlab("import", "strace", log, "-o", tmp_path).returncode == 0
    (tmp_path / "field.yaml").write_text("mine")
    again = netlab("import", "strace", log, "-o", tmp_path)
    assert again.returncode == 2
    assert "field.yaml: it is there already; give another directory with -o, another --name, or --force" in again.stderr
    assert (tmp_path / "field.yaml").read_text() == "mine"
    assert netlab("import", "strace", log, "-o", tmp_path, "--force").returncode == 0
    assert (tmp_path / "field.yaml").read_text() != "mine"
