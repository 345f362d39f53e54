"""Collections of records: laws that hold for one writer, and for writers who merge later."""

from __future__ import annotations

import random
from time import perf_counter
from typing import Any

import pycrdt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crdt.document import Document
from crdt.entries import encoded
from crdt.records import BadRecord, Collection, Record
from tests.crdt.test_entries import VALUES

NAME = "gyms"
IDS = st.sampled_from(["a", "b", "c"])
TIMES = st.integers(0, 6)
WRITES = st.one_of(
    st.tuples(st.just("put"), IDS, VALUES),
    st.tuples(st.just("put_latest"), IDS, VALUES, TIMES),
    st.tuples(st.just("delete"), IDS, TIMES),
    st.tuples(st.just("forget"), IDS),
)


def write(document: Document, *call: Any) -> Any:
    """Call a method of the collection in an edit; its answer."""
    told: list[Any] = []
    method, *arguments = call
    document.edit(lambda doc: told.append(getattr(Collection.of(doc, NAME), method)(*arguments)))
    return told[0]


def read(document: Document, method: str, *arguments: Any) -> Any:
    """Call a method that only reads."""
    return document.look(lambda doc: getattr(Collection.of(doc, NAME), method)(*arguments))


def everything(document: Document) -> dict[str, Record]:
    """All that stands in the collection."""
    return {key: read(document, "find", key) for key in "abc" if read(document, "find", key)}


def rank_of(record: Record) -> Any:
    """The order that the page of the module promises: time, deletion, content."""
    entry = {"deleted": True} if record.is_deleted else {"value": record.value}
    return record.at, record.is_deleted, encoded({**entry, "at": record.at})


class Model:
    """A dictionary that does what the collection says it does."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}

    def put(self, key: str, value: Any) -> None:
        """The last arrival replaces."""
        self.records[key] = Record(value=value, at=None)

    def put_latest(self, key: str, value: Any, at: int) -> None:
        """The later one stays."""
        self._latest(key, Record(value=value, at=at))

    def delete(self, key: str, at: int) -> None:
        """A tombstone, if it is the later one."""
        self._latest(key, Record(value=None, at=at, is_deleted=True))

    def forget(self, key: str) -> None:
        """Nothing stays."""
        self.records.pop(key, None)

    def _latest(self, key: str, record: Record) -> None:
        present = self.records.get(key)
        if present is None or present.at is None or rank_of(record) > rank_of(present):
            self.records[key] = record


@settings(max_examples=40)
@given(st.lists(WRITES, max_size=12))
def test_one_writer_sees_a_dictionary(writes: list[Any]) -> None:
    """After each write: what stands there, how many, what changed since; and in a loaded copy."""
    document, model = Document(client_id=5), Model()
    for call in writes:
        write(document, *call)
        getattr(model, call[0])(*call[1:])
        assert everything(document) == model.records
        live = {k: r.value for k, r in model.records.items() if not r.is_deleted}
        assert dict(read(document, "items")) == live
        assert document.look(lambda doc: len(Collection.of(doc, NAME))) == len(live)
        timed = [(r.at, k) for k, r in model.records.items() if r.at is not None and r.at > 2]
        assert [k for k, _ in read(document, "changed_since", 2)] == [k for _, k in sorted(timed)]
    copy = Document.rebuild([document.encode()])

    assert everything(copy) == model.records
    gone = {(k, r.at) for k, r in model.records.items() if r.is_deleted}
    assert set(read(copy, "tombstones")) == gone


@given(st.lists(WRITES, max_size=8), WRITES)
def test_the_same_again_changes_nothing(writes: list[Any], last: Any) -> None:
    """A replay makes no update, so there is nothing to store or to send."""
    document = Document(client_id=5)
    for call in [*writes, last]:
        write(document, *call)
    before = everything(document)

    def again(doc: Any) -> None:
        getattr(Collection.of(doc, NAME), last[0])(*last[1:])

    assert document.edit(again) is None
    assert everything(document) == before


@given(st.permutations(range(6)), st.lists(WRITES, min_size=6, max_size=6))
def test_timed_writes_may_come_in_any_order(order: list[int], writes: list[Any]) -> None:
    """The latest of each id stands, whoever came first."""
    timed = [call for call in writes if call[0] in {"put_latest", "delete"}]
    one, other = Document(client_id=5), Document(client_id=6)
    for call in timed:
        write(one, *call)
    for place in order:
        if place < len(timed):
            write(other, *timed[place])

    assert everything(one) == everything(other)


class Pair:
    """A server's document and a peer's, which write without seeing each other and sync at times."""

    def __init__(self) -> None:
        self.server = Document(client_id=50)
        self.peer: Any = pycrdt.Doc(client_id=7)
        self.latest: dict[str, Record] = {}
        self.server.look(lambda doc: Collection.of(doc, NAME).watch())
        Collection.of(self.peer, NAME).watch()

    def write(self, at_server: bool, *call: Any) -> None:
        """One side writes."""
        if at_server:
            write(self.server, *call)
        else:
            getattr(Collection.of(self.peer, NAME), call[0])(*call[1:])

    def up(self) -> None:
        """What the peer has goes to the server; the server mends what it lost by it."""
        self.server.apply_turn([self.peer.get_update(self.server.state_vector())])
        write(self.server, "mend")

    def down(self) -> None:
        """What the server has goes to the peer, which mends too."""
        self.peer.apply_update(self.server.diff(self.peer.get_state()))
        Collection.of(self.peer, NAME).mend()

    def settle(self) -> None:
        """Sync until nothing moves."""
        for _ in range(6):
            self.up()
            self.down()

    def at_peer(self) -> dict[str, Record]:
        """All that stands in the peer's collection."""
        records = {key: Collection.of(self.peer, NAME).find(key) for key in "abc"}
        return {key: record for key, record in records.items() if record is not None}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("up")),
        st.tuples(st.just("down")),
        st.tuples(st.just("write"), st.booleans(), WRITES),
    ),
    max_size=20,
)


@given(STEPS)
def test_two_replicas_converge_whatever_was_written_between_two_syncs(steps: list[Any]) -> None:
    """Both see the same in the end, also a third that gets the bytes of either."""
    pair = Pair()
    for step in steps:
        if step[0] == "write":
            pair.write(step[1], *step[2])
        else:
            getattr(pair, step[0])()
    pair.settle()

    assert everything(pair.server) == pair.at_peer()
    assert everything(Document.rebuild([pair.peer.get_update()])) == pair.at_peer()


@given(STEPS)
def test_the_latest_stands_even_among_writers_who_did_not_see_each_other(steps: list[Any]) -> None:
    """The CRDT picks by client id; mending makes it the later one, on both sides."""
    pair, model = Pair(), Model()
    for step in steps:
        if step[0] != "write":
            getattr(pair, step[0])()
        elif step[2][0] in {"put_latest", "delete"}:
            pair.write(step[1], *step[2])
            getattr(model, step[2][0])(*step[2][1:])
    pair.settle()

    assert everything(pair.server) == model.records
    assert pair.at_peer() == model.records


def test_without_mending_the_crdt_would_have_picked_the_earlier_one() -> None:
    """The failing case that `mend` is there for."""
    pair = Pair()
    pair.write(False, "put_latest", "a", "later", 9)
    pair.write(True, "put_latest", "a", "earlier", 1)
    pair.server.apply_turn([pair.peer.get_update()])
    pair.peer.apply_update(pair.server.encode())

    assert read(pair.server, "get", "a") == "earlier"
    assert Collection.of(pair.peer, NAME).mend() == 1
    pair.up()
    assert read(pair.server, "get", "a") == "later"
    assert write(pair.server, "mend") == 0


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (("put", "", 1), "record-id"),
        (("put", "x" * 513, 1), "record-id"),
        (("put", "a", 1 << 53), "record-value"),
        (("put_latest", "a", 1, -1), "record-at"),
        (("put_latest", "a", 1, None), "record-at"),
        (("delete", "", 1), "record-id"),
        (("delete", "a", 1.5), "record-at"),
    ],
    ids=str,
)
def test_what_no_record_can_be_is_refused_and_nothing_is_written(call: Any, reason: str) -> None:
    """And the document can be used as before."""
    document = Document(client_id=5)
    method, *arguments = call
    with pytest.raises(BadRecord) as caught:
        document.edit(lambda doc: getattr(Collection.of(doc, NAME), method)(*arguments))

    assert caught.value.reason == reason
    assert document.encode() == b"\0\0"
    assert write(document, "put", "a", 1)


def test_reading_an_id_that_cannot_be_finds_nothing() -> None:
    """Reading is never refused."""
    document = Document(client_id=5)
    for key in ("", "x" * 600, "\ud800"):
        assert read(document, "get", key) is None
        assert write(document, "forget", key) is False


def test_what_a_peer_wrote_that_is_no_record_is_as_if_it_were_not_there() -> None:
    """It can be replaced, and everything else is read."""
    peer: Any = pycrdt.Doc(client_id=7)
    gyms = peer.get(NAME, type=pycrdt.Map)
    for key, value in {"a": "text", "b": {"value": 1, "x": 2}, "c": pycrdt.Map({"v": 1})}.items():
        gyms[key] = value
    gyms["d"] = {"value": 4}
    document = Document.rebuild([peer.get_update()], client_id=9)

    assert read(document, "items") == [("d", 4)]
    assert read(document, "changed_since", 0) == []
    assert write(document, "put_latest", "c", "mine", 5)
    assert dict(read(document, "items")) == {"c": "mine", "d": 4}


@pytest.mark.parametrize("kind", [pycrdt.Text, pycrdt.Array, pycrdt.XmlFragment])
def test_a_root_of_another_kind_is_an_empty_collection(kind: Any) -> None:
    """A peer took the name for something else."""
    peer: Any = pycrdt.Doc(client_id=7)
    root = peer.get(NAME, type=kind)
    if kind is pycrdt.XmlFragment:
        root.children.append(pycrdt.XmlText("x"))
    else:
        root += "x" if kind is pycrdt.Text else ["x"]
    document = Document.rebuild([peer.get_update()], client_id=9)

    assert read(document, "items") == []
    assert read(document, "get", "a") is None


def test_a_hundred_thousand_records_cost_no_more_than_a_hundred_to_use() -> None:
    """One read, one write, and what changed lately are found without decoding the rest."""
    spent = {}
    for size in (100, 100_000):
        document = Document(client_id=5)

        def fill(doc: Any, size: int = size) -> None:
            gyms = Collection.of(doc, NAME)
            for number in range(size):
                gyms.put_latest(f"id{number}", {"name": "x", "number": number}, number)

        document.edit(fill)
        assert document.look(lambda doc: len(Collection.of(doc, NAME))) == size
        chance = random.Random(7)
        best = []
        for _ in range(5):
            started = perf_counter()
            for _ in range(20):
                key = f"id{chance.randrange(size)}"
                write(document, "put_latest", key, {"name": "y"}, size + 5)
                read(document, "get", key)
                assert read(document, "changed_since", size + 4)
            best.append(perf_counter() - started)
        spent[size] = min(best)

    assert spent[100_000] < 20 * spent[100], spent
