"""Keeps credentials that stand in URLs out of logs and errors."""

import re
from urllib.parse import unquote_plus

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

SECRET_PARAMETERS = frozenset(
    {
        "access_token",
        "code",
        "password",
        "password_hash",
        "refresh_token",
        "secret",
        "sig",
        "signature",
        "state",
        "token",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
        "yauth",
    }
)
"""Names in a query whose values are, or may be, credentials."""

_PAIR = re.compile(r"(?<=[?&;])([^?&;=#\s]+)=([^&;#\s]*)")
_OPAQUE = re.compile(r"\b([a-z]+_[a-z]+_)[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
"""Tokens of ours, wherever they stand: the links of invitations have theirs in the path."""
_JWT = re.compile(r"\beyJ[\w-]{4,}\.[\w-]+\.[\w-]+")
_REFRESH = re.compile(r"\bplr_([A-Za-z0-9]+)_[A-Za-z0-9]+_[A-Za-z0-9]+")
_BEARER = re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]{8,}")
_URL_PASSWORD = re.compile(r"(\w+://[^\s:/@]*):[^\s/@]+@")
"""Credentials of any kind that a message may quote: tokens, headers, the URL of a database."""
_HIDDEN = "***"


def redact(text: str) -> str:
    """A URL, or a text that holds some, with the values of secret parameters hidden.

    A name counts however it is written: `%74oken` is `token` too.
    """

    def hide(found: re.Match[str]) -> str:
        name = unquote_plus(found[1]).strip().lower()
        return f"{found[1]}={_HIDDEN}" if name in SECRET_PARAMETERS else found[0]

    text = _OPAQUE.sub(rf"\1{_HIDDEN}", _PAIR.sub(hide, text))
    text = _REFRESH.sub(rf"plr_\1_{_HIDDEN}", _JWT.sub(_HIDDEN, text))
    return _URL_PASSWORD.sub(rf"\1:{_HIDDEN}@", _BEARER.sub(rf"\1 {_HIDDEN}", text))


class AccessLogger(AbstractAccessLogger):
    """One line for each request, without credentials and without headers."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line at level debug: a server under load answers thousands in a second."""
        self.logger.debug(
            "%s %s %s %d %.1f ms",
            request.remote,
            request.method,
            redact(request.path_qs),
            response.status,
            time * 1000,
        )

    @property
    def enabled(self) -> bool:
        """Whether the line would be written at all."""
        return self.logger.isEnabledFor(10)
