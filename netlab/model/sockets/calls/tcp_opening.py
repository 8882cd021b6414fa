"""Opening TCP connections: what tcp_connecting.py and tcp_accepting.py say of the calls. It says nothing of its own."""

from netlab.model.sockets.calls.tcp_accepting import ACCEPTING
from netlab.model.sockets.calls.tcp_connecting import CONNECTING

RULES = (*CONNECTING, *ACCEPTING)
