"""A server that is told of its client's end, and neither closes nor goes on with it. Mended: closes."""

import os
import time

from peer import MENDED, accepted_from

listening, connection, peer = accepted_from("send:5 shut eof")
connection.recv(5)
connection.recv(5)
if MENDED:
    connection.close()
time.sleep(1.2)
listening.close()  # it goes on with something else
os._exit(0)
