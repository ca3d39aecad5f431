"""Sockets that end when time is up, however slowly the other side drips.

A socket's own time-out starts anew with every byte, so that it never fires on a drip. Here a timer shuts
the socket down under whoever reads it: in the TLS handshake, in the headers or in the body.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable


class Wires:
    """The sockets of one exchange. `when_over` is called when its time is up, before any of them is shut down."""

    def __init__(self, seconds: float, when_over: Callable[[], None] = lambda: None) -> None:
        self._when_over = when_over
        self._lock = threading.Lock()
        self._wires: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self.cut)
        self._timer.daemon = True

    def start(self) -> None:
        """Time runs from here."""
        self._timer.start()

    def watch(self, wire: socket.socket) -> None:
        """Shut it down when time is up.

        We keep a duplicate: it stays valid when TLS wraps the socket, and its number cannot be given to another.
        """
        duplicate = socket.socket(fileno=os.dup(wire.fileno()))
        with self._lock:
            self._wires.append(duplicate)

    def cut(self) -> None:
        with self._lock:
            self._when_over()
            for wire in self._wires:
                with contextlib.suppress(OSError):  # the other side may have gone by itself
                    wire.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """The exchange is over: nothing is cut any more, and the duplicates are closed."""
        self._timer.cancel()
        with self._lock:
            while self._wires:
                self._wires.pop().close()
