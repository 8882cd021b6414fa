"""A client and a server that lose data when RST follows FIN.

The server answers a request and closes. While it waits for the answer, the client sends a sign of life every 700 ms. One that comes
after the close is answered by a RST (RFC 9293 §3.6.1), and with it the server's kernel forgets what it had sent and not heard of:
if the answer was lost on its way, it is not sent again. Mended, the server shuts down its sending side only, and closes when the
client has.

usage: heartbeat.py server PORT [mended] | client ADDRESS PORT; the client's exit status: 0 it has the whole answer, 1 it has not.
"""

import select
import socket
import sys

REQUEST, SIGN, ANSWER = b"what?", b"alive", b"x" * 1000
INTERVAL_MS = 700


def server(port: int, mended: bool) -> None:
    """Answer whoever comes, one after another."""
    with socket.create_server(("0.0.0.0", port)) as listening:
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.recv(len(REQUEST), socket.MSG_WAITALL)
                connection.sendall(ANSWER)
                if mended:
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass


def client(address: str, port: int) -> int:
    """Ask, and wait for the whole answer."""
    with socket.create_connection((address, port)) as connection:
        connection.sendall(REQUEST)
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        missing = len(ANSWER)
        while missing:
            if not poll.poll(INTERVAL_MS):
                connection.send(SIGN)
                continue
            try:
                data = connection.recv(missing)
            except ConnectionError as error:
                print(f"{missing} bytes of the answer are lost: {error}")
                return 1
            if not data:
                print(f"{missing} bytes of the answer are missing")
                return 1
            missing -= len(data)
    return 0


if __name__ == "__main__":
    role, *words = sys.argv[1:]
    if role == "client":
        sys.exit(client(words[0], int(words[1])))
    server(int(words[0]), words[1:] == ["mended"])
