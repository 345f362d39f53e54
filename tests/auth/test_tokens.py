"""Access and document tokens."""

import base64
import json
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from auth.errors import Unauthorized
from auth.keys import ServerKey
from auth.principal import Kind, Role
from auth.refresh import RefreshTokens
from auth.tokens import SKEW_S, TOKEN_LETTERS_MAX, Tokens

SIGNING = ServerKey(b"\1" * 32)
IDENTITY = ServerKey(b"\2" * 32)
NOW = 1_790_000_000.5
DOCUMENT = UUID(int=7)
TOKENS = Tokens(SIGNING, IDENTITY.public_text)


def access(**changes: object) -> str:
    """An access token of account A, changed as a test needs it."""
    given = {
        "account": "A",
        "family": "F",
        "now": NOW,
        "lifetime_s": 900,
        "random_bytes": bytes(16),
    }
    return TOKENS.mint_access(**(given | changes))  # type: ignore[arg-type]


def document(role: Role = Role.EDITOR) -> str:
    """A token for one document."""
    return TOKENS.mint_document(
        account="A",
        document=DOCUMENT,
        scope="W",
        name="notes",
        role=role,
        now=NOW,
        random_bytes=bytes(16),
        display="Zoé",
    )


def forge(payload: dict[str, object], key: ServerKey, **header: str) -> str:
    """A JWT as an attacker with `key` would make it."""
    private = Ed25519PrivateKey.from_private_bytes(key.seed)
    return jwt.encode(payload, private, "EdDSA", headers=header)


def payload_of(token: str) -> dict[str, object]:
    """The claims of a token, unverified."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


def test_an_access_token_carries_the_promised_claims() -> None:
    """Header kid and the claims iss, aud, typ, sub, fam, exp, iat, jti are all there."""
    token = access()
    payload = payload_of(token)

    assert jwt.get_unverified_header(token) == {
        "alg": "EdDSA",
        "typ": "JWT",
        "kid": SIGNING.key_id,
    }
    assert set(payload) == {"iss", "aud", "typ", "sub", "fam", "exp", "iat", "jti"}
    assert payload["exp"] == payload["iat"] + 900  # type: ignore[operator]


def test_a_token_verifies_to_what_was_minted() -> None:
    """Account, family and kind come back."""
    claims = TOKENS.verify(access(), NOW)

    assert (claims.sub, claims.fam, claims.typ) == ("A", "F", Kind.ACCESS)


def test_a_document_token_names_its_document_and_role() -> None:
    """Document, workspace, name, role and the shown name come back."""
    claims = TOKENS.verify(document(Role.VIEWER), NOW)

    assert (claims.doc, claims.scope, claims.name) == (DOCUMENT, "W", "notes")
    assert (claims.role, claims.dsp, claims.typ) == ("viewer", "Zoé", Kind.DOCUMENT)


def test_expiry_is_judged_by_the_time_passed_in() -> None:
    """The machine's clock plays no part: the token lives and dies around its own times."""
    token = access()
    end = int(NOW) + 900 + SKEW_S

    assert TOKENS.verify(token, end - 0.001).expires_at == end
    with pytest.raises(Unauthorized, match="token_expired"):
        TOKENS.verify(token, end)
    with pytest.raises(Unauthorized, match="token_invalid"):
        TOKENS.verify(token, NOW - SKEW_S - 1)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_token_signed_with_the_public_key_as_a_password_is_refused(algorithm: str) -> None:
    """The classic confusion of a public key with a shared secret opens nothing."""
    secret = SIGNING.public.hex().encode()
    forged = jwt.encode(payload_of(access()), secret, algorithm, headers={"kid": SIGNING.key_id})

    with pytest.raises(Unauthorized, match="token_invalid"):
        TOKENS.verify(forged, NOW)


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", ""])
def test_an_unsigned_token_is_refused(spelling: str) -> None:
    """`alg: none`, however spelled, opens nothing, with or without a signature behind it."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    header = part({"alg": spelling, "typ": "JWT", "kid": SIGNING.key_id})
    body = part(payload_of(access()))
    for signature in ("", access().rpartition(".")[2]):
        with pytest.raises(Unauthorized, match="token_invalid"):
            TOKENS.verify(f"{header}.{body}.{signature}", NOW)


def test_the_identity_key_signs_no_tokens() -> None:
    """Right claims under the identity key are refused under its own kid and under ours."""
    payload = payload_of(access())

    for kid in (IDENTITY.key_id, SIGNING.key_id):
        with pytest.raises(Unauthorized, match="token_invalid"):
            TOKENS.verify(forge(payload, IDENTITY, kid=kid), NOW)


def test_a_token_of_another_server_is_refused() -> None:
    """Even a server that was given the same signing key has another audience."""
    other = Tokens(SIGNING, ServerKey(b"\3" * 32).public_text)

    with pytest.raises(Unauthorized, match="token_invalid"):
        other.verify(access(), NOW)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"typ": "refresh"}, id="unknown-type"),
        pytest.param({"typ": "document"}, id="access-claims-as-document"),
        pytest.param({"typ": None}, id="no-type"),
        pytest.param({"fam": None}, id="no-family"),
        pytest.param({"doc": str(DOCUMENT)}, id="both-kinds"),
        pytest.param({"iss": "other"}, id="other-issuer"),
        pytest.param({"aud": ["a", "b"]}, id="audience-list"),
        pytest.param({"exp": "9999999999"}, id="expiry-as-text"),
        pytest.param({"exp": None}, id="no-expiry"),
        pytest.param({"sub": 7}, id="subject-as-number"),
    ],
)
def test_claims_of_another_shape_are_refused(change: dict[str, object]) -> None:
    """Even a rightly signed token must have exactly the claims of its kind."""
    payload = payload_of(access()) | change
    forged = forge({k: v for k, v in payload.items() if v is not None}, SIGNING, kid=SIGNING.key_id)

    with pytest.raises(Unauthorized, match="token_invalid"):
        TOKENS.verify(forged, NOW)


def test_a_refresh_token_never_passes_as_an_access_token() -> None:
    """It is refused as a token of the wrong type."""
    refresh = RefreshTokens(b"r" * 32).mint("F", bytes(32))

    with pytest.raises(Unauthorized, match="token_type"):
        TOKENS.verify(refresh, NOW)


def test_a_retired_key_still_verifies_and_signs_nothing_new() -> None:
    """After a change of keys the old tokens live out their time."""
    new = ServerKey(b"\4" * 32)
    tokens = Tokens(new, IDENTITY.public_text, retired=[SIGNING.public])

    assert tokens.verify(access(), NOW).sub == "A"
    assert (
        jwt.get_unverified_header(
            tokens.mint_access(
                account="A", family="F", now=NOW, lifetime_s=9, random_bytes=bytes(16)
            )
        )["kid"]
        == new.key_id
    )


def test_one_changed_letter_breaks_a_token() -> None:
    """Header, claims and signature are all covered."""
    token = access()

    # The last letter of a base64 text carries bits that mean nothing, so it is left out.
    for at in range(0, len(token) - 1, 7):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(Unauthorized):
            TOKENS.verify(changed, NOW)


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_unauthorized(text: str) -> None:
    """Whatever is sent as a token, alone or behind our own header, is a plain refusal."""
    head = access().partition(".")[0]

    for token in (text, f"{head}.{text}", f"{head}.{text}.{text}"):
        with pytest.raises(Unauthorized):
            TOKENS.verify(token, NOW)


def test_a_token_over_the_bound_is_refused_unread() -> None:
    """Eight KiB is the most that is looked at."""
    with pytest.raises(Unauthorized, match="token_invalid"):
        TOKENS.verify(access() + "A" * TOKEN_LETTERS_MAX, NOW)


def test_a_document_token_gives_a_role_and_lives_a_while() -> None:
    """Minting one that gives nothing, or for no time, is a mistake of ours and stops there."""
    for role, lifetime_s in ((Role.NONE, 60), (Role.VIEWER, 0)):
        with pytest.raises(AssertionError):
            TOKENS.mint_document(
                account="A",
                document=DOCUMENT,
                scope="W",
                name="n",
                role=role,
                now=NOW,
                random_bytes=bytes(16),
                lifetime_s=lifetime_s,
            )
