"""Signed links: good for one purpose, until their end, as they were made."""

import base64
import json

import pytest

from auth.errors import Unauthorized
from auth.keys import ServerKey
from auth.links import Links

KEY = ServerKey(bytes(range(32)))
NOW = 1_790_000_000.0
CLAIMS = {"site": "a", "path": "x/y.md", "size": 7, "write": True, "note": None}


def refused(links: Links, token: str, now: float = NOW) -> str:
    """Why a link is refused."""
    with pytest.raises(Unauthorized) as error:
        links.verify(token, now)
    return error.value.reason


def test_a_link_says_what_it_was_made_for_until_its_end() -> None:
    """To the second."""
    links = Links(KEY, "upload")
    token = links.mint(CLAIMS, now=NOW, lifetime_s=60)

    assert links.verify(token, NOW + 59) == CLAIMS
    assert refused(links, token, NOW + 60) == "link_expired"


def test_a_link_is_good_for_its_purpose_and_server_alone() -> None:
    """Another purpose or another server has another key."""
    token = Links(KEY, "upload").mint(CLAIMS, now=NOW, lifetime_s=60)

    assert refused(Links(KEY, "download"), token) == "link_invalid"
    assert refused(Links(ServerKey(bytes(32)), "upload"), token) == "link_invalid"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_what_was_changed_or_is_no_link_is_refused() -> None:
    """Every part of it, other algorithms, none, and nonsense."""
    links = Links(KEY, "upload")
    head, body, signature = links.mint(CLAIMS, now=NOW, lifetime_s=60).split(".")
    other = _part({"aud": "link:upload", "exp": 9_999_999_999, "own": {}})
    for token in (
        f"{head}.{other}.{signature}",
        f"{head}.{body}.{signature[:-2]}AA",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{_part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        f"{_part({'alg': 'HS512', 'typ': 'JWT'})}.{body}.{signature}",
        "",
        "a.b.c",
        "ü",
        "x" * 5000,
    ):
        assert refused(links, token) == "link_invalid", token[:60]
