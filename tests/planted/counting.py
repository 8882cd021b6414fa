"""A request-reply protocol over UDP that carries a duplicate out twice.

A request has a number; the client sends it again until a reply with that number comes, as UDP tells it of no loss (RFC 8085
§3.1.1). The server carries out whatever arrives: if a reply is lost, its request comes again, and is carried out again. Mended, the
server remembers what it replied to each number, and says that again.

usage: counting.py server PORT [mended] | client ADDRESS PORT; the client's status: 0 the total is right, 1 it is not, 2 no reply.
"""

import socket
import sys

ADDITIONS, TRIES, PATIENCE = 3, 12, 0.7


def server(port: int, mended: bool) -> None:
    """Carry out requests: "NUMBER add" and "NUMBER total"."""
    total, replies = 0, dict[tuple[object, bytes], bytes]()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("0.0.0.0", port))
        while True:
            request, sender = own.recvfrom(100)
            number, _, word = request.partition(b" ")
            if not mended or (sender, number) not in replies:
                total += word == b"add"
                replies[sender, number] = b"%s %d" % (number, total)
            own.sendto(replies[sender, number], sender)


def asked(own: socket.socket, number: int, word: str) -> int:
    """The total in the reply to one request."""
    for _ in range(TRIES):
        own.send(f"{number} {word}".encode())
        try:
            while True:
                about, _, total = own.recv(100).partition(b" ")
                if int(about) == number:  # else it is a late reply to a request before
                    return int(total)
        except TimeoutError:
            continue
    sys.exit(2)


def client(address: str, port: int) -> int:
    """Add so many times, and ask what came of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.connect((address, port))
        own.settimeout(PATIENCE)
        for number in range(ADDITIONS):
            asked(own, number, "add")
        total = asked(own, ADDITIONS, "total")
    print(f"{ADDITIONS} additions came to {total}")
    return int(total != ADDITIONS)


if __name__ == "__main__":
    role, *words = sys.argv[1:]
    if role == "client":
        sys.exit(client(words[0], int(words[1])))
    server(int(words[0]), words[1:] == ["mended"])
