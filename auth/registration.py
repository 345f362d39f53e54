"""What becomes of a key that belongs to no account yet."""

import base64
import hmac
from dataclasses import dataclass
from enum import StrEnum

from auth.errors import RegistrationClosed
from auth.keys import ServerKey

_CODE_BYTES = 15


class Mode(StrEnum):
    """Who may make an account: anybody, anybody whom an administrator approves, or nobody."""

    OPEN = "open"
    APPROVAL = "approval"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """The account that is to be made."""

    is_active: bool
    is_admin: bool


def effective_mode(setting: str, *, is_loopback: bool) -> Mode:
    """The mode in force: the operator's or, where none was set, what is safe for this request.

    `is_loopback` must be true only when bind address and public URL are loopback and the request
    came straight from this machine: a proxy on the same machine would else open the server to all.
    """
    if setting:
        return Mode(setting)
    return Mode.OPEN if is_loopback else Mode.APPROVAL


def admit(mode: Mode, *, has_administrator: bool, is_loopback: bool, code_fits: bool) -> Admission:
    """What to make of an unknown key that signed its challenge; RegistrationClosed for nothing.

    The first account becomes the administrator only where nobody else can come first: on a
    loopback server, or with the one-time code that the server prints while it has none.
    """
    if not has_administrator and (code_fits or (is_loopback and mode is not Mode.CLOSED)):
        return Admission(is_active=True, is_admin=True)
    if mode is Mode.CLOSED:
        raise RegistrationClosed
    return Admission(is_active=mode is Mode.OPEN, is_admin=False)


def setup_code(key: ServerKey) -> str:
    """The code that makes the first account an administrator: `ABCD-EFGH-...`, 120 bits.

    It follows from the server's key, so every node and every start before its use prints the
    same one, and nothing is stored. It is worth nothing once there is an administrator.
    """
    text = base64.b32encode(key.derive("setup-code", _CODE_BYTES)).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def code_fits(key: ServerKey, given: str | None) -> bool:
    """Whether `given` is the setup code; case, blanks and dashes do not matter."""
    if not given:
        return False
    plain = "".join(c for c in given.upper() if c.isalnum())
    return hmac.compare_digest(setup_code(key).replace("-", "").encode(), plain.encode())
