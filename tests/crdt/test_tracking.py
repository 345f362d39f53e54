"""Which records changed: told by a tracker, and by the rows of the log."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crdt.document import Document
from crdt.records import Collection
from crdt.tracking import Item, Tracker, all_records, changed_by, state_of

NAMES = ("gyms", "problems")
CALLS = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from(["put", "put_latest", "delete", "forget"]),
    st.sampled_from("abc"),
    st.integers(0, 9),
)


def write(document: Document, name: str, method: str, key: str, number: int) -> bytes:
    """One call of a collection; its update, which may be empty."""
    arguments: tuple[Any, ...] = (key,)
    if method != "forget":
        arguments += (number,) if method in {"put", "delete"} else (number, number)
    made = document.edit(lambda doc: getattr(Collection.of(doc, name), method)(*arguments))
    return made or b"\0\0"


def states(document: Document) -> dict[tuple[str, str], str]:
    """What stands under every id that has anything."""
    return {
        (item.collection, item.record): item.state
        for item in all_records([document.encode()], NAMES)
    }


def by_key(items: Any) -> dict[tuple[str, str], str]:
    """What was told, by collection and id."""
    return {(item.collection, item.record): item.state for item in items}


@given(st.lists(CALLS, max_size=12), st.lists(CALLS, max_size=12))
def test_a_tracker_and_the_log_tell_the_same_and_nothing_else_changed(
    before: list[Any], after: list[Any]
) -> None:
    """Whatever was not told is as it was; what was told is told with what stands there now."""
    document = Document(client_id=5)
    rows = [write(document, *call) for call in before]
    old = states(document)
    tracker = Tracker(NAMES)
    tracker.follow(document, 7)
    news = [write(document, *call) for call in after]
    taken = tracker.take(document)
    told = by_key(taken.items)

    assert taken.since == 7
    # What came and went again between two looks may be told as gone, or not at all.
    by_log = by_key(changed_by(rows, news, NAMES))
    assert {key: by_log.get(key, "gone") for key in told} == told
    assert by_log.keys() <= told.keys()
    now = states(document)
    assert {key: state for key, state in told.items() if state != "gone"}.items() <= now.items()
    for key in old.keys() | now.keys():
        assert (key in told and key in by_log) or old.get(key) == now.get(key)
    assert all(key not in now for key, state in told.items() if state == "gone")


def test_what_is_taken_is_told_again_until_it_is_settled() -> None:
    """A settling that failed loses nothing, and one that succeeded forgets only what it told."""
    document = Document(client_id=5)
    tracker = Tracker(["gyms"])
    tracker.follow(document, 0)
    write(document, "gyms", "put", "a", 1)
    write(document, "gyms", "put", "b", 1)
    first = tracker.take(document)
    assert tracker.take(document).items == first.items

    write(document, "gyms", "delete", "b", 9)
    tracker.settled(first, 2)
    again = tracker.take(document)

    assert again.items == (Item("gyms", "b", "deleted"),)
    assert again.since == 2


def test_a_tracker_that_missed_something_says_so_until_that_is_settled() -> None:
    """Its document was built again, perhaps with rows that it never heard of."""
    document = Document(client_id=5)
    tracker = Tracker(["gyms"])
    tracker.follow(document, 0)
    write(document, "gyms", "put", "a", 1)
    other = Document.rebuild([document.encode()])
    write(other, "gyms", "put", "b", 1)

    tracker.follow(other, 3)
    taken = tracker.take(other)
    assert taken.since is None
    write(other, "gyms", "put", "c", 1)
    tracker.settled(taken, 5)

    assert tracker.take(other).since == 5
    assert by_key(tracker.take(other).items) == {("gyms", "c"): "there"}


def test_rows_that_wait_for_others_make_the_log_unable_to_say() -> None:
    """Then every record counts as changed."""
    document = Document(client_id=5)
    first = write(document, "gyms", "put", "a", 1)
    lost = write(document, "gyms", "put", "b", 1)
    late = write(document, "gyms", "put", "c", 1)

    assert changed_by([first], [late], ["gyms"]) is None
    assert by_key(changed_by([first, late], [lost], ["gyms"])) == {
        ("gyms", "b"): "there", ("gyms", "c"): "there",
    }  # fmt: skip
    assert by_key(all_records([first, late, lost], ["gyms"])) == dict.fromkeys(
        [("gyms", key) for key in "abc"], "there"
    )


def test_what_is_no_record_counts_as_gone() -> None:
    """A peer wrote it; to readers nothing stands there."""
    assert state_of("text") == "gone"
    assert state_of({"value": 1}) == "there"
    assert state_of({"deleted": True, "at": 5}) == "deleted"
