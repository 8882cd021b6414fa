"""A client that sends on a connection which was refused. Mended: looks at what connect() gave."""

import contextlib
import socket

from peer import HOST, MENDED, listener

unused = listener()
port = unused.getsockname()[1]
unused.close()
connection = socket.socket()
refused = connection.connect_ex((HOST, port))
if not (refused and MENDED):
    with contextlib.suppress(OSError):
        connection.send(b"hello")
connection.close()
