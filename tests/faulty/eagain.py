"""A client that takes "not yet" for an error. Mended: waits for the answer."""

import contextlib
import select

from peer import MENDED, connected_to

connection, peer = connected_to("recv:5 go send:5 eof" if MENDED else "recv:5 go eof")
connection.setblocking(False)
connection.send(b"hello")
with contextlib.suppress(BlockingIOError):
    connection.recv(5)  # not yet: the peer was not let go on
if MENDED:
    peer.go()
    select.select([connection], [], [])
    connection.recv(5)
connection.close()
if not MENDED:
    peer.go()
peer.ended()
