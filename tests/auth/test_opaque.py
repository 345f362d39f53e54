"""Opaque tokens: their form, and what is kept of them."""

import base64

import pytest

from auth.opaque import INVITE_PREFIX, LINK_PREFIX, SECRET_BYTES, digest, mint, prefix_in

SECRET = bytes(range(SECRET_BYTES))


@pytest.mark.parametrize("prefix", [INVITE_PREFIX, LINK_PREFIX, "fs_pat_"])
def test_a_token_is_its_prefix_and_all_random_bytes(prefix: str) -> None:
    """In 43 letters of base64url, which its shape is known by."""
    token = mint(prefix, SECRET)

    assert base64.urlsafe_b64decode(token.removeprefix(prefix) + "=") == SECRET
    assert prefix_in(token) == prefix


@pytest.mark.parametrize("text", ["", "plait_doc_", "a.b.c", "plait_doc_" + "é" * 43])
def test_other_texts_have_no_prefix(text: str) -> None:
    """Nor has a token with a letter too many."""
    assert prefix_in(text) is None
    assert prefix_in(mint(LINK_PREFIX, SECRET) + "\n") is None


def test_the_digest_hides_the_token() -> None:
    """32 bytes that change with every letter."""
    token = mint(LINK_PREFIX, SECRET)

    assert len(digest(token)) == 32
    assert digest(token) != digest(token[:-1] + "A")
    assert digest("\ud800")
