"""Many blocks found at once, each with the right of who asks."""

from __future__ import annotations

import pytest

from auth.principal import Principal, Role
from crdt.ids import DocumentName
from server.blocks import BLOCKS
from server.identify import IDENTIFY
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import new_id

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def who(inside: Inside, guest: Guest) -> Principal:
    """The principal behind a token."""
    return await inside.app[IDENTIFY].from_token(guest.token)


async def test_the_rules_are_those_of_opening_a_document(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """For every form of a name, many at once give what one at a time gives."""
    blocks, rights = inside.app[BLOCKS], inside.realtime.rights
    by_id, shared = new_id(), new_id()
    for guest, name in ((ada, by_id), (ada, "notes"), (bob, "notes"), (bob, shared)):
        await inside.store.create(guest.workspace, name, guest.account)
    await inside.grants.set_member(bob.workspace, ada.account, Role.VIEWER)
    principal = await who(inside, ada)
    names = [
        DocumentName(workspace, name)
        for name in (by_id, by_id.lower(), shared, "notes", "nothing", new_id())
        for workspace in (None, ada.workspace, bob.workspace, new_id())
    ]
    found = await blocks.find(principal, names)

    for name, what in zip(names, found, strict=True):
        try:
            record, role = await rights.open_document(principal, name, create=False)
        except Exception:  # noqa: BLE001 (Forbidden, whatever its reason)
            assert what.block is None, name
        else:
            assert what.block is not None, name
            assert (what.block.record, what.role) == (record, role)


async def test_where_there_is_none_the_role_is_that_of_who_would_make_it(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """In the workspace that is said, or one's own."""
    principal = await who(inside, ada)
    await inside.grants.set_member(bob.workspace, ada.account, Role.VIEWER)
    names = [
        DocumentName(None, new_id()),
        DocumentName(ada.workspace, "new"),
        DocumentName(bob.workspace, new_id()),
        DocumentName(new_id(), new_id()),
    ]
    found = await inside.app[BLOCKS].find(principal, names)

    assert [what.role for what in found] == [Role.OWNER, Role.OWNER, Role.VIEWER, Role.NONE]
    assert all(what.block is None for what in found)


async def test_a_block_that_is_made_lies_where_it_is_said_or_at_home(
    inside: Inside, ada: Guest
) -> None:
    """Made once, with its owner; names that are taken stay where they are."""
    principal = await who(inside, ada)
    ours = new_id()
    names = [DocumentName(None, ours), DocumentName(None, "a"), DocumentName(ada.workspace, "b")]
    first = await inside.app[BLOCKS].create(principal, [*names, names[0]])
    again = await inside.app[BLOCKS].create(principal, names)

    assert [what.block for what in first[:3]] == [what.block for what in again]
    for what in first:
        assert what.block is not None
        record = what.block.record
        assert (record.scope, record.owner) == (ada.workspace, ada.account)
    assert await inside.app[BLOCKS].create(principal, []) == []
