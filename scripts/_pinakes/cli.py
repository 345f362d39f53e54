"""scripts/pinakes-device: keep a folder in step with a library, online or not.

Any files, any depth. Edits of texts are merged; of anything else that was changed on both sides
both versions are kept. What the device knows is in the hidden folder .pinakes.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from scripts._device.server import Refused, Unreachable
from scripts._pinakes.index import HIDDEN, Busy, Index
from scripts._pinakes.remote import Remote, Tick
from scripts._pinakes.sync import Device, Told, TooManyGone, silent
from scripts._token import own_key

TRIES = 4
PAUSE_S = 0.5
SHOWN_BYTES = 1 << 20
"""Bytes from which on a bar shows how far a transfer is."""
HOW = ("keep-both", "server-wins", "client-wins")

T = TypeVar("T")
console = Console(stderr=True, highlight=False, markup=False)


def main() -> None:
    """What goes wrong is one sentence on stderr: exit 1; exit 2 if only the server was away."""
    options = _parser().parse_args()
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        index = Index(options.folder.resolve())
        try:
            _run(index, options)
        finally:
            index.close()
    except Unreachable as error:
        console.print(f"scripts/pinakes-device: {error}; your edits go out the next time")
        sys.exit(2)
    except TooManyGone as error:
        sys.exit(f"scripts/pinakes-device: {error}; with --delete they are deleted everywhere")
    except (Busy, Refused, OSError, ValueError) as error:
        sys.exit(f"scripts/pinakes-device: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(index: Index, options: argparse.Namespace) -> None:
    url = options.url or index.about("url") or "http://127.0.0.1:8080"
    remote = Remote(url, own_key(options.key), options.setup_code)
    resolution = options.conflicts.replace("-", "_")
    device = Device(index, remote, resolution, silent if options.quiet else _bar)
    _again(lambda: device.enrol(options.name or platform.node() or "device"), options)
    index.keep_about(url=url)
    if options.watch:
        _watch(device, options)
    else:
        _say(_again(lambda: device.round(may_vanish=options.delete), options))


def _again(ask: Callable[[], T], options: argparse.Namespace) -> T:
    """Ask until the server answers, some times, and longer apart each time."""
    for number in range(TRIES - 1):
        try:
            return ask()
        except Unreachable as error:
            if not options.quiet:
                console.print(f"{error}; trying again", style="dim")
            time.sleep(PAUSE_S * 2**number)
    return ask()


def _watch(device: Device, options: argparse.Namespace) -> None:
    """Round after round: at once when a file changes, else every few seconds."""
    from watchfiles import DefaultFilter, watch  # noqa: PLC0415  (only here, and slow to import)

    is_away = False
    changes = watch(
        options.folder, watch_filter=DefaultFilter(ignore_dirs=[HIDDEN]),
        rust_timeout=int(options.every * 1000), yield_on_timeout=True, debounce=400,
        raise_interrupt=False,
    )  # fmt: skip
    while True:
        try:
            _say(device.round(may_vanish=options.delete))
            is_away = False
        except Unreachable as error:
            if not is_away:
                console.print(f"{error}; edits are kept until it is back", style="dim")
            is_away = True
        if next(changes, None) is None:
            return


def _say(told: Told) -> None:
    for line in told.lines:
        print(line, flush=True)
    for problem in told.problems:
        console.print(f"! {problem}")


@contextmanager
def _bar(doing: str, total: int) -> Iterator[Tick]:
    """A bar on a terminal, for what takes long."""
    if total < SHOWN_BYTES or not console.is_terminal:
        with silent(doing, total) as tick:
            yield tick
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda count: progress.advance(task, count)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/pinakes-device", description=__doc__)
    parser.add_argument("folder", type=Path, help="the files, made if missing")
    parser.add_argument("--url", help="the server, http://127.0.0.1:8080 the first time")
    parser.add_argument("--name", help="of this device, the first time (the machine's)")
    parser.add_argument(
        "--conflicts", choices=HOW, default=HOW[0],
        help="what was changed here and elsewhere, and cannot be merged (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--watch", action="store_true", help="stay, and follow every change")
    parser.add_argument(
        "--every", type=float, default=2.0, help="with --watch: seconds between looks (2)"
    )
    parser.add_argument(
        "--delete", action="store_true", help="even if most files are gone, delete them everywhere"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, only what changed")
    parser.add_argument("--setup-code", default="", help="the code that a public server printed")
    parser.add_argument(
        "--key",
        type=Path,
        default=Path.home() / ".config" / "plait" / "key",
        help="file with your Ed25519 seed, made if missing (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    main()
