"""A client that sends once more after its connection was closed. Mended: sends before."""

import contextlib
import os

from peer import MENDED, connected_to

connection, peer = connected_to("recv:10 eof")
connection.send(b"hello")
number = connection.detach()
if MENDED:
    os.write(number, b"again")
os.close(number)
if not MENDED:
    with contextlib.suppress(OSError):
        os.write(number, b"again")
peer.ended()
