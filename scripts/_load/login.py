"""Log in to a Plait server with an Ed25519 key, as a client application does."""

import urllib.error
from typing import NamedTuple

from nacl.signing import SigningKey

from .dialect import Target, post_json

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Login(NamedTuple):
    """What a login gives."""

    access_token: str
    refresh_token: str
    workspace_id: str


def base58(data: bytes) -> str:
    """Base58 as Bitcoin spells it: leading zero bytes are leading ones."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def login(url: str, key: SigningKey | None = None, *, setup_code: str = "") -> Login:
    """Log in, with a fresh key unless one is given. Raises urllib.error.HTTPError when refused.

    `setup_code` is what a public server prints at its first start, for its first administrator.
    """
    signer = SigningKey.generate() if key is None else key
    public_key = base58(bytes(signer.verify_key))
    origin = Target(url=url).origin
    challenge = post_json(f"{origin}/api/auth/create_session", {"public_key": public_key})
    message = challenge["challenge"]
    answer = post_json(
        f"{origin}/api/auth/verify_session",
        {
            "public_key": public_key,
            "message": message,
            "signature": base58(signer.sign(message.encode()).signature),
            **({"setup_code": setup_code} if setup_code else {}),
        },
    )
    return Login(answer["accessToken"], answer["refreshToken"], answer.get("workspace_id", ""))


def token_or_login(url: str, token: str | None) -> str:
    """The given token; else one from a fresh login; else none, for servers without login."""
    if token is not None:
        return token
    try:
        return login(url).access_token
    except (urllib.error.URLError, ValueError, KeyError):
        return ""
