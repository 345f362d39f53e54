"""One port for several processes: the kernel deals new connections out among those that listen."""

from __future__ import annotations

import os
import socket

from server.binding import StartError


class Reserved:
    """A port that is ours from the start, though others listen on it; 0 is one that is free.

    Raises StartError with the setting to change.
    """

    def __init__(self, host: str, port: int) -> None:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if port:
                _refuse_others(family, address)
            self._socket.bind(address)
        except OSError as error:
            cause = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise StartError(
                f"cannot listen on {host} port {port}: {cause} (setting port or host)"
            ) from error
        self.number = int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Give it up."""
        self._socket.close()


def _refuse_others(family: int, address: object) -> None:
    """Of two servers that both share their port each would get half of the connections."""
    with socket.socket(family, socket.SOCK_STREAM) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)  # type: ignore[arg-type]
