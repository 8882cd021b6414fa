"""A server that answers before it has read all of the request, and closes: the reset may destroy the answer. Mended: reads it."""

from peer import MENDED, accepted_from

listening, connection, peer = accepted_from("send:5000 say eof")
peer.heard()
connection.recv(100)
if MENDED:
    for _ in range(49):
        connection.recv(100)
connection.send(b"answer")
connection.close()
listening.close()
peer.ended()
