"""scripts/device: keep a folder of Markdown notes in step with a workspace, online or not.

Each file is a block, its name the title. Edits are merged with those of others, word by word;
deleting a file puts its block into the trash. What the device knows is in the hidden folder .plait.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from rich.progress import track as rich_track

from scripts._device.rounds import Told
from scripts._device.server import Refused, Server
from scripts._device.shelf import About, Shelf
from scripts._device.sync import Device
from scripts._device.terminal import add_options, again, console, follow, run, say
from scripts._token import own_key

SHOWN_FROM = 20
"""Things to do from which on a bar shows how far they are."""

T = TypeVar("T")


def main() -> None:
    """A round, or round after round."""
    options = _parser().parse_args()
    run(
        lambda: _work(options),
        "scripts/device",
        away="your edits are kept and go out the next time",
        gone="they go into the trash",
    )


def _work(options: argparse.Namespace) -> None:
    device = _open(options)

    def one_round() -> Told:
        return device.round(may_vanish=options.delete)

    if options.watch:
        follow(one_round, options, hidden=".plait", recursive=False)
    else:
        say(again(one_round, options))


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
        workspace, root = again(lambda: server.workspace(options.workspace), options)
        about = About(url=url, workspace=workspace, root=root)
        shelf.keep_about(about)
    elif options.workspace not in (None, about.workspace) and (
        again(lambda: server.workspace(options.workspace), options)[0] != about.workspace
    ):
        raise Refused(f"{options.folder} follows workspace {about.workspace} already")
    below = sum(
        path.is_dir() and not path.name.startswith(".") for path in options.folder.iterdir()
    )
    if below and not options.quiet:
        what = "1 folder" if below == 1 else f"{below} folders"
        console.print(f"{what} inside {options.folder}: left alone, only its own files are notes")
    return Device(shelf, about, server, _quiet if options.quiet else _bar)


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
    add_options(parser, "even if most files are gone, trash their blocks")
    return parser


if __name__ == "__main__":
    main()
