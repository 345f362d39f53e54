"""Finding documents by name with few questions."""

from server.names import KEEP_S, NAMES_MAX, WATCHED_S, Names, _Found
from storage.documents import DocumentRecord, Documents
from storage.pool import Pool
from tests.server.person import Clock
from tests.storage.people import join


class Counted(Documents):
    """Documents that count how often they are asked."""

    asked = 0

    async def resolve(self, scope: str, name: str) -> DocumentRecord | None:
        """Count and resolve."""
        self.asked += 1
        return await super().resolve(scope, name)


async def test_a_name_is_asked_for_once_a_second(pool: Pool) -> None:
    """Within the second the answer comes from memory; afterwards it is asked again."""
    account, _ = await join(pool)
    documents, clock = Counted(pool), Clock()
    names = Names(documents, clock)
    made = await documents.create(account.default_workspace, "a", account.id)
    documents.asked = 0
    found = [await names.find(made.scope, "a") for _ in range(5)]
    clock.now += KEEP_S
    found.append(await names.find(made.scope, "a"))

    assert found == [made] * 6
    assert documents.asked == 2


async def test_a_name_holds_while_its_workspace_does(pool: Pool) -> None:
    """One that was just made too; until the version moves, is not known, or a minute is over."""
    account, _ = await join(pool)
    documents, clock = Counted(pool), Clock()
    versions: dict[str, int] = {account.default_workspace: 7}
    names = Names(documents, clock, versions.get)
    made = await names.create(account.default_workspace, "a", account.id)

    for change, asked in (
        (lambda: None, 0),
        (lambda: versions.update({made.scope: 8}), 1),
        (lambda: None, 1),
        (versions.clear, 2),
        (lambda: versions.update({made.scope: 8}), 3),
        (lambda: setattr(clock, "now", clock.now + WATCHED_S), 4),
    ):
        clock.now += KEEP_S + 1
        change()
        assert await names.find(made.scope, "a") == made
        assert documents.asked == asked


async def test_what_is_not_there_is_asked_for_each_time(pool: Pool) -> None:
    """A document made a moment later is found at once."""
    account, _ = await join(pool)
    documents = Counted(pool)
    names = Names(documents, Clock())
    assert await names.find(account.default_workspace, "a") is None
    made = await documents.create(account.default_workspace, "a", account.id)

    assert await names.find(account.default_workspace, "a") == made


async def test_a_forgotten_document_is_asked_for_again(pool: Pool) -> None:
    """Its deletion shows at once on the node that deleted it."""
    account, _ = await join(pool)
    documents, names = Documents(pool), Names(Documents(pool), Clock())
    made = await documents.create(account.default_workspace, "a", account.id)
    await names.find(made.scope, "a")
    await documents.delete(made.id)
    stale = await names.find(made.scope, "a")
    names.forget(made)
    fresh = await names.find(made.scope, "a")

    assert stale is not None
    assert fresh is not None
    assert (stale.deleted, fresh.deleted) == (False, True)


async def test_the_memory_of_names_is_bounded_and_cleared(pool: Pool) -> None:
    """Old answers go with pruning, and there are never more than the bound."""
    account, _ = await join(pool)
    documents, clock = Documents(pool), Clock()
    names = Names(documents, clock)
    made = await documents.create(account.default_workspace, "a", account.id)
    for number in range(NAMES_MAX + 5):
        names._keep((None, str(number)), _Found(made, clock.now, None))
    await names.find(made.scope, "a")

    assert len(names._found) == NAMES_MAX
    clock.now += WATCHED_S
    names.prune()
    assert names._found == {}
