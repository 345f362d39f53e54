"""Keys, signatures and their text forms."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from auth.errors import BadCredential, BadKeyFile
from auth.keys import (
    ServerKey,
    decode_base58,
    encode_base58,
    read_public_key,
    read_signature,
    seed_from_text,
    verify,
)

PERSON = SigningKey(b"\x07" * 32)
PUBLIC = bytes(PERSON.verify_key)
MESSAGE = "plait-login é".encode()
SIGNATURE = bytes(PERSON.sign(MESSAGE).signature)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"\0\0", "11", id="zeros"),
        pytest.param(b"Hello World!", "2NEpo7TZRRrLZSi2U", id="bitcoin-example"),
        pytest.param(b"\0\0\x28\x7f\xb4\xcd", "11233QC4", id="leading-zeros"),
    ],
)
def test_base58_matches_known_vectors(data: bytes, text: str) -> None:
    """The vectors of the base58 draft come out letter for letter."""
    assert encode_base58(data) == text
    assert decode_base58(text) == data


@given(st.binary(max_size=80))
def test_base58_round_trip(data: bytes) -> None:
    """Whatever was encoded is decoded to the same bytes."""
    assert decode_base58(encode_base58(data)) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "é", "a b", "1" * 129])
def test_base58_refuses_foreign_letters_and_length(text: str) -> None:
    """Letters outside the alphabet, and texts over the bound, decode to nothing."""
    assert decode_base58(text) is None


def test_public_key_is_read_from_its_one_spelling() -> None:
    """A base58 key of 32 bytes is read."""
    assert read_public_key(encode_base58(PUBLIC)) == PUBLIC


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(encode_base58(PUBLIC[:31]), id="31-bytes"),
        pytest.param(encode_base58(PUBLIC + b"\1"), id="33-bytes"),
        pytest.param(" " + encode_base58(PUBLIC), id="blank-in-front"),
        pytest.param(base64.b64encode(PUBLIC).decode(), id="base64"),
        pytest.param("1" * 10_000, id="very-long"),
    ],
)
def test_other_public_keys_are_refused(text: str) -> None:
    """Anything but the one spelling of 32 bytes is a BadCredential that names the field."""
    with pytest.raises(BadCredential) as caught:
        read_public_key(text)

    assert caught.value.field == "public_key"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(encode_base58(SIGNATURE), id="base58"),
        pytest.param(base64.b64encode(SIGNATURE).decode(), id="base64"),
        pytest.param(base64.b64encode(SIGNATURE).decode().rstrip("="), id="base64-unpadded"),
        pytest.param(base64.urlsafe_b64encode(SIGNATURE).decode(), id="url"),
        pytest.param(base64.urlsafe_b64encode(SIGNATURE).decode().rstrip("="), id="url-unpadded"),
        pytest.param(SIGNATURE.hex(), id="hex"),
        pytest.param(SIGNATURE.hex().upper(), id="hex-upper"),
        pytest.param(f" {SIGNATURE.hex()}\n", id="blank-around"),
    ],
)
def test_every_text_form_of_a_signature_verifies(text: str) -> None:
    """Base58, both base64 alphabets, padded or not, and hex are the same signature."""
    assert verify(PUBLIC, MESSAGE, read_signature(text))


@given(st.binary(min_size=64, max_size=64))
def test_a_signature_is_among_the_readings_of_each_of_its_forms(signature: bytes) -> None:
    """No form is ever read as other bytes only, whatever the bytes happen to spell."""
    forms = [
        encode_base58(signature),
        base64.b64encode(signature).decode(),
        base64.urlsafe_b64encode(signature).decode().rstrip("="),
        signature.hex(),
    ]

    assert all(signature in read_signature(form) for form in forms)


@pytest.mark.parametrize(
    "text",
    ["", "abc", SIGNATURE.hex()[:-2], SIGNATURE.hex() + "00", "=" * 88, "é" * 64, "1" * 10_000],
)
def test_other_signatures_are_refused(text: str) -> None:
    """Anything that is 64 bytes in no form is a BadCredential."""
    with pytest.raises(BadCredential):
        read_signature(text)


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    """One changed byte of message, key or signature is enough to refuse."""
    other = bytes(SigningKey(b"\x08" * 32).verify_key)
    bent = bytes([SIGNATURE[0] ^ 1]) + SIGNATURE[1:]

    assert not verify(PUBLIC, MESSAGE + b" ", [SIGNATURE])
    assert not verify(other, MESSAGE, [SIGNATURE])
    assert not verify(PUBLIC, MESSAGE, [bent])
    assert not verify(PUBLIC, MESSAGE, [])


@pytest.mark.parametrize("key", [b"\0" * 32, b"\1" + b"\0" * 31, b"\xff" * 32])
def test_weak_public_keys_verify_nothing(key: bytes) -> None:
    """A key of small order, for which a signature of zeros would hold, is refused."""
    assert not verify(key, MESSAGE, [b"\1" + b"\0" * 63, b"\0" * 64])


def test_a_server_key_shows_its_public_half_only() -> None:
    """Neither repr nor str holds the seed in any form."""
    seed = bytes(range(32))
    shown = repr(ServerKey(seed)) + str(ServerKey(seed))

    assert seed.hex() not in shown
    assert base64.b64encode(seed).decode() not in shown


def test_derived_keys_differ_by_purpose_and_by_server() -> None:
    """Two purposes, or two servers, never share a derived secret; the same pair always does."""
    one, two = ServerKey(b"\1" * 32), ServerKey(b"\2" * 32)

    assert one.derive("a") == ServerKey(b"\1" * 32).derive("a")
    assert len({one.derive("a"), one.derive("b"), two.derive("a"), one.seed}) == 4


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", base64.b64encode(b"x" * 33).decode()])
def test_a_seed_of_another_length_is_refused(text: str) -> None:
    """A key setting that is not 32 bytes of base64 stops the start and names its place."""
    with pytest.raises(BadKeyFile, match="identity file"):
        seed_from_text(text, "identity file")


def test_a_seed_is_read_with_a_newline_at_its_end() -> None:
    """An editor's last newline does not make another key."""
    assert seed_from_text(base64.b64encode(b"\5" * 32).decode() + "\n", "x") == b"\5" * 32
