"""scripts/admin keys: other keys for a server, without anybody being logged out.

    keys list                   what is there, and until when old keys still verify
    keys prepare signing        make the next key, which is verified with from the next start on
    keys rotate signing         use the next key (or a new one); the old one verifies until it ends
    keys rotate identity        the same of the identity key; the old one signs who follows it
    keys rotate signing --now   the old key is worth nothing any more: everybody logs in again

Several nodes: prepare, start each anew, rotate, start each anew; then none of them ever meets a
token that it cannot verify.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from auth.errors import BadKeyFile
from auth.keys import KEY_BYTES, ServerKey
from auth.succession import succeed
from server.admin.opened import fail
from server.keyring import NEXT, RETIRED, Retired, create_key, read_key, read_retired, write_retired
from server.settings import Settings

DAY_S = 86_400.0
KINDS = ("signing", "identity")


def add(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the words."""
    keys = words.add_parser("keys", help="the server's own keys")
    hows = keys.add_subparsers(dest="how", required=True)
    hows.add_parser("list", help="what is there")
    prepare = hows.add_parser("prepare", help="make the next key; nodes verify with it already")
    prepare.add_argument("kind", choices=KINDS)
    rotate = hows.add_parser("rotate", help="use the next key, or a new one")
    rotate.add_argument("kind", choices=KINDS)
    rotate.add_argument(
        "--days",
        type=float,
        default=Settings.refresh_token_s / DAY_S,
        help="how long the old one still verifies (%(default)g)",
    )
    rotate.add_argument("--now", action="store_true", help="not at all: it became known")


def run(options: argparse.Namespace) -> None:
    """Do what the words say. The server takes it in when it is started again."""
    data = Path(options.data)
    if not (data / "signing.key").exists() and not (data / "identity.key").exists():
        fail(f"there are no keys in {data}: those of the settings are changed there")
    try:
        if options.how == "list":
            _list(data)
        elif options.how == "prepare":
            _prepare(data, options.kind)
        else:
            _rotate(data, options)
    except BadKeyFile as error:
        fail(str(error))


def _list(data: Path) -> None:
    for kind in KINDS:
        path = data / f"{kind}.key"
        if path.exists():
            print(f"{kind:9} {ServerKey(read_key(path)).public_text}  in use")
        following = path.with_suffix(NEXT)
        if following.exists():
            print(f"{kind:9} {ServerKey(read_key(following)).public_text}  next")
    for old in read_retired(data / RETIRED):
        until = datetime.fromtimestamp(old.until, UTC).isoformat(timespec="seconds")
        print(f"{old.kind:9} {old.public_text}  verifies until {until}")


def _prepare(data: Path, kind: str) -> None:
    path = (data / f"{kind}.key").with_suffix(NEXT)
    create_key(path, os.urandom(KEY_BYTES))
    print(f"next {kind} key: {ServerKey(read_key(path)).public_text}; start each node again")


def _rotate(data: Path, options: argparse.Namespace) -> None:
    kind, path = options.kind, data / f"{options.kind}.key"
    if not path.exists():
        fail(f"there is no {path}: the {kind} key comes from the settings, and is changed there")
    following = path.with_suffix(NEXT)
    create_key(following, os.urandom(KEY_BYTES))  # Unless one was prepared.
    old, new = ServerKey(read_key(path)), ServerKey(read_key(following))
    now = time.time()
    kept = [each for each in read_retired(data / RETIRED) if each.until > now]
    if options.now:
        kept = [each for each in kept if each.kind != kind]
    else:
        until = now + options.days * DAY_S
        kept.append(
            Retired.of_identity(succeed(old, new), until)
            if kind == "identity"
            else Retired.of_signing(old, until)
        )
    # First: a crash in between leaves a key that is both, which does no harm.
    write_retired(data / RETIRED, kept)
    following.replace(path)
    print(f"{kind} key: {new.public_text}; start each node again")
