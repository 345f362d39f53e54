"""Names lead to documents of adapters, and all others to the caller's own."""

from __future__ import annotations

import pytest

from auth.errors import Forbidden, Unauthorized
from auth.principal import Kind
from crdt.ids import DocumentName
from tests.inside import Inside
from tests.server.adapters.difflog.client import Client
from tests.server.realtime.conftest import inside

__all__ = ["inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_other_names_are_the_callers_own(inside: Inside) -> None:
    """With slashes too; who showed a token at the handshake need not show it again."""
    entrance = inside.realtime.entrance
    async with inside.visitor() as guest:
        name = DocumentName(None, "notes/today")
        entry = await entrance.enter(name, guest.token, create=True)
        again = await entrance.enter(name, entry.principal, create=False)

        assert entry.record.scope == guest.workspace
        assert again.record.id == entry.record.id


async def test_a_profile_opens_with_its_password_only(inside: Inside) -> None:
    """Not with an access token, and an unknown one is refused alike."""
    entrance = inside.realtime.entrance
    async with Client(inside) as ada, inside.visitor() as guest:
        await ada.create()
        name = DocumentName(None, f"difflog/{ada.id}")
        entry = await entrance.enter(name, ada.hash, create=True)
        for profile, shown in (
            (ada.id, guest.token),
            (ada.id, ""),
            ("unknown", ada.hash),
            ("", "x"),
        ):
            with pytest.raises(Unauthorized):
                await entrance.enter(DocumentName(None, f"difflog/{profile}"), shown, create=True)
        principal = await inside.realtime.identify.from_token(guest.token)
        with pytest.raises(Forbidden):
            await entrance.enter(name, principal, create=True)

    assert entry.principal.kind is Kind.PROFILE
    assert entry.record.kind == "difflog"


async def test_a_dataset_opens_to_its_owner_only(inside: Inside) -> None:
    """With an access token of his."""
    entrance = inside.realtime.entrance
    async with inside.visitor() as ada, inside.visitor() as eve:
        name = DocumentName(None, f"ascently/{ada.account}")
        entry = await entrance.enter(name, ada.token, create=True)
        for token in (eve.token, await ada.document_token("other")):
            with pytest.raises(Forbidden):
                await entrance.enter(name, token, create=True)

    assert entry.record.kind == "ascently"
