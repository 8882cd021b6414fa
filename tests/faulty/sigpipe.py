"""A server that is killed by SIGPIPE when its client has gone. Mended: MSG_NOSIGNAL, and an end in order."""

import signal
import socket

from peer import MENDED, accepted_from

signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it
listening, connection, peer = accepted_from("recv:5 close")
connection.send(b"hello")
peer.ended()
for _ in range(2):
    try:
        connection.send(b"more", socket.MSG_NOSIGNAL if MENDED else 0)
    except ConnectionError:
        if MENDED:
            break
connection.close()
listening.close()
