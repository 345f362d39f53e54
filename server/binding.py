"""To be reachable: take a port, or say in one sentence why not and which setting to change."""

from __future__ import annotations

import errno
import os

from aiohttp import web


class StartError(Exception):
    """The server cannot start; the message is a sentence for the operator."""


async def listen(
    site: web.BaseSite, host_name: str, host: str, port_name: str, port: int | None
) -> None:
    """Start the site on `host` and `port`, which are the settings of these names.

    Raises StartError that names the one to change.
    """
    try:
        await site.start()
    except OSError as error:
        # asyncio's own sentence repeats the address; only the cause is news.
        cause = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        setting = port_name if error.errno in (errno.EADDRINUSE, errno.EACCES) else host_name
        raise StartError(
            f"cannot listen on {host} port {port}: {cause} (setting {setting})"
        ) from error
