"""For every test: pytester, a cache folder that is not the user's, hypothesis without a database (it would be written into
whatever folder the tests run in), and Ctrl-C."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]
settings.register_profile("netlab", database=None, deadline=None)
settings.load_profile("netlab")

# Shells start their background jobs with SIGINT ignored, nohup SIGHUP too, and programs that the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands keep for later ones is this session's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
