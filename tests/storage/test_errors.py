"""Which errors of the database may pass, and that no caller sees the driver's."""

import pickle
from uuid import UUID

import asyncpg
import pytest

from storage.errors import (
    HashMismatch,
    LogBroken,
    QuotaExceeded,
    StorageError,
    Unavailable,
    UnknownDocument,
    is_passing,
    reaching,
)
from storage.lanes import Verdict, judge


def of_state(state: str) -> asyncpg.PostgresError:
    """An error as the server words it."""
    return asyncpg.PostgresError.new({"C": state, "M": "as the server says it", "S": "ERROR"})


@pytest.mark.parametrize(
    ("state", "passing", "verdict"),
    [
        ("08006", True, Verdict.AWAY),
        ("53100", True, Verdict.AWAY),
        ("57P01", True, Verdict.AWAY),
        ("57P03", True, Verdict.AWAY),
        ("25006", True, Verdict.AWAY),
        ("42501", False, Verdict.AWAY),
        ("42P01", False, Verdict.AWAY),
        ("55P03", True, Verdict.LOCKED),
        ("40P01", True, Verdict.AGAIN),
        ("40001", True, Verdict.AGAIN),
        ("22021", False, Verdict.ROW),
        ("23505", False, Verdict.ROW),
        ("54000", False, Verdict.ROW),
        ("XX001", True, Verdict.DOCUMENT),
    ],
)
def test_a_state_of_the_server_says_what_to_do(state: str, passing: bool, verdict: Verdict) -> None:
    """A commit never refuses a row for what may pass."""
    error = of_state(state)

    assert (is_passing(error), judge(error)) == (passing, verdict)


@pytest.mark.parametrize(
    "error",
    [OSError(), TimeoutError(), asyncpg.InterfaceError("closed"), of_state("57P01")],
    ids=["os", "timeout", "closed", "shutdown"],
)
def test_what_may_pass_is_unavailable(error: Exception) -> None:
    """One error for everybody above storage."""
    with pytest.raises(Unavailable), reaching():
        raise error


def test_a_fault_of_our_own_stays_what_it_is() -> None:
    """A wrong statement must not look like an outage."""
    error = of_state("42601")

    with pytest.raises(type(error)), reaching():
        raise error


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("no answer"),
        LogBroken(UUID(int=1), "a row is missing"),
        UnknownDocument(UUID(int=2)),
        HashMismatch(b"a", b"b"),
        QuotaExceeded(wanted=3, used=2, quota=4),
    ],
)
def test_an_error_comes_out_of_a_helper_process_as_it_went_in(error: StorageError) -> None:
    """Its kind, its sentence and its facts."""
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert (str(again), again.__dict__) == (str(error), error.__dict__)
