"""What programs that keep a folder in step share: options, words, patience with a server."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from scripts._device.rounds import Busy, Told, TooManyGone
from scripts._device.server import Refused, Unreachable

PAUSE_S = 0.5
"""Seconds before the second try; twice as long before each further one."""

T = TypeVar("T")
console = Console(stderr=True, highlight=False, markup=False)


def add_options(parser: argparse.ArgumentParser, delete: str) -> None:
    """The options of both; `delete` says what deletes files elsewhere."""
    parser.add_argument("--watch", action="store_true", help="stay, and follow every change")
    parser.add_argument(
        "--every", type=float, default=2.0, help="with --watch: seconds between looks (2)"
    )
    parser.add_argument(
        "--tries", type=int, default=4, help="how often a server that is away is asked (4)"
    )
    parser.add_argument("--delete", action="store_true", help=delete)
    parser.add_argument("--quiet", action="store_true", help="no progress, only what changed")
    parser.add_argument("--setup-code", default="", help="the code that a public server printed")
    parser.add_argument(
        "--key",
        type=Path,
        default=Path.home() / ".config" / "plait" / "key",
        help="file with your Ed25519 seed, made if missing (%(default)s)",
    )


def run(work: Callable[[], None], program: str, *, away: str, gone: str) -> None:
    """What goes wrong is one sentence on stderr: exit 1; exit 2 if only the server was away.

    `away` says what becomes of edits then, `gone` what --delete would do.
    """
    try:
        work()
    except Unreachable as error:
        console.print(f"{program}: {error}; {away}")
        sys.exit(2)
    except TooManyGone as error:
        sys.exit(f"{program}: {error}; with --delete {gone}")
    except (Busy, Refused, OSError, ValueError) as error:
        sys.exit(f"{program}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def again(ask: Callable[[], T], options: argparse.Namespace) -> T:
    """Ask until the server answers, some times, and longer apart each time."""
    for number in range(options.tries - 1):
        try:
            return ask()
        except Unreachable as error:
            if not options.quiet:
                console.print(f"{error}; trying again", style="dim")
            time.sleep(PAUSE_S * 2**number)
    return ask()


def say(told: Told) -> None:
    """Changes on stdout, problems on stderr."""
    for line in told.lines:
        print(line, flush=True)
    for problem in told.problems:
        console.print(f"! {problem}")


def follow(
    one_round: Callable[[], Told], options: argparse.Namespace, *, hidden: str, recursive: bool
) -> None:
    """Round after round: at once when a file changes, else every few seconds."""
    from watchfiles import DefaultFilter, watch  # noqa: PLC0415  (only here, and slow to import)

    is_away = False
    changes = watch(
        options.folder, watch_filter=DefaultFilter(ignore_dirs=[hidden]), recursive=recursive,
        rust_timeout=int(options.every * 1000), yield_on_timeout=True, debounce=400,
        raise_interrupt=False,
    )  # fmt: skip
    while True:
        try:
            say(one_round())
            is_away = False
        except Unreachable as error:
            if not is_away:
                console.print(f"{error}; edits are kept until it is back", style="dim")
            is_away = True
        if next(changes, None) is None:
            return
