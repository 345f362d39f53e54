"""What somebody may do to a document, and which document a name means."""

import asyncio
from uuid import uuid4

import pytest

from auth.errors import Forbidden
from auth.principal import Principal, Role
from crdt.ids import DocumentName, make_ulid
from server.identity import Identity
from storage.documents import Documents
from storage.pool import Pool
from tests.patience import PATIENCE_S
from tests.server.person import Client, Clock, Person
from tests.server.test_identify import a_document, document_token

ULID = make_ulid(1_790_000_000_000, b"0123456789")


async def enter(client: Client, identity: Identity) -> tuple[Person, Principal]:
    """Somebody who has logged in, and the principal of that."""
    person = await Person().log_in(client)
    return person, await identity.identify.from_token(person.access)


async def test_a_plain_name_is_made_in_the_callers_own_workspace(
    client: Client, identity: Identity
) -> None:
    """Two accounts' `notes` are two documents; the same account's is one, however often asked."""
    (ada, a), (bob, b) = await enter(client, identity), await enter(client, identity)
    name = DocumentName.parse("notes")
    one, role = await identity.rights.open_document(a, name, create=True)
    again, _ = await identity.rights.open_document(a, name, create=True)
    other, _ = await identity.rights.open_document(b, name, create=True)

    assert role is Role.OWNER
    assert one.id == again.id != other.id
    assert (one.scope, other.scope) == (ada.workspace, bob.workspace)


async def test_two_who_make_one_name_at_once_get_one_document(
    client: Client, identity: Identity
) -> None:
    """A race makes no second document."""
    _, a = await enter(client, identity)
    opened = await asyncio.gather(
        *(
            identity.rights.open_document(a, DocumentName.parse("new"), create=True)
            for _ in range(8)
        )
    )

    assert len({record.id for record, _ in opened}) == 1


async def test_all_forms_of_a_block_s_name_mean_one_document(
    client: Client, identity: Identity
) -> None:
    """workspace:block, with a version, block/id with the workspace beside it, the bare id."""
    ada, a = await enter(client, identity)
    forms = [
        DocumentName.parse(f"{ada.workspace}:{ULID}"),
        DocumentName.parse(f"{ada.workspace}:{ULID}:v7"),
        DocumentName.parse(f"block/{ULID}", ada.workspace),
        DocumentName.parse(ULID),
        DocumentName.parse(ULID.lower()),
    ]
    opened = [await identity.rights.open_document(a, form, create=True) for form in forms]

    assert len({record.id for record, _ in opened}) == 1


async def test_foreign_unknown_and_deleted_are_refused_alike(
    client: Client, identity: Identity, pool: Pool
) -> None:
    """A stranger cannot tell from the answer what there is."""
    (ada, a), (_, b) = await enter(client, identity), await enter(client, identity)
    foreign, _ = await identity.rights.open_document(a, DocumentName.parse(ULID), create=True)
    await identity.rights.open_document(a, DocumentName.parse("plain"), create=True)
    gone, _ = await identity.rights.open_document(b, DocumentName.parse("gone"), create=True)
    await Documents(pool).delete(gone.id)
    identity.rights.forget(gone)
    names = [
        (ULID, True),
        (f"{ada.workspace}:{ULID}", True),
        (f"{ada.workspace}:plain", True),
        (f"{ada.workspace}:never", True),
        (f"{make_ulid(5, bytes(10))}:never", True),
        ("gone", True),
        ("never", False),
        (make_ulid(7, bytes(10)), False),
    ]
    for text, create in names:
        with pytest.raises(Forbidden) as caught:
            await identity.rights.open_document(b, DocumentName.parse(text), create=create)
        assert str(caught.value) == str(Forbidden())

    assert foreign.scope == ada.workspace


async def test_a_viewer_reads_and_makes_nothing(client: Client, identity: Identity) -> None:
    """An existing document opens as viewer; a new name is refused."""
    (ada, a), (bob, b) = await enter(client, identity), await enter(client, identity)
    await identity.rights.open_document(a, DocumentName.parse("plain"), create=True)
    await identity.grants.set_member(ada.workspace, bob.account, Role.VIEWER)
    there = DocumentName.parse(f"{ada.workspace}:plain")
    new = DocumentName.parse(f"{ada.workspace}:new")
    _, role = await identity.rights.open_document(b, there, create=True)

    assert role is Role.VIEWER
    with pytest.raises(Forbidden):
        await identity.rights.open_document(b, new, create=True)


async def test_a_document_token_opens_its_document_and_no_other(
    client: Client, identity: Identity, pool: Pool, clock: Clock
) -> None:
    """By its own name only, as far as the token goes, and it makes nothing."""
    ada, a = await enter(client, identity)
    record = await a_document(pool, ada)
    await identity.rights.open_document(a, DocumentName.parse("other"), create=True)
    token = document_token(identity, ada, record, clock, role=Role.VIEWER)
    holder = await identity.identify.from_token(token)
    opened, role = await identity.rights.open_document(
        holder, DocumentName.parse("notes"), create=False
    )

    assert (opened.id, role) == (record.id, Role.VIEWER)
    for text in ("other", "new", f"{ada.workspace}:other", ULID):
        with pytest.raises(Forbidden):
            await identity.rights.open_document(holder, DocumentName.parse(text), create=True)


async def test_a_document_token_dies_with_its_issuers_right(
    client: Client, identity: Identity, clock: Clock
) -> None:
    """An editor's token becomes a viewer's, then nothing, as its issuer does."""
    (ada, a), (bob, b) = await enter(client, identity), await enter(client, identity)
    record, _ = await identity.rights.open_document(a, DocumentName.parse("plain"), create=True)
    roles = []
    await identity.grants.set_member(ada.workspace, bob.account, Role.EDITOR)
    token = document_token(identity, bob, record, clock)
    holder = await identity.identify.from_token(token)
    for role in (Role.EDITOR, Role.VIEWER, Role.NONE):
        await identity.grants.set_member(ada.workspace, bob.account, role)
        await identity.watch.look()
        roles.append((await identity.rights.role(holder, record)).name)

    assert roles == ["EDITOR", "VIEWER", "NONE"]
    assert await identity.rights.role(b, record) is Role.NONE


async def test_every_end_of_a_right_is_heard_and_rechecked(
    client: Client, identity: Identity, pool: Pool, clock: Clock
) -> None:
    """Downgrade, removal, revocation, disabling, deletion, expiry: told within 2 s, then judged."""
    ada, a = await enter(client, identity)
    record, _ = await identity.rights.open_document(a, DocumentName.parse("plain"), create=True)
    documents = Documents(pool)

    async def ends(change: str) -> tuple[Role, Role]:
        bob, b = await enter(client, identity)
        await identity.grants.set_member(ada.workspace, bob.account, Role.EDITOR)
        await identity.watch.look()
        before = await identity.rights.recheck(b, record)
        heard = asyncio.Event()
        unwatch = identity.rights.watch(record.scope, bob.account, heard.set)
        assert b.family
        if change == "downgrade":
            await identity.grants.set_member(ada.workspace, bob.account, Role.VIEWER)
        elif change == "removal":
            await identity.grants.set_member(ada.workspace, bob.account, Role.NONE)
        elif change == "revocation":
            await identity.credentials.revoke(bob.account, b.family)
        elif change == "disabling":
            await identity.accounts.disable(bob.account)
        elif change == "deletion":
            await documents.delete(record.id)
        async with asyncio.timeout(PATIENCE_S):
            await heard.wait()
        unwatch()
        return before, await identity.rights.recheck(b, record)

    assert await ends("downgrade") == (Role.EDITOR, Role.VIEWER)
    assert await ends("removal") == (Role.EDITOR, Role.NONE)
    assert await ends("revocation") == (Role.EDITOR, Role.NONE)
    assert await ends("disabling") == (Role.EDITOR, Role.NONE)
    assert await ends("deletion") == (Role.EDITOR, Role.NONE)
    await documents.restore(record.id)
    assert await identity.rights.recheck(a, record) is Role.OWNER
    clock.now += 931
    assert await identity.rights.recheck(a, record) is Role.NONE


async def test_a_commit_s_rights_version_is_taken_in_at_once(
    client: Client, identity: Identity
) -> None:
    """A newer version calls those who watch without waiting for the poll."""
    ada, a = await enter(client, identity)
    record, _ = await identity.rights.open_document(a, DocumentName.parse("plain"), create=True)
    heard: list[str] = []
    identity.rights.watch(record.scope, ada.account, lambda: heard.append("x"))
    identity.rights.seen(record.scope, 1)
    assert heard == []
    identity.rights.seen(record.scope, 99)

    assert heard == ["x"]


async def test_a_storm_of_rechecks_is_a_handful_of_queries(
    client: Client, identity: Identity
) -> None:
    """A hundred sessions of one workspace that ask at once share what they ask."""
    _, a = await enter(client, identity)
    records = [
        (await identity.rights.open_document(a, DocumentName.parse(f"n{n}"), create=True))[0]
        for n in range(20)
    ]
    reads, asked = identity.grants.deleted_among, []

    async def counted(documents):  # noqa: ANN001, ANN202 (passes an answer on)
        asked.append(len(documents))
        return await reads(documents)

    identity.grants.deleted_among = counted  # type: ignore[method-assign]
    roles = await asyncio.gather(*(identity.rights.recheck(a, r) for r in records * 5))

    assert set(roles) == {Role.OWNER}
    assert asked == [20]


@pytest.mark.parametrize("scope", ["", "x" * 65, "a\x00b", "é", "\udcff"])
async def test_texts_that_are_no_workspace_give_no_role(identity: Identity, scope: str) -> None:
    """They never reach the database."""
    assert await identity.rights.role_in("A", scope) is Role.NONE


async def test_strangers_fill_no_memory(client: Client, identity: Identity) -> None:
    """Asking for workspaces that are not one's own leaves nothing behind."""
    _, a = await enter(client, identity)
    for _ in range(10):
        assert await identity.rights.role_in(a.account, str(uuid4())) is Role.NONE

    assert identity.watch.sizes()["scope"] == 0
