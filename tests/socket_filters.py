"""Sockets that lose what comes for them, for tests: a loss that needs no rule in the network."""

import ctypes
import socket
import struct

SO_ATTACH_FILTER, RETURN_CONSTANT = 26, 0x06


def swallow(everything_for: socket.socket) -> None:
    """Let the kernel throw away whatever comes for a socket from now on, as a filter that keeps nothing does (socket(7))."""
    instruction = ctypes.create_string_buffer(struct.pack("=HBBI", RETURN_CONSTANT, 0, 0, 0))
    program = struct.pack("@HP", 1, ctypes.addressof(instruction))
    everything_for.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
