"""Data over TCP: what tcp_sending.py, tcp_receiving.py and tcp_pushing.py say of the calls. It says nothing of its own."""

from netlab.model.sockets.calls.tcp_pushing import PUSHING
from netlab.model.sockets.calls.tcp_receiving import RECEIVING
from netlab.model.sockets.calls.tcp_sending import SENDING

RULES = (*SENDING, *RECEIVING, *PUSHING)
