"""Stored forms of passwords: today's, and those of older servers."""

import base64
import hashlib

import pytest

from auth.passwords import SALT_BYTES, hash_password, is_outdated, verify_password

SALT = bytes(range(SALT_BYTES))
SECRET = "c2FsdA==:" + base64.b64encode(hashlib.sha256(b"x").digest()).decode()


def _v2(secret: str) -> str:
    key = hashlib.pbkdf2_hmac("sha256", secret.encode(), SALT, 100_000, 32)
    return f"v2:{base64.b64encode(SALT).decode()}:{base64.b64encode(key).decode()}"


def test_todays_form_opens_with_its_secret_only() -> None:
    """And it holds neither the secret nor what follows from it without the work."""
    stored = hash_password(SECRET, SALT)

    assert stored.startswith("argon2id$2$67108864$")
    assert verify_password(SECRET, stored)
    assert not verify_password(SECRET + " ", stored)
    assert not is_outdated(stored)
    assert SECRET not in stored
    assert hash_password(SECRET, bytes(SALT_BYTES)) != stored


@pytest.mark.parametrize("stored", [_v2(SECRET), SECRET], ids=["v2", "v1"])
def test_old_forms_open_and_are_outdated(stored: str) -> None:
    """PBKDF2 as the documented server wrote it, and the secret itself."""
    assert verify_password(SECRET, stored)
    assert not verify_password("c2FsdA==:other", stored)
    assert is_outdated(stored)


@pytest.mark.parametrize(
    "stored",
    ["", "v2:", "v2:a:b:c", "v2:!:b", "argon2id$", "argon2id$x$y$z$w", "argon2id$2$1$AA==$AA=="],
)
def test_a_form_that_is_broken_opens_to_nobody(stored: str) -> None:
    """And raises nothing."""
    assert not verify_password(SECRET, stored)


def test_any_text_can_be_a_secret() -> None:
    """Half a surrogate pair too: it comes from a query."""
    stored = hash_password("\ud800", SALT)

    assert verify_password("\ud800", stored)
    assert not verify_password("é", "\ud800")
