"""scripts/device: keep a folder of Markdown notes in step with a workspace, online or not.

Each file is a block, its name the title. Edits are merged with those of others, word by word;
deleting a file puts its block into the trash. What the device knows is in the hidden folder .plait.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track as rich_track

from scripts._device.files import Told, TooManyGone
from scripts._device.server import Refused, Server, Unreachable
from scripts._device.shelf import About, Busy, Shelf
from scripts._device.sync import Device
from scripts._token import own_key

TRIES = 4
PAUSE_S = 0.5
SHOWN_FROM = 20
"""Things to do from which on a bar shows how far they are."""

T = TypeVar("T")
console = Console(stderr=True, highlight=False)


def main() -> None:
    """What goes wrong is one sentence on stderr: exit 1; exit 2 if only the server was away."""
    options = _parser().parse_args()
    try:
        device = _open(options)
        if options.watch:
            _watch(device, options)
        else:
            _say(_again(lambda: device.round(may_vanish=options.delete), options))
    except Unreachable as error:
        console.print(f"scripts/device: {error}; your edits are kept and go out the next time")
        sys.exit(2)
    except TooManyGone as error:
        sys.exit(f"scripts/device: {error}; with --delete they go into the trash")
    except (Busy, Refused, OSError, ValueError) as error:
        sys.exit(f"scripts/device: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _open(options: argparse.Namespace) -> Device:
    """The folder, with its workspace found at the first time."""
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{options.folder} is no folder, and notes are kept in one") from None
    shelf = Shelf(options.folder.resolve())
    about = shelf.about()
    url = options.url or (about.url if about else "http://127.0.0.1:8080")
    server = Server(url, own_key(options.key), options.setup_code)
    if about is None:
        workspace, root = _again(lambda: server.workspace(options.workspace), options)
        about = About(url=url, workspace=workspace, root=root)
        shelf.keep_about(about)
    elif options.workspace not in (None, about.workspace) and (
        _again(lambda: server.workspace(options.workspace), options)[0] != about.workspace
    ):
        raise Refused(f"{options.folder} follows workspace {about.workspace} already")
    below = sum(
        path.is_dir() and not path.name.startswith(".") for path in options.folder.iterdir()
    )
    if below and not options.quiet:
        what = "1 folder" if below == 1 else f"{below} folders"
        console.print(f"{what} inside {options.folder}: left alone, only its own files are notes")
    return Device(shelf, about, server, _quiet if options.quiet else _bar)


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

    try:
        _say(device.round(may_vanish=options.delete))
        is_away = False
    except Unreachable as error:
        console.print(f"{error}; edits are kept until it is back", style="dim")
        is_away = True
    pause_ms = int(options.every * 1000)
    for _ in watch(
        options.folder, watch_filter=DefaultFilter(ignore_dirs=[".plait"]), recursive=False,
        rust_timeout=pause_ms, yield_on_timeout=True, debounce=400, raise_interrupt=False,
    ):  # fmt: skip
        try:
            _say(device.round(may_vanish=options.delete))
            is_away = False
        except Unreachable as error:
            if not is_away:
                console.print(f"{error}; edits are kept until it is back", style="dim")
            is_away = True


def _say(told: Told) -> None:
    for line in told.lines:
        print(line, flush=True)
    for problem in told.problems:
        console.print(f"! {problem}")


def _bar(things: Iterable[T], doing: str, total: int) -> Iterator[T]:
    if total < SHOWN_FROM or not console.is_terminal:
        return iter(things)
    shown: Iterable[Any] = rich_track(
        things, description=doing, total=total, console=console, transient=True
    )
    return iter(shown)


def _quiet(things: Iterable[T], doing: str, total: int) -> Iterator[T]:
    del doing, total
    return iter(things)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/device", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the notes are, made if missing")
    parser.add_argument("--url", help="the server, http://127.0.0.1:8080 the first time")
    parser.add_argument("--workspace", help="id or title of the workspace (your own)")
    parser.add_argument("--watch", action="store_true", help="stay, and follow every change")
    parser.add_argument(
        "--every", type=float, default=2.0, help="with --watch: seconds between looks (2)"
    )
    parser.add_argument(
        "--delete", action="store_true", help="even if most files are gone, trash their blocks"
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
