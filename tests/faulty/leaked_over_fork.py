"""A server with a child for each connection, whose parent keeps the child's connection: the peer never sees its end.

Mended: the parent closes its copy.
"""

import os
import time

from peer import MENDED, accepted_from

listening, connection, peer = accepted_from("send:5 recv:5 eof")
child = os.fork()
if child == 0:
    listening.close()
    connection.send(connection.recv(5))
    connection.close()
    os._exit(0)
if MENDED:
    connection.close()
os.waitpid(child, 0)
time.sleep(0.7)
listening.close()
if not MENDED:
    connection.close()
peer.ended()
