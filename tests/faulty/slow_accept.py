"""A server that is busy while a connection waits for it. Mended: accepts at once."""

import time

from peer import MENDED, Peer, listener

listening = listener()
peer = Peer("connect", listening.getsockname()[1], "send:5 say eof")
if MENDED:
    connection = listening.accept()[0]
peer.heard()
time.sleep(0.7)
if not MENDED:
    connection = listening.accept()[0]
connection.recv(5)
connection.close()
listening.close()
peer.ended()
