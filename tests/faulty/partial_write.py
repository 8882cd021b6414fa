"""A client that does not look at how much send() took. Mended: sends the rest when there is room."""

import select

from peer import MENDED, connected_to

SIZE = 5_000_000
connection, peer = connected_to(f"go recv:{SIZE} eof")
connection.setblocking(False)
data = b"x" * SIZE
sent = connection.send(data)
peer.go()
while MENDED and sent < SIZE:
    select.select([], [connection], [])
    sent += connection.send(data[sent:])
connection.close()
peer.ended()
