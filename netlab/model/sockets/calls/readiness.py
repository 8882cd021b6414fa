"""Waiting for several descriptors: what polling.py and epolling.py say of the calls. It says nothing of its own."""

from netlab.model.sockets.calls.epolling import EPOLL
from netlab.model.sockets.calls.polling import POLLING

RULES = (*POLLING, *EPOLL)
