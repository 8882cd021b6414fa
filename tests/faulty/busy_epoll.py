"""A client that asks to be told when it may send, has nothing to send, and is told without end. Mended: asks for data only."""

import select

from peer import MENDED, connected_to

connection, peer = connected_to("open wait:300 send:5 eof")
epoll = select.epoll()
epoll.register(connection, select.EPOLLIN if MENDED else select.EPOLLIN | select.EPOLLOUT)
while not any(events & select.EPOLLIN for _, events in epoll.poll()):
    sum(range(3000))  # looks for something to send: some thousand calls a second, which a busy machine can still record
connection.recv(5)
connection.close()
epoll.close()
peer.ended()
