"""Nothing is answered before what it rests on is stored, and everything is answered in order."""

from __future__ import annotations

from crdt.effects import Session
from crdt.ledger import Ledger


def session() -> Session:
    """Somebody who writes."""
    return Session("ada", can_write=True, greets=True)


def test_an_answer_waits_for_all_that_was_appended_before_it() -> None:
    """What confirms a no-op behind two batches leaves after the second commit, not the first."""
    ledger, ada = Ledger(), session()
    ledger.append([(ada, b"one")])
    ledger.append([(ada, b"two")])
    answer = (ada, True, b"no-op")

    at_once = ledger.answer([answer])
    after_first = ledger.stored(1)
    after_second = ledger.stored(2)

    assert (at_once, after_first, after_second) == ([], [], [answer])


def test_with_nothing_in_flight_an_answer_leaves_at_once() -> None:
    """A replay to an idle room needs no commit."""
    ledger, ada = Ledger(), session()
    ledger.append([(ada, b"one")])
    ledger.stored(1)

    assert ledger.answer([(ada, True, b"again")]) == [(ada, True, b"again")]
    assert ledger.settled


def test_one_commit_releases_all_batches_below_it_in_order() -> None:
    """A commit that stands for three batches answers all three in the order of their turns."""
    ledger, ada = Ledger(), session()
    for body in (b"a", b"b", b"c"):
        ledger.append([(ada, body)])
        ledger.answer([(ada, True, body)])

    ready = ledger.stored(3)

    assert [body for _, _, body in ready] == [b"a", b"b", b"c"]
    assert ledger.idle


def test_what_is_stored_while_the_log_is_read_is_not_forgotten() -> None:
    """Rows that are committed during a load may be missing from it, so they are kept beside it."""
    ledger, ada = Ledger(), session()
    ledger.append([(ada, b"row")])

    ledger.stored(1)

    assert ledger.missed == [b"row"]
    assert ledger.in_flight == {}


def test_a_refusal_for_good_answers_all_that_waited_with_no() -> None:
    """A deleted document's writers are told that nothing of theirs is stored."""
    ledger, ada = Ledger(), session()
    ledger.append([(ada, b"one")])
    ledger.answer([(ada, True, b"one")])
    ledger.owe(ada, b"\x00", next_batch=False)

    refused = ledger.refuse_all()

    assert refused == [(ada, False, b"one")]
    assert ledger.idle
    assert not ledger.owes


def test_a_first_sync_that_is_owed_waits_for_its_batch() -> None:
    """What was asked for in the turn of an append is due after that append's commit."""
    ledger, ada = Ledger(), session()
    ledger.owe(ada, b"\x00", next_batch=True)
    ledger.append([(ada, b"one")])

    before = ledger.due()
    ledger.stored(1)
    after = ledger.due()
    ledger.paid(ada)

    assert before is None
    assert after == (ada, b"\x00")
    assert ledger.due() is None


def test_a_difference_on_top_of_a_first_sync_is_one_debt() -> None:
    """Who falls behind before its first sync came is still owed the step 2 it asked for."""
    ledger, ada = Ledger(), session()
    ledger.append([(ada, b"one")])
    ledger.owe(ada, b"\x00", next_batch=False)
    ledger.owe(ada, None, next_batch=False)
    ledger.stored(1)

    assert ledger.due() == (ada, b"\x00")
