"""A server whose queue is too short for those who come at once. Mended: room for all."""

import time

from peer import MENDED, Peer, listener

listening = listener(backlog=8 if MENDED else 0)
port = listening.getsockname()[1]
peers = [Peer("connect", port, "say send:5 eof") for _ in range(3)]
peers[0].heard()
time.sleep(0.4)
for _ in peers:
    connection = listening.accept()[0]
    connection.recv(5)
    connection.close()
for peer in peers:
    peer.ended()
listening.close()
