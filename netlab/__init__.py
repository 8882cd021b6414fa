"""netlab: pytest for the network stack.

Declare a network in YAML; netlab builds it from Linux namespaces and veth pairs, makes real socket calls inside it, watches
every call, descriptor, kernel state and packet on one timeline, and judges that timeline against a cited model of the sockets
API. Nothing is imported here but what a name asks for: ``from netlab import Lab`` loads the lab, ``import netlab`` loads nothing.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Lab", "NetlabError", "__version__"]

if TYPE_CHECKING:
    from netlab.api import Lab as Lab
    from netlab.errors import NetlabError as NetlabError


def __getattr__(name: str) -> Any:
    if name == "Lab":
        from netlab.api import Lab

        return Lab
    if name == "NetlabError":
        from netlab.errors import NetlabError

        return NetlabError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
