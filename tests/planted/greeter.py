"""The server that greeting.c asks: it greets whoever it accepts, answers each request, and has no fault. usage: greeter.py PORT"""

import socket
import sys

GREETING, REQUEST, ANSWER = b"220 ready\n", b"GET\n", b"x" * 1000

with socket.create_server(("0.0.0.0", int(sys.argv[1]))) as listening:
    while True:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(GREETING)
            while connection.recv(len(REQUEST), socket.MSG_WAITALL):
                connection.sendall(len(ANSWER).to_bytes(4) + ANSWER)
