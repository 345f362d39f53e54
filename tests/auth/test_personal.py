"""Personal access tokens: their form, their scopes, and what they make of a principal."""

import base64

import pytest

from auth.errors import BadCredential, Forbidden
from auth.opaque import SECRET_BYTES
from auth.personal import PREFIXES, Scope, is_personal, mint_personal, read_scopes
from auth.principal import Kind, Principal, Role

SECRET = bytes(range(SECRET_BYTES))


@pytest.mark.parametrize("api", PREFIXES)
def test_a_token_of_one_api_begins_with_its_prefix(api: str) -> None:
    """And goes on with all random bytes, 43 letters of base64url."""
    token = mint_personal(read_scopes([f"{api}:read"]), SECRET)

    assert token.startswith(PREFIXES[api])
    assert base64.urlsafe_b64decode(token.removeprefix(PREFIXES[api]) + "=") == SECRET
    assert is_personal(token)


def test_flowershow_tokens_begin_as_its_clients_expect() -> None:
    """No other API's do, whatever they are combined with."""
    others = [
        mint_personal(read_scopes([f"{api}:read"]), SECRET)
        for api in PREFIXES
        if api != "flowershow"
    ]
    others.append(mint_personal(read_scopes(["heaps:read", "pinakes:read"]), SECRET))

    assert mint_personal(read_scopes(["flowershow:write"]), SECRET).startswith("fs_pat_")
    assert not [token for token in others if token.startswith("fs_")]


def test_a_token_for_several_apis_has_the_general_prefix() -> None:
    """Whatever order they were named in."""
    scopes = read_scopes(["pinakes:write", "heaps:read", "heaps:read"])

    assert [scope.word for scope in scopes] == ["heaps:read", "pinakes:write"]
    assert mint_personal(scopes, SECRET).startswith("plait_pat_")


def test_write_includes_read() -> None:
    """Of two scopes for one API the wider one counts."""
    assert read_scopes(["heaps:write", "heaps:read"]) == (Scope("heaps", writes=True),)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["heaps"],
        ["heaps:"],
        ["heaps:admin"],
        ["nothing:read"],
        ["Heaps:read"],
        ["heaps:read:write"],
        ["ascently:write", "heaps:read"],
        ["flowershow:read", "ascently:read"],
    ],
)
def test_other_scopes_are_refused(words: list[str]) -> None:
    """Unknown APIs and levels, none at all, and those that must stand alone."""
    with pytest.raises(BadCredential, match="scopes"):
        read_scopes(words)


@pytest.mark.parametrize("text", ["", "plait_pat_", "a.b.c", "plr_x", "plait_pat_" + "é" * 43])
def test_other_texts_are_no_personal_tokens(text: str) -> None:
    """So nobody looks them up."""
    assert not is_personal(text)
    assert not is_personal(mint_personal(read_scopes(["heaps:read"]), SECRET) + "\n")


def test_a_principal_is_cut_down_to_its_scope() -> None:
    """Reading makes a viewer, writing changes nothing, another API or none is refused."""
    principal = Principal(
        kind=Kind.PERSONAL, account="A", scopes=read_scopes(["heaps:read", "pinakes:write"])
    )

    assert principal.within("heaps").role_max is Role.VIEWER
    assert principal.within("pinakes") is principal
    for api in ("flowershow", None):
        with pytest.raises(Forbidden):
            principal.within(api)


def test_other_principals_are_the_same_everywhere() -> None:
    """Scopes are a matter of personal tokens."""
    principal = Principal(kind=Kind.ACCESS, account="A")

    assert principal.within(None) is principal.within("heaps") is principal
