"""Names and types of files that strangers chose, as browsers get them."""

from __future__ import annotations

import random
import re
import unicodedata
from urllib.parse import unquote

import pytest

from server.representation import (
    NAME_BYTES_MAX,
    NAMELESS,
    OCTETS,
    disposition,
    essence,
    headers,
    kept_name,
    shown_name,
)

SHAPE = re.compile(
    r'(?:inline|attachment); filename="([\x20-\x7e]*)"(?:; filename\*=UTF-8\'\'([!-~]+))?'
)
PIECES = (
    "..", "/", "\\", ":", "\0", "\r\n", "\n", '"', "'", ";", "%", "%00", "%2e%2e%2f", "=", ",",
    "a", "report", ".html", ".exe", ".txt", "~", "$HOME", "CON", "NUL", "C:\\", "//host/share", " ",
    "\t", "\u202e", "\u200b", "\ufeff", "\u2028", "\ud800", "\udfff", "é", "e\u0301", "日本語",
    "\uff0f", "\uff0e\uff0e", "\u2024", "\uff02", "😀",
    "\x1b[31m", "\x7f", "\x80", "<script>", "&", "|", "*", "?", "../../etc/passwd", "a" * 300,
    "😀" * 100, '"; filename="evil.exe', "\r\nSet-Cookie: a=b", "filename*=UTF-8''evil", ".",
    "-rf",
)  # fmt: skip


def hostile_names(count: int) -> list[str]:
    """Names made of what has ever caused trouble."""
    chance = random.Random(7)
    return [*PIECES, ""] + [
        "".join(chance.choices(PIECES, k=chance.randint(1, 6))) for _ in range(count)
    ]


def test_two_thousand_hostile_names_make_safe_headers() -> None:
    """One header of one shape; both names without a path, control characters or too much length."""
    for name in hostile_names(2000):
        for inline in (True, False):
            found = SHAPE.fullmatch(disposition(name, inline=inline))
            assert found is not None, repr(name)
            names = [found[1]] + ([unquote(found[2], errors="strict")] if found[2] else [])
            for one in names:
                assert one, repr(name)
                assert not set(one) & set('/\\:*?"<>|%'), repr(name)
                assert not one.startswith("."), repr(name)
                assert one == one.strip(" ."), repr(name)
                assert len(one.encode()) <= NAME_BYTES_MAX, repr(name)
                kinds = {unicodedata.category(c) for c in one}
                assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}, repr(name)


def test_what_is_kept_of_two_thousand_hostile_names_can_be_stored() -> None:
    """As UTF-8 without NUL, not too long."""
    for name in hostile_names(2000):
        kept = kept_name(name)
        assert "\0" not in kept
        assert len(kept.encode("utf-8", "strict")) <= 4096


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("über uns.txt", "über uns.txt"),
        ("e\u0301.txt", "é.txt"),
        ("../../etc/passwd", "_.._etc_passwd"),
        (".htaccess", "htaccess"),
        ("a\r\nb", "ab"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("...", NAMELESS),
        ("", NAMELESS),
        ("x" * 300 + ".txt", "x" * 236 + ".txt"),
        ("日" * 100 + ".jpeg", "日" * 78 + ".jpeg"),
    ],
)
def test_names_that_people_see(name: str, shown: str) -> None:
    """Ordinary ones stay as they are."""
    assert shown_name(name) == shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a b.txt", 'inline; filename="a b.txt"'),
        ("ü.txt", "inline; filename=\"u.txt\"; filename*=UTF-8''%C3%BC.txt"),
        ("日本.txt", "inline; filename=\"file.txt\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt"),
        ("it's (1).txt", 'inline; filename="it\'s (1).txt"'),
    ],
)
def test_the_header_of_a_name(name: str, value: str) -> None:
    """Plain where that is enough, else both forms."""
    assert disposition(name, inline=True) == value


@pytest.mark.parametrize(
    "mime_type",
    [
        "text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml", "image/svg+xml",
        "text/xml",
        "application/xml", "application/atom+xml", "text/javascript", "application/javascript",
        "application/ecmascript", "text/css", "application/x-shockwave-flash", "text/xsl",
        "multipart/x-mixed-replace", "application/java-archive", "message/rfc822", "", "nonsense",
        "image/svg+xml\r\nX: y", "text/html\0", "application/wasm", "text/cache-manifest",
        "application/zip", "a/b/c", "*/*",
    ],
)  # fmt: skip
def test_what_might_run_is_bytes_to_be_saved(mime_type: str) -> None:
    """With a policy under which nothing runs, should it be shown after all."""
    found = headers("a.html", mime_type)

    assert found["Content-Type"] == OCTETS
    assert found["Content-Disposition"].startswith("attachment;")
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("mime_type", "sent"),
    [
        ("image/png", "image/png"),
        ("IMAGE/JPEG; x=y", "image/jpeg"),
        ("video/mp4", "video/mp4"),
        ("audio/mpeg", "audio/mpeg"),
        ("application/pdf", "application/pdf"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
    ],
)
def test_what_is_harmless_is_shown(mime_type: str, sent: str) -> None:
    """Under its type, and saved where that is asked for."""
    found = headers("a", mime_type)

    assert found["Content-Type"] == sent
    assert found["Content-Disposition"].startswith("inline;")
    assert ("sandbox" in found.get("Content-Security-Policy", "")) is (sent != "application/pdf")
    saved = headers("a", mime_type, download=True)
    assert saved["Content-Disposition"].startswith("attachment;")


def test_the_essence_of_a_type() -> None:
    """Small letters, no parameters; octets for what is none."""
    assert essence(" Text/Plain ; charset=x") == "text/plain"
    assert essence("text/pl\u00e4in") == OCTETS
    assert essence("text/" + "a" * 200) == OCTETS
