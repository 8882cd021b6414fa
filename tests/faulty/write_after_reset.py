"""A server that writes on after its client has reset the connection. Mended: stops at the first error."""

from peer import MENDED, accepted_from

listening, connection, peer = accepted_from("recv:5 reset")
connection.send(b"hello")
peer.ended()
for _ in range(5):
    try:
        connection.send(b"more")
    except OSError:
        if MENDED:
            break
connection.close()
listening.close()
