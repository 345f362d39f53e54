"""scripts/admin: list accounts, and approve, disable, enable or crown them.

Works on the database of the settings, whether the server runs or not; a running server takes a
change in within two seconds.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from storage.accounts import Account, Accounts
from storage.cluster import SUPERUSER, choose_owner, socket_folder
from storage.errors import StorageError
from storage.migrate import migrate
from storage.pool import close_pool, open_pool
from storage.postgres import Embedded

STATES = ("pending", "active", "disabled")


def main() -> None:
    """Do what the words say; what goes wrong is one sentence on stderr and exit 1."""
    options = _parser().parse_args()
    try:
        asyncio.run(_run(options))
    except (StorageError, OSError) as error:
        sys.exit(f"scripts/admin: {error}")


async def _run(options: argparse.Namespace) -> None:
    async with _accounts(options) as accounts:
        if options.what == "accounts":
            await _show(accounts, options)
        elif not await _change(accounts, options.what, options.account):
            sys.exit(f"scripts/admin: {options.account} is no account for which that can be done")


async def _change(accounts: Accounts, what: str, account: str) -> bool:
    if what == "approve":
        return await accounts.approve(account)
    if what == "disable":
        return await accounts.disable(account)
    if what == "enable":
        return await accounts.enable(account)
    return await accounts.set_admin(account, is_admin=what == "crown")


async def _show(accounts: Accounts, options: argparse.Namespace) -> None:
    """Every account of the states that were asked for, a page at a time."""
    for state in [options.state] if options.state else STATES:
        after = ""
        while page := await accounts.listed(state, after=after):
            for account in page:
                print(_line(account, as_json=options.json))
            after = page[-1].id


def _line(account: Account, *, as_json: bool) -> str:
    facts = {
        "id": account.id,
        "state": account.state,
        "is_admin": account.is_admin,
        "created_at": account.created_at.isoformat(timespec="seconds"),
        "email_hint": account.email_hint,
    }
    if as_json:
        return json.dumps(facts)
    role = "administrator" if account.is_admin else ""
    return (
        f"{account.id}  {account.state:8}  {role:13}  {facts['created_at']}  {account.email_hint}"
    )


@asynccontextmanager
async def _accounts(options: argparse.Namespace) -> AsyncIterator[Accounts]:
    """The accounts of the database: a given one, a running server's, or one started for this."""
    if options.database_url:
        async with _opened(options.database_url) as accounts:
            yield accounts
        return
    data = Path(options.data)
    if not (data / "postgres").exists():
        sys.exit(f"scripts/admin: there is no server's data in {data}")
    embedded = Embedded(data)
    try:
        await embedded.start()
    except StorageError:
        # A server runs on it: its database is reached the way it reaches it.
        async with _opened(_dsn_of_running(data)) as accounts:
            yield accounts
        return
    try:
        async with _opened(embedded.dsn) as accounts:
            yield accounts
    finally:
        await embedded.stop()


def _dsn_of_running(data: Path) -> str:
    """The URL of the database that a server runs on this data folder."""
    data = data.resolve()
    sockets = socket_folder(data, choose_owner(data / "postgres"))
    return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(sockets), safe='/')}"


@asynccontextmanager
async def _opened(dsn: str) -> AsyncIterator[Accounts]:
    pool = await open_pool(dsn, connections_max=1)
    try:
        await migrate(pool)
        yield Accounts(pool)
    finally:
        await close_pool(pool)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/admin", description=__doc__)
    environ = os.environ
    parser.add_argument(
        "--data", default=environ.get("PLAIT_DATA", "data"), help="the server's data folder"
    )
    parser.add_argument(
        "--database-url", default=environ.get("PLAIT_DATABASE_URL", ""), help="its database"
    )
    words = parser.add_subparsers(dest="what", required=True)
    listing = words.add_parser("accounts", help="list accounts")
    listing.add_argument("--state", choices=STATES, help="only these")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    for word, does in (
        ("approve", "let a pending account in"),
        ("disable", "close an account; its sessions end within two seconds"),
        ("enable", "open a closed account again"),
        ("crown", "make an account an administrator"),
        ("uncrown", "make it an ordinary account again"),
    ):
        words.add_parser(word, help=does).add_argument("account", help="its id")
    return parser


if __name__ == "__main__":
    main()
