"""A server that forgets its connections when their peers have gone. Mended: closes each."""

import os
import time

from peer import MENDED, Peer, listener

listening = listener()
peer = Peer("connect", listening.getsockname()[1], " again ".join(["send:5 recv:5 shut"] * 5))
kept = []
for _ in range(5):
    connection = listening.accept()[0]
    connection.send(connection.recv(5))
    connection.recv(5)
    if MENDED:
        connection.close()
    else:
        kept.append(connection)
peer.ended()
time.sleep(0.7)
listening.close()
os._exit(0)
