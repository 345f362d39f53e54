"""Reading and changing a document with an answer."""

import pytest

from crdt.errors import DocumentBroken
from crdt.records import Collection
from server.looking import change, look
from tests.inside import Inside
from tests.server.realtime.conftest import inside

__all__ = ["inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_is_read_is_what_was_written(inside: Inside) -> None:
    """By an edit, whose own answer comes back too; reading stores nothing."""
    async with inside.visitor() as guest:
        record = await inside.store.create(guest.workspace, "looked at", guest.account)
        answer = await change(
            inside.documents,
            record,
            lambda doc: Collection.of(doc, "things").put("a", 1),
            guest.account,
        )
        head = (await inside.store.load(record.id)).head
        found = await look(
            inside.documents, record, lambda doc: Collection.of(doc, "things").items()
        )

        assert answer is True
        assert found == [("a", 1)]
        assert (await inside.store.load(record.id)).head == head


async def test_what_a_question_raises_comes_back(inside: Inside) -> None:
    """And the document can be read afterwards."""

    def fail(_: object) -> None:
        raise ValueError("no")

    async with inside.visitor() as guest:
        record = await inside.store.create(guest.workspace, "failing", guest.account)
        with pytest.raises((ValueError, DocumentBroken)):
            await look(inside.documents, record, fail)

        assert await look(inside.documents, record, lambda _: 5) == 5
