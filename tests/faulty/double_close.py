"""A client that closes its connection by number, and its owner closes it again. Mended: the owner gives the number up."""

import contextlib
import os

from peer import MENDED, connected_to

connection, peer = connected_to("recv:5 eof")
connection.send(b"hello")
number = connection.detach() if MENDED else connection.fileno()
os.close(number)
if not MENDED:
    with contextlib.suppress(OSError):
        connection.close()
peer.ended()
