"""A client that ends without closing its connection. Mended: closes it."""

import os

from peer import MENDED, connected_to

connection, peer = connected_to("recv:5 eof")
connection.send(b"hello")
if MENDED:
    connection.close()
    peer.ended()
os._exit(0)  # the interpreter's orderly end would close it
