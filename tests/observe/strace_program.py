"""What a Python program does with sockets, processes and signals, one thing after another; for tests/observe/test_strace.py."""

import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import threading
from pathlib import Path


def refused(made: socket.socket, *places: str | tuple[str, int]) -> None:
    for place in places:
        try:
            made.connect(place)
        except OSError:
            continue


def serve(listener: socket.socket) -> None:
    accepted, _ = listener.accept()
    accepted.recv(5)
    accepted.sendall(b'x"y\\z/*(}' + b"a" * 100)
    accepted.shutdown(socket.SHUT_WR)
    accepted.recv(1)
    accepted.close()


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 0))
listener.listen(5)
thread = threading.Thread(target=serve, args=(listener,))
thread.start()
client = socket.socket()
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 5))
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("=qq", 2, 500))
client.connect(listener.getsockname())
client.getpeername()
client.send(b"hello", socket.MSG_NOSIGNAL)
while client.recv(64):
    pass
client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
client.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
client.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
client.close()
thread.join()

left, right = socket.socketpair()
socket.send_fds(left, [b"x"], [listener.fileno()])
os.close(socket.recv_fds(right, 10, 1)[1][0])
left.sendmsg([b"q" * 50, b"r"])
right.recvmsg(200)
os.writev(left.fileno(), [b"12", b"345"])
os.readv(right.fileno(), [bytearray(3), bytearray(9)])
os.write(left.fileno(), b"w")
os.read(right.fileno(), 3)

datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
datagrams.sendto(b"abc", ("::1", 99))
try:
    datagrams.recvfrom(10, socket.MSG_DONTWAIT)
except OSError:
    pass
datagrams.connect(("::ffff:127.0.0.1", 99))
refused(socket.socket(socket.AF_UNIX), "/no such/<name>, (really)", "\0abstract")
refused(socket.socket(), ("127.0.0.1", 1))
fcntl.fcntl(datagrams, fcntl.F_SETFD, 0)
fcntl.fcntl(datagrams, fcntl.F_GETFD)
fcntl.fcntl(datagrams, fcntl.F_SETFL, os.O_NONBLOCK)
fcntl.fcntl(datagrams, fcntl.F_GETFL)
datagrams.setblocking(True)
waiting = select.poll()
waiting.register(right, select.POLLIN | select.POLLOUT)
waiting.poll(10)
many = select.epoll()
many.register(right, select.EPOLLIN | select.EPOLLET)
many.modify(right, select.EPOLLOUT)
many.poll(0.01)
many.unregister(right)
select.select([right], [], [], 0.001)
copy = os.dup(right.fileno())
os.dup2(copy, 40, inheritable=False)
os.dup2(copy, 40)
os.closerange(38, 42)
try:
    os.close(40)
except OSError:
    pass

if os.fork() == 0:
    os._exit(3)
os.wait()
child = os.fork()
if child == 0:
    right.recv(1)
    os._exit(0)
# Until it sleeps in recvfrom (its number on x86-64, and on aarch64): its tracer may stop it before it has entered the call.
asleep = Path(f"/proc/{child}/stat"), Path(f"/proc/{child}/syscall")
while asleep[0].read_text().rpartition(")")[2].split()[0] != "S" or asleep[1].read_text().split()[0] not in ("45", "207"):
    os.sched_yield()
os.kill(child, signal.SIGKILL)
os.wait()
subprocess.run(["true"], check=True)

signal.signal(signal.SIGALRM, lambda number, frame: None)
signal.setitimer(signal.ITIMER_REAL, 0.02)
threading.Timer(0.05, lambda: left.send(b"z")).start()
right.recv(1)  # interrupted once, and made again by Python
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.02)
threading.Timer(0.05, lambda: left.send(b"z")).start()
right.recv(1)  # interrupted once, and made again by the kernel
for one in threading.enumerate():
    if one is not threading.main_thread():
        one.join()
while len(os.listdir("/proc/self/task")) > 1:  # join() returns a little before a thread has gone
    os.sched_yield()
right.close()
os.close(copy)
try:
    left.send(b"ignored")
except BrokenPipeError:
    pass
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
left.send(b"deadly")
