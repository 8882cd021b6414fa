"""For every test: pytester, a cache folder that is not the user's, hypothesis without a database (it would be written into
whatever folder the tests run in), the published schema of results, and Ctrl-C."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from netlab.check.result import RunResult

pytest_plugins = ["pytester"]
settings.register_profile("netlab", database=None, deadline=None)
settings.load_profile("netlab")

# Shells start their background jobs with SIGINT ignored, nohup SIGHUP too, and programs that the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What proves once more, elsewhere or at length, what others prove is for make proof: NETLAB_PROOF=1."""
    if "NETLAB_PROOF" in os.environ:
        return
    left = [item for item in items if item.get_closest_marker("proof")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("proof")]


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands keep for later ones is this session's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def every_result_is_as_published() -> Iterator[None]:
    """Every result that a test writes or reads as JSON is held against the published schema."""
    from jsonschema import Draft202012Validator

    from netlab.report import json as report

    schema = Path(report.__file__).parent.parent / "schemas" / "result.schema.json"
    validator = Draft202012Validator(json.loads(schema.read_text()))
    dumps, loads = report.dumps, report.loads

    def dumped(result: RunResult) -> bytes:
        written = dumps(result)
        if result.schema == report.SCHEMA:
            validator.validate(json.loads(written))
        return written

    def loaded(data: bytes | str) -> RunResult:
        result = loads(data)
        validator.validate(json.loads(data))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "dumps", dumped)
        patch.setattr(report, "loads", loaded)
        yield
