"""Data over TCP, in both directions: what tcp_sending.py and tcp_receiving.py say of the calls. It says nothing of its own."""

from netlab.model.sockets.calls.tcp_receiving import RECEIVING
from netlab.model.sockets.calls.tcp_sending import SENDING

RULES = (*SENDING, *RECEIVING)
