"""The clean other end of the programs here, driven by words: ``python peer.py connect|listen PORT WORD...``.

    send:N   send N bytes            shut     shutdown(SHUT_WR)         go       wait for a line on stdin
    recv:N   receive N bytes         close    close                     say      write a line to stdout
    eof      receive to the end      reset    close with SO_LINGER 0    again    the next connection
    open     connect or accept, as any word does that needs it           wait:MS  sleep, as a slow peer does

``listen`` writes its port to stdout first. A connection that breaks is no error of the peer's. Programs use ``Peer``.
"""

import contextlib
import socket
import struct
import subprocess
import sys
import time

MENDED = sys.argv[1:] == ["mended"]
"""Whether the program was asked for its twin, which does the same without the fault."""
HOST = "127.0.0.1"


class Peer:
    """A peer in a process of its own. ``port`` is the one that it listens at or connects to."""

    def __init__(self, role: str, port: int, words: str) -> None:
        command = [sys.executable, "-I", "-S", __file__, role, str(port), *words.split()]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.heard()) if role == "listen" else port

    def heard(self) -> bytes:
        """Wait until the peer says something."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def go(self) -> None:
        """Let the peer go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def ended(self) -> None:
        """Wait for its end."""
        self.process.communicate()


def listener(port: int = 0, backlog: int = 8, reuse: bool = True) -> socket.socket:
    """A listening socket of the program under test."""
    made = socket.socket()
    if reuse:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((HOST, port))
    made.listen(backlog)
    return made


def accepted_from(words: str) -> tuple[socket.socket, socket.socket, Peer]:
    """A listener, a connection from a peer that then does ``words``, and the peer."""
    listening = listener()
    peer = Peer("connect", listening.getsockname()[1], words)
    return listening, listening.accept()[0], peer


def connected_to(words: str) -> tuple[socket.socket, Peer]:
    """A connection to a peer that does ``words``, and the peer."""
    peer = Peer("listen", 0, words)
    made = socket.socket()
    made.connect((HOST, peer.port))
    return made, peer


def _do(connection: socket.socket, word: str) -> None:
    name, _, number = word.partition(":")
    count = int(number or 0)
    match name:
        case "send":
            connection.sendall(b"x" * count)
        case "recv":
            while count > 0 and (got := connection.recv(min(count, 65536))):
                count -= len(got)
        case "eof":
            while connection.recv(65536):
                pass
        case "shut":
            connection.shutdown(socket.SHUT_WR)
        case "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        case "close":
            connection.close()


def main(role: str, port: int, words: list[str]) -> None:
    """Do what the words say."""
    listening = listener(port) if role == "listen" else None
    if listening is not None:
        print(listening.getsockname()[1], flush=True)
    connection: socket.socket | None = None
    for word in words:
        if word == "go":
            sys.stdin.readline()
        elif word == "say":
            print(flush=True)
        elif word.startswith("wait:"):
            time.sleep(int(word[5:]) / 1000)
        elif word == "again":
            if connection is not None:
                connection.close()
            connection = None
        else:
            if connection is None:
                connection = listening.accept()[0] if listening else socket.create_connection((HOST, port))
            with contextlib.suppress(ConnectionError):
                _do(connection, word)
    for left in (connection, listening):
        if left is not None:
            left.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
