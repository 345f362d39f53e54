"""scripts/admin: accounts, their tokens and data, backups, keys, scan roots; for the operator.

Works on the database of the settings, whether the server runs or not; a running server takes a
change in within two seconds.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from auth.errors import BadCredential
from auth.personal import PREFIXES, read_scopes
from server.admin import keys, leaving, saving, verifying
from server.admin.opened import database, fail
from server.errors import BadBody
from server.personal import make_token
from server.scanning.rooted import check_root
from server.settings import Settings
from storage.access_tokens import AccessToken, AccessTokens
from storage.accounts import Account, Accounts
from storage.errors import StorageError
from storage.pool import Pool
from storage.scans import Scans

DAY_S = 86_400.0
TOKENS_MAX = Settings.access_tokens_per_account_max
STATES = ("pending", "active", "disabled", "refused")


def main(argv: Sequence[str] | None = None, program: str = "scripts/admin") -> None:
    """Do what the words say; what goes wrong is one sentence on stderr and exit 1."""
    options = _parser(program).parse_args(argv)
    if options.what == "keys":
        keys.run(options)
        return
    try:
        asyncio.run(_run(options))
    except (StorageError, BadCredential, BadBody, OSError) as error:
        fail(str(error))


async def _run(options: argparse.Namespace) -> None:
    matter = {"backup": saving, "restore": saving, "verify": verifying}.get(options.what)
    if matter is not None:
        await matter.run(options)
        return
    async with database(options) as pool:
        if options.what == "accounts":
            await _show(Accounts(pool), options)
        elif options.what in {"export", "remove"}:
            await leaving.run(pool, options)
        elif options.what == "token":
            await _tokens(pool, options)
        elif options.what == "root":
            await _root(pool, options)
        elif options.what == "ascently":
            # With every adapter behind it, for which the other words do not wait.
            from server.admin.ascently import Backup, move  # noqa: PLC0415

            folder, data = Path(options.folder), Path(options.data)
            await move(Backup(pool, options.dsn, options.account, folder, data), options.how)
        elif not await _change(Accounts(pool), options.what, options.account):
            fail(f"{options.account} is no account for which that can be done")


async def _change(accounts: Accounts, what: str, account: str) -> bool:
    if what in {"crown", "uncrown"}:
        return await accounts.set_admin(account, is_admin=what == "crown")
    change: Callable[[str], Awaitable[bool]] = getattr(accounts, what)
    return await change(account)


async def _root(pool: Pool, options: argparse.Namespace) -> None:
    """Say where an account may scan, and print where that is."""
    scans = Scans(pool)
    if await Accounts(pool).get(options.account) is None:
        fail(f"there is no account {options.account}")
    if options.path or options.none:
        path = check_root(options.path) if options.path else None
        await scans.set_root(options.account, path)
    print(await scans.root(options.account) or "(nowhere)")


async def _tokens(pool: Pool, options: argparse.Namespace) -> None:
    tokens = AccessTokens(pool)
    if options.how == "list":
        for token in await tokens.listed(options.account):
            print(_token_line(token, as_json=options.json))
    elif options.how == "revoke":
        owner = await tokens.owner(options.token)
        if owner is None or not await tokens.revoke(owner, options.token):
            fail(f"there is no token {options.token}")
    else:
        made = await make_token(
            tokens,
            account=options.account,
            name=options.name,
            scopes=read_scopes(options.scope),
            now=time.time(),
            lifetime_s=None if options.days is None else options.days * DAY_S,
            most=TOKENS_MAX,
        )
        if made is None:
            fail(f"{options.account} is no active account, or has too many")
        print(made[1])


def _token_line(token: AccessToken, *, as_json: bool) -> str:
    facts = {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "created_at": _time(token.created_at),
        "expires_at": _time(token.expires_at),
        "last_used_at": _time(token.used_at),
    }
    if as_json:
        return json.dumps(facts)
    return (
        f"{token.id}  {' '.join(token.scopes):24}  ends {facts['expires_at'] or 'never':25}"
        f"  used {facts['last_used_at'] or 'never':25}  {token.name}"
    )


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


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


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
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
        ("refuse", "do not let a pending account in"),
        ("disable", "close an account; its sessions end within two seconds"),
        ("enable", "open a closed account again"),
        ("crown", "make an account an administrator"),
        ("uncrown", "make it an ordinary account again"),
    ):
        words.add_parser(word, help=does).add_argument("account", help="its id")
    root = words.add_parser("root", help="where an account may scan folders; nowhere by default")
    root.add_argument("account", help="its id")
    root.add_argument(
        "path",
        nargs="?",
        type=lambda text: str(Path(text).absolute()),
        help="a folder of this machine; left out: print it",
    )
    root.add_argument("--none", action="store_true", help="nowhere any more")
    _token_words(words.add_parser("token", help="personal access tokens of an account"))
    _backup_words(words.add_parser("ascently", help="a climber's dataset as a folder"))
    keys.add(words)
    leaving.add(words)
    saving.add(words)
    verifying.add(words)
    return parser


def _backup_words(parser: argparse.ArgumentParser) -> None:
    hows = parser.add_subparsers(dest="how", required=True)
    for word, does in (
        ("export", "write ascently.json and images into a folder: a backup"),
        ("import", "put ascently.json in the place of what is there, and add images"),
    ):
        how = hows.add_parser(word, help=does)
        how.add_argument("account", help="whose it is")
        how.add_argument("folder", help="where")


def _token_words(parser: argparse.ArgumentParser) -> None:
    hows = parser.add_subparsers(dest="how", required=True)
    make = hows.add_parser("make", help="make one and print it; it is shown this once")
    make.add_argument("account", help="whose it is")
    make.add_argument("--name", default="made by the operator", help="what it is for (%(default)s)")
    make.add_argument(
        "--scope",
        action="append",
        required=True,
        help=f"an API and what it may do there, such as heaps:read; of {', '.join(PREFIXES)}",
    )
    make.add_argument("--days", type=float, help="how long it is good; else until it is revoked")
    listing = hows.add_parser("list", help="an account's tokens, without their secrets")
    listing.add_argument("account", help="whose they are")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    hows.add_parser("revoke", help="end one").add_argument("token", help="its id")


if __name__ == "__main__":
    main()
