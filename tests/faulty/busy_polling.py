"""A server that asks for data again and again. Mended: waits for it."""

import select

from peer import MENDED, accepted_from

listening, connection, peer = accepted_from("open wait:100 send:5 eof")
connection.setblocking(False)
while True:
    if MENDED:
        select.select([connection], [], [])
    try:
        connection.recv(5)
        break
    except BlockingIOError:
        continue
connection.close()
listening.close()
peer.ended()
