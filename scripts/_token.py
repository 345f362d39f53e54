"""scripts/token: log in with a key kept on this machine and print a token.

With a document's name the token opens that document alone and the document is made if it is not
there; without one it is an access token, which opens all that the account may.
"""

import argparse
import os
import sys
import urllib.error
from pathlib import Path

from nacl.encoding import Base64Encoder
from nacl.signing import SigningKey

from scripts._load.dialect import post_json
from scripts._load.login import login

DAY_S = 86_400


def main() -> None:
    """Print the token on stdout; what goes wrong is one sentence on stderr and exit 1."""
    options = _parser().parse_args()
    try:
        print(token(options.url.rstrip("/"), options))
    except urllib.error.HTTPError as error:
        sys.exit(f"scripts/token: {options.url} answered {error.code}: {error.read().decode()}")
    except urllib.error.URLError as error:
        sys.exit(f"scripts/token: {options.url} cannot be reached: {error.reason}")
    except OSError as error:
        sys.exit(f"scripts/token: {error}")


def token(url: str, options: argparse.Namespace) -> str:
    """Log in at `url` and get the token that the options ask for."""
    access = login(url, own_key(options.key), setup_code=options.setup_code).access_token
    if not options.document:
        return access
    post_json(f"{url}/doc/new", {"docId": options.document}, access)
    wanted = {
        "authorization": "read-only" if options.read_only else "full",
        "validForSeconds": options.seconds,
    }
    return post_json(f"{url}/doc/{options.document}/auth", wanted, access)["token"]


def own_key(path: Path) -> SigningKey:
    """The key in the file, made at the first call; only its owner can read the file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(SigningKey.generate().encode(Base64Encoder) + b"\n")
    return SigningKey(path.read_bytes().strip(), Base64Encoder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/token", description=__doc__)
    parser.add_argument("document", nargs="?", help="name of the document that the token opens")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the server (%(default)s)")
    parser.add_argument("--read-only", action="store_true", help="a token that cannot write")
    parser.add_argument(
        "--seconds", type=int, default=DAY_S, help="how long it is good (%(default)s, a day)"
    )
    parser.add_argument(
        "--setup-code",
        default="",
        help="the code that a public server printed: makes this key its administrator",
    )
    parser.add_argument(
        "--key",
        type=Path,
        default=Path.home() / ".config" / "plait" / "key",
        help="file with your Ed25519 seed, made if missing (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    main()
