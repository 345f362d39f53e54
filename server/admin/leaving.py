"""scripts/admin export, remove: everything of an account as an archive, and the account gone."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from server.admin.opened import fail, store_of
from server.leaving.archive import tar
from storage.accounts import Accounts
from storage.blobs import Blobs
from storage.leaving.export import entries
from storage.leaving.removal import remove_account
from storage.pool import Pool


def add(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the words."""
    export = words.add_parser("export", help="write everything of an account into a tar archive")
    export.add_argument("account", help="its id")
    export.add_argument("file", help="a new file")
    remove = words.add_parser(
        "remove", help="remove an account for good, with everything that is its own"
    )
    remove.add_argument("account", help="its id")
    remove.add_argument("--yes", action="store_true", help="needed, as nothing brings it back")


async def run(pool: Pool, options: argparse.Namespace) -> None:
    """Do what the words say."""
    if await Accounts(pool).get(options.account) is None:
        fail(f"there is no account {options.account}")
    if options.what == "export":
        await _export(pool, options)
    elif not options.yes:
        fail(f"this removes everything of {options.account} for good: say --yes")
    else:
        done = await remove_account(pool, options.account)
        assert done is not None
        print(
            f"{options.account} is gone with {done.documents} documents in {done.workspaces} "
            f"workspaces; {done.handed_over} workspaces are another owner's now"
        )


async def _export(pool: Pool, options: argparse.Namespace) -> None:
    blobs = Blobs(pool, store_of(options), grace_s=0)
    path = Path(options.file)
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            async for piece in tar(entries(pool, blobs, options.account), blobs, time.time()):
                file.write(piece)
    except FileExistsError:
        fail(f"{path} is there already")
    print(f"{path}: everything of {options.account}")
