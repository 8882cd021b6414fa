"""For every test: pytester, a cache folder that is not the user's, and hypothesis without a database (it would be written into
whatever folder the tests run in)."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]
settings.register_profile("netlab", database=None, deadline=None)
settings.load_profile("netlab")


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands keep for later ones is this session's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
