"""For every test: pytester, and hypothesis without a database (it would be written into whatever folder the tests run in)."""

from hypothesis import settings

pytest_plugins = ["pytester"]
settings.register_profile("netlab", database=None, deadline=None)
settings.load_profile("netlab")
