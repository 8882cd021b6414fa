"""A server that is started again while its earlier connection is in TIME-WAIT. Mended: SO_REUSEADDR on both."""

import contextlib

from peer import MENDED, Peer, listener

listening = listener(reuse=MENDED)
port = listening.getsockname()[1]
peer = Peer("connect", port, "send:5 eof")
connection = listening.accept()[0]
connection.recv(5)
connection.close()  # first: TIME-WAIT is ours
listening.close()
peer.ended()
with contextlib.suppress(OSError):
    listener(port, reuse=MENDED).close()
