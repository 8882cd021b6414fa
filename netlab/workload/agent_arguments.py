"""One argument of a call as libc is given it, and what the call left in it: numbers, buffers, bad pointers, messages.

It is made of what workload/marshal.py says, in the agent's process, so it imports the standard library only. It makes no call.
"""

import ctypes
from typing import Any

_UNSIGNED = 0xFFFFFFFF
_ADDRESS_ROOM = 128  # sizeof(struct sockaddr_storage)


class Message(ctypes.Structure):
    """struct msghdr of <sys/socket.h>."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class Part(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Argument:
    """One argument of a call: what is passed to libc, and what is to be read back afterwards."""

    def __init__(self, tagged: list[Any], bad: int) -> None:
        tag = tagged[0]
        content: Any = tagged[1] if len(tagged) > 1 else None
        self.buffer: Any = None
        self.value: Any = None
        self.size = 0
        if tag == "int":
            self.value = ctypes.c_long(content)
        elif tag in ("in", "inout", "out"):
            size = content if tag == "out" else len(content)
            self.buffer = ctypes.create_string_buffer(b"" if tag == "out" else content, max(size, 1))
            self.value = self.buffer
            self.size = size
        elif tag in ("bad", "null") and content is not None:
            self.size = content  # the length that an iovec gives for it
            self.value = ctypes.c_void_p(bad if tag == "bad" else None)
        elif tag == "bad":
            self.value = ctypes.c_void_p(bad)
        elif tag == "null":
            self.value = ctypes.c_void_p(None)
        elif tag == "msg":
            self._message(content, bad)
        else:
            raise ValueError(tag)
        self.returns = tag in ("out", "inout")
        self.tag = tag

    def _message(self, content: dict[str, Any], bad: int) -> None:
        self.parts = [Argument(part, bad) for part in content["iov"]]
        self.vector = (Part * max(1, len(self.parts)))()
        for slot, part in zip(self.vector, self.parts, strict=False):
            slot.base = address_of(part)
            slot.length = part.size
        name = content.get("name")
        # An address's length, at a bad pointer or at memory that is not as long as that.
        how, wrong = (name[0], name[1] & _UNSIGNED) if isinstance(name, list) else ("", None)
        bad_name = how == "bad"
        self.name = None if bad_name else self._piece(_ADDRESS_ROOM if wrong is not None else name)
        control = content.get("control")
        self.control = None if control == ["bad"] else self._piece(control)
        self.header = Message(
            name=bad if bad_name else ctypes.addressof(self.name) if self.name is not None else None,
            namelen=wrong if wrong is not None else len(self.name) if self.name is not None else 0,
            iov=ctypes.addressof(self.vector),
            iovlen=len(self.parts),
            control=bad if control == ["bad"] else ctypes.addressof(self.control) if self.control is not None else None,
            controllen=64 if control == ["bad"] else len(self.control) if self.control is not None else 0,
            flags=content.get("flags", 0),
        )
        self.value = ctypes.byref(self.header)

    @staticmethod
    def _piece(content: bytes | int | None) -> Any:
        if content is None:
            return None
        if isinstance(content, int):
            return ctypes.create_string_buffer(max(content, 1))
        return ctypes.create_string_buffer(content, max(len(content), 1))

    def read_back(self) -> Any:
        """What the call left in this argument."""
        if self.tag == "msg":
            return {
                "name": self.name.raw[: self.header.namelen] if self.name is not None else b"",
                "iov": [part.buffer.raw[: part.size] if part.buffer is not None else b"" for part in self.parts],
                "control": self.control.raw[: self.header.controllen] if self.control is not None else b"",
                "flags": self.header.flags,
                "controllen": self.header.controllen,
                "namelen": self.header.namelen,
            }
        return self.buffer.raw[: self.size] if self.returns and self.buffer is not None else None


def address_of(argument: Argument) -> int | None:
    """The pointer that an argument stands for."""
    if argument.buffer is not None:
        return ctypes.addressof(argument.buffer)
    return argument.value.value if argument.value is not None else None
