"""scripts/pinakes-device: keep a folder in step with a library, online or not.

Any files, any depth. Edits of texts are merged; of anything else that was changed on both sides
both versions are kept. What the device knows is in the hidden folder .pinakes.
"""

import argparse
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from scripts._device.rounds import Told
from scripts._device.terminal import add_options, again, console, follow, run, say
from scripts._pinakes.index import HIDDEN, Index
from scripts._pinakes.remote import Remote, Tick
from scripts._pinakes.sync import Device, silent
from scripts._token import own_key

SHOWN_BYTES = 1 << 20
"""Bytes from which on a bar shows how far a transfer is."""
HOW = ("keep-both", "server-wins", "client-wins")


def main() -> None:
    """A round, or round after round."""
    options = _parser().parse_args()
    run(
        lambda: _work(options),
        "scripts/pinakes-device",
        away="your edits go out the next time",
        gone="they are deleted everywhere",
    )


def _work(options: argparse.Namespace) -> None:
    options.folder.mkdir(parents=True, exist_ok=True)
    index = Index(options.folder.resolve())
    try:
        _keep(index, options)
    finally:
        index.close()


def _keep(index: Index, options: argparse.Namespace) -> None:
    url = options.url or index.about("url") or "http://127.0.0.1:8080"
    remote = Remote(url, own_key(options.key), options.setup_code)
    resolution = options.conflicts.replace("-", "_")
    device = Device(index, remote, resolution, silent if options.quiet else _bar)
    again(lambda: device.enrol(options.name or platform.node() or "device"), options)
    index.keep_about(url=url)

    def one_round() -> Told:
        return device.round(may_vanish=options.delete)

    if options.watch:
        follow(one_round, options, hidden=HIDDEN, recursive=True)
    else:
        say(again(one_round, options))


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
    add_options(parser, "even if most files are gone, delete them everywhere")
    return parser


if __name__ == "__main__":
    main()
