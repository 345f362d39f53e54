"""The errors of the core carry facts."""

import pickle

import pytest

from crdt.errors import BadName, CrdtError, DocumentBroken, OutOfOrder, UpdateError, WireError


@pytest.mark.parametrize("kind", [WireError, UpdateError, BadName])
def test_a_refusal_has_a_reason_in_one_word(
    kind: type[WireError] | type[UpdateError] | type[BadName],
) -> None:
    """For counters and close reasons; the message is a sentence."""
    error = kind("too-large")

    assert error.reason == "too-large"
    assert "too-large" in str(error)
    assert isinstance(error, CrdtError)


def test_a_broken_document_names_its_culprit() -> None:
    """The index of an update in its turn, where it is known."""
    known = DocumentBroken(3, "panic")
    unknown = DocumentBroken()

    assert (known.culprit, known.cause) == (3, "panic")
    assert "update 3" in str(known)
    assert unknown.culprit is None
    assert "update" not in str(unknown).split("(")[0]


@pytest.mark.parametrize(
    "error", [WireError("empty"), UpdateError("v2"), DocumentBroken(3, "panic"), OutOfOrder()]
)
def test_an_error_comes_out_of_a_helper_process_as_it_went_in(error: CrdtError) -> None:
    """Its kind, its sentence and its facts."""
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert (str(again), again.__dict__) == (str(error), error.__dict__)
