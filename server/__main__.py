"""`python -m server`: read the settings, serve until SIGINT or SIGTERM.

`plait`, where Plait was installed as a package, is the same: `plait serve [--SETTING VALUE]...`,
and `plait admin` for what `scripts/admin` does in a checkout.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys

from server import __version__, logs
from server.operating import compiled
from server.operating.stack import raise_stack
from server.settings import Settings

log = logging.getLogger("plait")


async def serve(settings: Settings) -> None:
    """Serve until told to stop; a second signal while stopping is ignored."""
    # --help must not wait for these imports, nor they for a collector that finds nothing in them.
    gc.disable()
    from server.app import Server  # noqa: PLC0415
    from server.supervising.supervisor import Supervisor  # noqa: PLC0415

    gc.enable()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    alone = settings.workers == 1
    server = Server(settings) if alone else Supervisor(settings, sys.argv[1:])
    starting = asyncio.create_task(server.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return
        await starting
        print(f"Plait is ready at {server.address}", flush=True)  # noqa: T201 - what stdout is for
        await stopping
        log.info("stopping")
    finally:
        stopping.cancel()
        await server.stop()


def main() -> None:
    """The program `plait`: serve, admin, or the version."""
    words = sys.argv[1:]
    if words[:1] == ["admin"]:
        from server.admin.__main__ import main as admin  # noqa: PLC0415

        admin(words[1:], "plait admin")
    elif words == ["--version"]:
        print(f"plait {__version__}")  # noqa: T201
    else:
        if words[:1] == ["serve"]:
            del sys.argv[1]
        raise_stack(sys.argv[1:])
        run()


def run() -> None:
    """Serve. Exit 0 after a clean stop, 1 when it cannot start, 2 for bad settings."""
    settings = Settings.load(sys.argv[1:], os.environ)
    logs.set_up(settings.log_level, settings.log_format)
    compiled.use(wanted=settings.compiled)  # Before anything of it is imported.
    try:
        import uvloop  # noqa: PLC0415 - not there on every platform

        factory = uvloop.new_event_loop
    except ImportError:
        factory = None
    from server.binding import StartError  # noqa: PLC0415

    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(serve(settings))
    except StartError as error:
        log.error("%s", error)  # noqa: TRY400 - a sentence for the operator, not a traceback
        sys.exit(1)


if __name__ == "__main__":
    run()
