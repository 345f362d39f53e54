"""What difflog keeps outside its documents; races by choosing who comes first."""

from __future__ import annotations

import asyncio

import pytest

from storage.difflog import KIND, Difflog, Outcome, Profile, Secrets
from storage.documents import Documents
from storage.pool import Pool

SECRETS = Secrets(
    password_hash="stored",
    password_salt="salt",
    encrypted_api_key="key",
    salt="other salt",
    keys_hash=None,
)


async def profile(pool: Pool, name: str = "ada") -> Profile:
    """A profile with a document."""
    store = Difflog(pool)
    await store.create_scope(f"scope of {name}")
    document = await Documents(pool).create(f"scope of {name}", "content", None, KIND)
    assert await store.insert(name, document.id, SECRETS)
    found = await store.find(name)
    assert found is not None
    return found


async def test_a_profile_is_found_with_its_document(pool: Pool) -> None:
    """And an id that no column can hold is nobody's."""
    ada = await profile(pool)

    assert ada.secrets == SECRETS
    assert (ada.document.kind, ada.document.scope) == ("difflog", "scope of ada")
    assert (ada.failures, ada.locked_until) == (0, None)
    assert [await Difflog(pool).find(name) for name in ("eve", "\0", "\ud800")] == [None] * 3


async def test_of_two_of_one_id_one_is_made(pool: Pool) -> None:
    """The first stays as it is."""
    ada = await profile(pool)
    other = await Documents(pool).create(ada.document.scope, "other", None, KIND)

    assert not await Difflog(pool).insert("ada", other.id, SECRETS)
    found = await Difflog(pool).find("ada")
    assert found is not None
    assert found.document == ada.document


async def test_judges_take_turns(pool: Pool) -> None:
    """Each sees what the one before made of it."""
    await profile(pool)
    store = Difflog(pool)
    seen = []

    async def judge(found: Profile) -> Outcome:
        seen.append(found.failures)
        await asyncio.sleep(0)
        return Outcome(failures=found.failures + 1, password_hash="new", password_salt=None)

    await asyncio.gather(*(store.judge("ada", judge) for _ in range(4)))
    found = await store.find("ada")

    assert seen == [0, 1, 2, 3]
    assert found is not None
    assert (found.failures, found.secrets.password_hash) == (4, "new")
    assert await store.judge("eve", judge) is None


async def test_only_who_knows_the_document_replaces_it(pool: Pool) -> None:
    """Of two new passwords at once the second changes nothing."""
    ada = await profile(pool)
    store, documents = Difflog(pool), Documents(pool)
    made = [await documents.create(ada.document.scope, name, None, KIND) for name in "ab"]
    done = [await store.replace(ada, SECRETS, document.id) for document in made]
    found = await store.find("ada")

    assert done == [True, False]
    assert found is not None
    assert found.document.id == made[0].id
    assert not await store.delete(ada)
    assert await store.delete(found)
    assert await store.find("ada") is None


async def test_a_public_address_belongs_to_the_first_while_he_is_there(pool: Pool) -> None:
    """Of each profile the newest are kept."""
    ada, _ = await profile(pool), await profile(pool, "eve")
    store = Difflog(pool)
    await store.publish("ada", ["a"], 10)
    await store.publish("eve", ["a", "b"], 10)
    owners = [await store.publisher(diff) for diff in ("a", "b", "c", "\0")]
    await store.publish("eve", ["c", "d"], 2)
    await store.delete(ada)
    left = [await store.publisher(diff) for diff in "abcd"]

    assert [owner and owner.id for owner in owners] == ["ada", "eve", None, None]
    assert [owner and owner.id for owner in left] == [None, None, "eve", "eve"]


async def test_a_code_is_taken_once_and_ends(pool: Pool) -> None:
    """Kinds do not meet; one that is there is replaced only where that is wanted."""
    store = Difflog(pool)

    async def put(value: str, *, kind: str = "k", seconds: float = 60, over: bool = False) -> bool:
        return await store.put_code(kind, "c", value, seconds=seconds, most=2, over=over)

    assert [await put("1"), await put("2"), await put("3", over=True)] == [True, False, True]
    assert [await store.peek_code("k", "c"), await store.peek_code("other", "c")] == ["3", None]
    taken = await asyncio.gather(*(store.take_code("k", "c") for _ in range(4)))
    assert sorted(map(str, taken)) == ["3", "None", "None", "None"]
    assert await put("4", seconds=-1)
    assert await store.peek_code("k", "c") is None
    assert await put("5")


@pytest.mark.parametrize("most", [0, 1])
async def test_waiting_codes_are_bounded(pool: Pool, most: int) -> None:
    """Of each kind."""
    store = Difflog(pool)
    made = [await store.put_code("k", code, "v", seconds=60, most=most, over=True) for code in "ab"]

    assert made.count(True) == most
