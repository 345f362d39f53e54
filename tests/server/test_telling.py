"""What notices say, without a server."""

from datetime import UTC, datetime
from uuid import UUID

from auth.principal import Role
from server.telling import SIDES_MAX, Sides, members_changed, worded
from storage.changes import Entry, Settled

DOCUMENT = UUID(int=7)


def entry(stamp: int, *, deleted: bool = False, made_ms: int = 0, gone: bool = False) -> Entry:
    """An entry of the feed."""
    return Entry(
        stamp=stamp,
        deleted=deleted,
        document=DOCUMENT,
        name="a",
        sync_version=1,
        created_at=datetime.fromtimestamp(made_ms / 1000, UTC),
        title="",
        trashed_at=stamp if deleted else None,
        removed_at=stamp if gone else None,
        deleted_at=None,
    )


def settled(stamp: int, was_deleted: bool | None) -> Settled:
    """The feed's word that the document was stamped."""
    return Settled(
        document=DOCUMENT,
        scope="s",
        kind="block",
        name="a",
        stamp=stamp,
        deleted=False,
        was_deleted=was_deleted,
        closed=False,
        facts=None,
    )


def test_a_kind_is_the_difference_to_what_the_reader_knows() -> None:
    """Somebody who was away hears `created`; who heard that, hears `changed`."""
    sides = Sides()
    sides.note(settled(10, None))
    sides.note(settled(20, was_deleted=False))

    assert worded("s", entry(20), 5, sides).kind == "created"
    assert worded("s", entry(20), 10, sides).kind == "changed"


def test_each_side_has_its_kind() -> None:
    """Trashed, deleted for good, restored."""
    sides = Sides()
    sides.note(settled(30, was_deleted=True))

    assert worded("s", entry(30), 20, sides).kind == "restored"
    assert worded("s", entry(30, deleted=True), 20, sides).type == "block_trashed"
    assert worded("s", entry(30, deleted=True, gone=True), 20, sides).kind == "deleted"


def test_what_was_stamped_elsewhere_is_told_by_its_age() -> None:
    """A document that is younger than what the reader knows was created."""
    assert worded("s", entry(2000, made_ms=1500), 1000, Sides()).kind == "created"
    assert worded("s", entry(2000, made_ms=500), 1000, Sides()).kind == "changed"


def test_what_is_remembered_is_bounded() -> None:
    """What everybody was told is forgotten, and past the bound everything."""
    sides = Sides()
    for stamp in range(SIDES_MAX + 10):
        sides.note(settled(stamp, was_deleted=True))
    assert sides._count == 10
    sides.prune(SIDES_MAX + 4)
    assert sides._count == 5
    assert worded("s", entry(SIDES_MAX + 9), SIDES_MAX + 8, sides).kind == "restored"


def test_members_are_compared() -> None:
    """Only those whose role is another one."""
    before = {"a": Role.OWNER, "b": Role.VIEWER, "c": Role.EDITOR}
    said = members_changed("s", before, {"a": Role.OWNER, "b": Role.EDITOR, "d": Role.VIEWER}, 9)

    assert [(one.user_id, one.kind, one.role) for one in said] == [
        ("b", "changed", "editor"),
        ("c", "removed", "none"),
        ("d", "added", "viewer"),
    ]
