"""Everything of an account in one archive; and the account gone, wherever anything named it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from auth.principal import Role
from storage.backup import verifying
from storage.ordering import TABLES
from tests.clients import text_of
from tests.inside import Guest, Inside
from tests.server.adapters.ascently.phone import Phone
from tests.server.adapters.heaps.asking import ask, call
from tests.server.adapters.heaps.filing import filed
from tests.server.realtime.conftest import inside

__all__ = ["inside"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE, IMAGE = b"bytes of a file", b"\xff\xd8\xff image"
DATASET = {
    "exportedAt": "2024-01-15T10:30:00.000Z",
    "version": "2.0",
    "formatVersion": "2.0",
    "gyms": [{"id": "g", "name": "Hall", "updatedAt": "2024-01-01T00:00:00.000Z"}],
    "problems": [],
    "sessions": [],
    "attempts": [],
    "deletedItems": [],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(inside: Inside) -> AsyncIterator[Guest]:
    """Whoever came first is the administrator."""
    async with inside.visitor() as guest:
        yield guest


@pytest_asyncio.fixture(loop_scope="module")
async def bob(inside: Inside, admin: Guest) -> AsyncIterator[Guest]:
    """Somebody else."""
    async with inside.visitor() as guest:
        yield guest


@pytest_asyncio.fixture(loop_scope="module")
async def ada(inside: Inside, bob: Guest) -> AsyncIterator[Guest]:
    """Somebody with something of every kind, who also writes in Bob's workspace."""
    async with inside.visitor() as guest:
        y = await (await guest.y(diary(guest))).sync()
        await y.stored(await y.write("dear diary"))
        block, _ = await filed(inside, guest, FILE)
        await ask(guest, f"/api/block/{block}/links", 201, role="viewer")
        await ask(guest, "/api/access-tokens", 201, name="script", scopes=["heaps:read"])
        async with await Phone.of(guest) as phone:
            await phone.upload(**DATASET)
            await phone.post("/images/upload?filename=problem_p_0.jpg", data=IMAGE)
        await inside.grants.set_member(bob.workspace, guest.account, Role.EDITOR)
        await inside.grants.set_member(guest.workspace, bob.account, Role.VIEWER)
        theirs = await (await guest.y(f"{bob.workspace}:plan")).sync()
        await theirs.stored(await theirs.write("in Bob's plan"))
        yield guest


def diary(guest: Guest) -> str:
    """The name of a document that only she has."""
    return f"diary-{guest.person.public_key[:12]}"


async def archive(guest: Guest, path: str = "/api/me/export") -> dict[str, bytes]:
    """The files of an export."""
    status, data = await guest.get(path)
    assert status == 200, data
    with tarfile.open(fileobj=io.BytesIO(data)) as packed:
        files = {each.name: packed.extractfile(each) for each in packed.getmembers()}
        return {name: file.read() for name, file in files.items() if file is not None}


async def named(inside: Inside, text: str) -> list[str]:
    """Every table with a row that holds a text anywhere."""
    tables = [row[0] for row in await inside.pool.fetch(TABLES)]
    return [
        table
        for table in tables
        if await inside.pool.fetchval(
            f'SELECT EXISTS (SELECT FROM "{table}" t WHERE t::text LIKE $1)', f"%{text}%"
        )
    ]


async def test_an_export_holds_everything_and_no_secret(
    inside: Inside, admin: Guest, ada: Guest, bob: Guest
) -> None:
    """Documents, files, images and every record; an administrator gets the same of anybody."""
    found = await archive(ada)
    same = await archive(admin, f"/api/admin/accounts/{ada.account}/export")
    home = f"workspaces/{ada.workspace}"
    records = {name for name in found if name.startswith("records/")}
    about = json.loads(found["account.json"])

    assert about["account"]["id"] == ada.account
    assert [key["public_key"] for key in about["keys"]] == [ada.person.public.hex()]
    assert text_of(found[f"{home}/documents/{diary(ada)}.yjs"]) == "dear diary"
    assert f"{home}/documents/{diary(ada)}.md" in found
    assert {FILE, IMAGE} <= {d for name, d in found.items() if name.startswith("files/")}
    assert b"Hall" in b"".join(d for name, d in found.items() if name.endswith(".yjs"))
    assert {"records/access_tokens.jsonl", "records/members.jsonl"} <= records
    assert "records/ascently_images.jsonl" in records
    assert not any(b"digest" in found[name] for name in records)
    assert b"in Bob's plan" not in b"".join(found.values())
    assert bob.workspace not in {name.split("/")[1] for name in found if "/" in name}
    assert same.keys() == found.keys()


async def test_a_removed_account_is_nowhere_any_more(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """No row of any table names it; others keep what is theirs, its words included."""
    y = await (await ada.y(diary(ada))).sync()
    status, answer = await delete(ada, "/api/me", "somebody else")
    assert (status, answer["error"]) == (400, "not_confirmed")
    status, done = await delete(ada, "/api/me", ada.account)
    code = await y.closed()
    plan = await (await bob.y("plan")).sync()
    left = await archive(bob)
    refused = (await ada.post("/api/me"))[0]

    assert (status, done["workspaces"], done["handed_over"]) == (200, 2, 0)
    assert done["documents"] >= 3
    assert code in {4403, 4404}
    assert refused == 401
    assert await named(inside, ada.account) == []
    assert plan.replica.text == "in Bob's plan"
    assert text_of(left[f"workspaces/{bob.workspace}/documents/plan.yjs"]) == "in Bob's plan"
    assert await named(inside, diary(ada)) == []
    assert (await verifying.verify(inside.pool)).problems == []
    old = ada.account
    await ada.log_in()  # The same key is somebody new.
    assert ada.account != old


async def test_a_workspace_with_another_owner_becomes_that_owners(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """With its files, which count in that owner's quota from then on."""
    _, file = await filed(inside, ada, b"shared file")
    await inside.grants.set_member(ada.workspace, bob.account, Role.OWNER)
    _, done = await delete(ada, "/api/me", ada.account)
    found = await archive(bob)

    assert (done["handed_over"], done["workspaces"]) == (1, 1)  # The dataset has none.
    assert text_of(found[f"workspaces/{ada.workspace}/documents/{diary(ada)}.yjs"]) == "dear diary"
    assert found[f"files/{file}"] == b"shared file"
    used = await inside.pool.fetchrow(
        "SELECT files, bytes FROM blob_accounts WHERE account = $1", bob.account
    )
    assert tuple(used) == (2, len(b"shared file") + len(FILE))
    assert await named(inside, ada.account) == []


async def test_administrators_remove_others_and_never_the_last_of_them(
    inside: Inside, admin: Guest, bob: Guest
) -> None:
    """Unknown accounts are 404, others than administrators get 403."""
    accounts = "/api/admin/accounts"
    last, answer = await delete(admin, "/api/me", admin.account)
    unknown, _ = await delete(admin, f"{accounts}/nobody", "nobody")
    forbidden, _ = await delete(bob, f"{accounts}/{admin.account}", admin.account)
    status, _ = await delete(admin, f"{accounts}/{bob.account}", bob.account)

    assert (last, answer["error"]) == (409, "last_administrator")
    assert (unknown, forbidden, status) == (404, 403, 200)
    await call(admin, "GET", f"{accounts}/{bob.account}/export", 404)
    assert await named(inside, bob.account) == []


async def delete(guest: Guest, path: str, confirm: str) -> tuple[int, Any]:
    """Status and body of a DELETE."""
    body = {"confirm": confirm}
    async with guest.http.delete(path, headers=guest.bearer, json=body) as answer:
        return answer.status, await answer.json()
