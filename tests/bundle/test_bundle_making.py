"""What a bundle holds of a scenario: enough to load exactly the same from nothing else, or it is refused."""

import os
from pathlib import Path

import msgspec
import pytest
from bundles import NODES, PAIR, PROGRAM, SCENARIO, bundle, files, result

from netlab.bundle.asking import touches
from netlab.bundle.layout import LARGEST_PROGRAM
from netlab.bundle.loading import loaded, parts
from netlab.bundle.making import bundle_of
from netlab.bundle.spec import Failed, Program, name_problem
from netlab.check.result import HostFacts
from netlab.errors import SpecError
from netlab.notation.calls import RunText
from netlab.scenario.load import load_scenarios
from netlab.topology.spec import Rule

HOST = HostFacts(kernel="6.18.44", tier="A", capabilities={}, pinned={})


def test_texts_lie_to_each_other_as_they_did_and_a_program_comes_along(tmp_path: Path) -> None:
    path = files(tmp_path / "there")
    made = bundle(path, mtu="1400")
    word = str(tmp_path / "there" / "client.py")
    assert made.files == {
        "lossy.scenario.yaml": SCENARIO.replace("PROGRAM", word),
        "pair.yaml": PAIR,
        "base/nodes.yaml": NODES,
        "base/motd.txt": "hello\n",
    }
    assert made.programs == {"client.py": Program(word=word, data=PROGRAM)}
    assert (made.file, made.scenario, made.seed, made.settings) == ("lossy.scenario.yaml", "lossy", 7, {"mtu": "1400"})
    assert made.failed == Failed(
        claim="lossy", field="exit status", step="client: run python3 client.py 10.0.0.2 -> 3", expected="3", actual="1"
    )


def test_decisions_and_rules_are_placed_in_the_bundles_own_files(tmp_path: Path) -> None:
    made = bundle(files(tmp_path))
    assert [one.place for one in made.decisions] == ["lossy.scenario.yaml:4:20"]
    assert made.rules == ("lossy.scenario.yaml:4:20: {match: S, nth: 1, action: drop}",)
    with loaded(made) as scenario:
        assert [str(rule.place) for rule in parts(scenario, Rule)] == ["lossy.scenario.yaml:4:20"]


def test_it_loads_after_the_original_is_gone_with_its_settings_and_runs_the_program_that_it_brings(tmp_path: Path) -> None:
    path = files(tmp_path / "there")
    made = bundle(path, mtu="1400")
    for folder, _, names in os.walk(tmp_path / "there"):
        for name in names:
            os.unlink(os.path.join(folder, name))
    with loaded(made) as scenario:
        (link,) = scenario.topology.links
        assert link.mtu == 1400
        assert scenario.topology.node("server").files[0].text == "hello\n"
        ((_, program, address),) = [what.argv for what in parts(scenario, RunText)]
        assert (Path(program).read_bytes(), address) == (PROGRAM, "10.0.0.2")
    assert not os.path.exists(program)


def test_nothing_lies_on_disk_while_a_scenario_without_programs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files(tmp_path / "there")
    with_program = bundle(path)
    path.write_text(path.read_text().partition("steps:")[0] + "steps:\n  - client: getpid()\n")
    without = bundle(path)
    (tmp_path / "room").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "room"))
    for made, there in ((with_program, 1), (without, 0)):
        with loaded(made):
            assert len(list((tmp_path / "room").iterdir())) == there
        assert list((tmp_path / "room").iterdir()) == []


def test_a_topology_that_the_package_ships_comes_along(tmp_path: Path) -> None:
    path = tmp_path / "lossy.scenario.yaml"
    path.write_text(SCENARIO.replace("topology: pair", "topology: two-hosts").replace("PROGRAM", "x"))
    made = bundle(path)
    assert sorted(made.files) == ["lossy.scenario.yaml", "two-hosts.yaml"]
    with loaded(made) as scenario:
        assert str(scenario.topology.place.file) == "two-hosts.yaml"


def test_a_topology_in_the_folder_topologies_is_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topologies").mkdir()
    (tmp_path / "topologies" / "mine.yaml").write_text("nodes: {client: {}, server: {}}\nlinks: [{endpoints: [client, server]}]\n")
    for named, there in (("mine", "mine.yaml"), ("topologies/mine.yaml", "topologies/mine.yaml")):
        Path("lossy.scenario.yaml").write_text(SCENARIO.replace("topology: pair", f"topology: {named}").replace("PROGRAM", "x"))
        made = bundle(Path("lossy.scenario.yaml"))
        assert sorted(made.files) == ["lossy.scenario.yaml", there]
        assert made.rules == ("lossy.scenario.yaml:4:20: {match: S, nth: 1, action: drop}",)


def test_two_files_of_one_name_lie_apart_as_they_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topologies").mkdir()
    (tmp_path / "topologies" / "same.yaml").write_text("include: ../same.yaml\nlinks: [{endpoints: [client, server]}]\n")
    (tmp_path / "same.yaml").write_text("nodes: {client: {}, server: {}}\n")
    Path("lossy.scenario.yaml").write_text(
        SCENARIO.replace("topology: pair", "topology: topologies/same.yaml").replace("PROGRAM", "x")
    )
    assert sorted(bundle(Path("lossy.scenario.yaml")).files) == ["lossy.scenario.yaml", "same.yaml", "topologies/same.yaml"]


def test_a_claim_is_found_again_among_the_others_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    claim = "  - {{id: {0}, topology: one-host, statement: It runs., sources: [none], steps: [host: getpid()]}}\n"
    path.write_text("group: some\nclaims:\n" + claim.format("first") + claim.format("second"))
    second = load_scenarios(path)[1]
    made = bundle_of(second, result(path), seed=0, host=HOST)
    with loaded(made) as scenario:
        assert scenario.name == "second"


def test_a_file_named_by_its_absolute_path_is_refused(tmp_path: Path) -> None:
    path = files(tmp_path)
    path.write_text(path.read_text().replace("topology: pair", f"topology: {tmp_path}/pair.yaml"))
    with pytest.raises(SpecError, match=r"names .*/pair.yaml, which the bundle does not bring; name it by a path from the folder"):
        bundle(path)


def test_files_that_changed_since_they_were_loaded_are_refused(tmp_path: Path) -> None:
    path = files(tmp_path)
    (scenario,) = load_scenarios(path)
    (tmp_path / "pair.yaml").write_text(PAIR.replace("1500", "1400"))
    with pytest.raises(SpecError, match="cannot be bundled: what its files hold now is another scenario than the one that failed"):
        bundle_of(scenario, result(path), seed=0, host=HOST)


def test_a_program_that_is_too_large_is_told(tmp_path: Path) -> None:
    path = files(tmp_path)
    os.truncate(tmp_path / "client.py", LARGEST_PROGRAM + 1)
    with pytest.raises(SpecError, match=r"client.py is larger than 64 MB; keep large files outside of the scenario's folder"):
        bundle(path)


def test_what_passed_has_no_bundle(tmp_path: Path) -> None:
    path = files(tmp_path)
    (scenario,) = load_scenarios(path)
    with pytest.raises(ValueError, match="lossy has not failed"):
        bundle_of(scenario, result(path, "PASS"), seed=0, host=HOST)


def test_a_bundle_that_names_a_file_of_this_machine_is_not_loaded(tmp_path: Path) -> None:
    made = bundle(files(tmp_path / "there"))
    outside = tmp_path / "secret.yaml"
    outside.write_text("nodes: {client: {}, server: {}}\nlinks: [{endpoints: [client, server]}]\n")
    hostile = msgspec.structs.replace(made, files=made.files | {"pair.yaml": PAIR.replace("base/nodes.yaml", str(outside))})
    with pytest.raises(SpecError, match=r"^lossy.scenario.yaml: this names .*secret.yaml, which the bundle does not bring"):
        loaded(hostile).__enter__()


def test_a_program_does_not_take_the_place_of_a_text_that_was_shown(tmp_path: Path) -> None:
    path = files(tmp_path)
    path.write_text(path.read_text() + f"  - client: run cat {tmp_path}/pair.yaml\n")
    made = bundle(path)
    with loaded(made) as scenario:  # the same under both names is no harm
        assert scenario.name == "lossy"
    other = Program(word="x", data=made.files[made.file].replace("run python3", "run rm -rf").encode())
    with pytest.raises(SpecError, match=r"^lossy.scenario.yaml: this is a file of the bundle, and a program that is another one"):
        loaded(msgspec.structs.replace(made, programs=made.programs | {made.file: other})).__enter__()


def test_what_is_wrong_in_a_bundles_file_is_told_at_its_place_in_the_bundle(tmp_path: Path) -> None:
    made = bundle(files(tmp_path))
    broken = msgspec.structs.replace(made, files=made.files | {"pair.yaml": PAIR.replace("[client, server]", "[client, sever]")})
    with pytest.raises(SpecError, match=r'^pair.yaml:5:25: .*"sever"'):
        loaded(broken).__enter__()


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/", "..", "a\\b", "a\0b", "a\nb", "x" * 256]
)
def test_a_name_that_could_lead_elsewhere_is_no_name(name: str, tmp_path: Path) -> None:
    assert name_problem(name)
    made = bundle(files(tmp_path))
    with pytest.raises(SpecError, match="no file of a bundle may have this name"):
        loaded(msgspec.structs.replace(made, files=made.files | {name: ""})).__enter__()


@pytest.mark.parametrize("name", ["a", "a/b.yaml", "über/maß.yaml", "..a", "a..b", "-rf"])
def test_a_plain_relative_path_is_a_name(name: str) -> None:
    assert not name_problem(name)


def test_what_would_run_and_what_would_be_opened_is_told(tmp_path: Path) -> None:
    path = files(tmp_path)
    with path.open("a") as file:
        file.write('  - client: f = open("/etc/passwd", O_RDONLY)\n')
    (tmp_path / "base" / "nodes.yaml").write_text("nodes: {client: {start: [\"rm -rf '/a b'\"]}, server: {}}\n")
    word = str(tmp_path / "client.py")
    assert touches(bundle(path)) == (
        "client runs rm -rf '/a b'",
        f"client runs python3 {word} 10.0.0.2 ({word}: {len(PROGRAM)} bytes from the bundle)",
        'a file is opened by client: f = open("/etc/passwd", O_RDONLY)',
    )


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("connect(u, unix:/run/docker.sock)", "a socket's path is used by"),
        ("bind(u, unix:there)", "a socket's path is used by"),
        ("sendmsg(u, buf(3), 0, addr=unix:/dev/log)", "a socket's path is used by"),
        ('sendto(u, "x", 0, "\\x01\\0/dev/log")', "bytes are taken for an address by"),
        ('unlink("/run/docker.sock")', "a file is removed by"),
        ("connect(u, buf(16))", "bytes are taken for an address by"),
        ('child(unlink("/run/docker.sock"))', "a file is removed by"),
        ("after(5, connect(u, unix:/run/docker.sock))", "a socket's path is used by"),
        ('chmod("/run/docker.sock", 0)', "a file's mode is changed by"),
        ('mkfile("/run/x")', "a file is made by"),
        ("connect(u, abstract:there) & as j", ""),
        ("connect(u, server:80) & as j", ""),
        ('sendto(u, "x", 0)', ""),
        ("bind(u, NULL)", ""),
        ("(a, b) = socketpair(AF_UNIX, SOCK_DGRAM, 0)", ""),
    ],
)
def test_a_call_that_could_reach_the_machines_own_sockets_is_told(step: str, told: str, tmp_path: Path) -> None:
    """Of a network namespace are abstract names (unix(7)), not paths: a daemon of the machine listens at one."""
    path = tmp_path / "lossy.scenario.yaml"
    path.write_text(
        f"topology: two-hosts\nsteps:\n  - client: u = socket(AF_UNIX, SOCK_DGRAM, 0)\n  - client: '{step}'\n", encoding="utf-8"
    )
    assert touches(bundle(path)) == ((f"{told} client: {step}",) if told else ())


@pytest.mark.parametrize("runs", ["start: [/bin/true]", "firewall: 'table inet t {}'"])
def test_what_makes_a_program_another_one_than_its_name_says_is_told(runs: str, tmp_path: Path) -> None:
    path = files(tmp_path)
    own = "files: {/usr/sbin/nft: {text: '#!/bin/sh', mode: '0755'}}, env: {PATH: /tmp/a b}"
    (tmp_path / "base" / "nodes.yaml").write_text(f"nodes: {{client: {{}}, server: {{{own}, {runs}}}}}\n")
    path.write_text(path.read_text().partition("steps:")[0] + "steps:\n  - client: getpid()\n")
    lines = ("server has a /usr/sbin/nft of its own (9 bytes from the bundle)", "server runs programs with PATH='/tmp/a b'")
    assert touches(bundle(path)) == (("server runs /bin/true", *lines) if "start" in runs else lines)
    (tmp_path / "base" / "nodes.yaml").write_text(f"nodes: {{client: {{}}, server: {{{own}}}}}\n")
    assert touches(bundle(path)) == ()
    path.write_text(path.read_text() + "  - server: getpid()\n")
    assert touches(bundle(path)) == lines
