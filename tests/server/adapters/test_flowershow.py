"""What this API says of files and errors, and which command lines are too old."""

from datetime import UTC, datetime

import pytest

from server.adapters.flowershow import ADAPTER, error_body, mapping, schema
from server.adapters.flowershow.policy import Complaint, check_version
from server.errors import Fault
from server.sites.listing import ERROR, PROCESSING, SUCCESS, UPLOADING, Contents, File


@pytest.mark.parametrize("said", [None, "1.0.0", "1.2", "2", "v1.0.1", "1.0.0-beta"])
def test_new_command_lines_and_other_clients_are_let_pass(said: str | None) -> None:
    """Who says nothing is no command line."""
    check_version(said)


@pytest.mark.parametrize("said", ["0.9.9", "0", "", "x", "0.99.99"])
def test_old_ones_are_refused(said: str) -> None:
    """So are those that say nothing sensible."""
    with pytest.raises(Complaint, match="too old"):
        check_version(said)


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ([], "pending"),
        ([SUCCESS], "complete"),
        ([SUCCESS, ERROR], "error"),
        ([ERROR, UPLOADING], "pending"),
        ([PROCESSING], "pending"),
    ],
)
def test_the_word_is_not_final_while_anything_is_pending(states: list[str], word: str) -> None:
    """So whoever polls sees all that will happen."""
    files = {
        f"{n}.md": File(id=str(n), status=state, created_at=n) for n, state in enumerate(states)
    }
    unsettled = {path: file for path, file in files.items() if file.status != SUCCESS}
    contents = Contents(files, 0, unsettled)
    told = mapping.status(_Site(), contents)  # type: ignore[arg-type]

    assert told.status == word
    assert mapping.public_status(contents, readable=False) == schema.Status(status=word)


class _Site:
    id, scope = "s", "scope"


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ((401, "token_missing"), "unauthorized"),
        ((401, "invalid_password"), "invalid_password"),
        ((403, "scope_missing"), "forbidden"),
        ((403, "invalid_token"), "invalid_token"),
        ((400, "bad_request"), "invalid_request"),
        ((413, "quota_exceeded"), "payload_too_large"),
        ((413, "file_too_large"), "file_too_large"),
        ((429, "rate_limited"), "rate_limited"),
    ],
)
def test_errors_are_words_and_sentences(fault: tuple[int, str], word: str) -> None:
    """Under OAuth's name too."""
    body = error_body(Fault(status=fault[0], code=fault[1], message="Why."))

    assert body == {"error": word, "message": "Why.", "error_description": "Why."}


def test_moments_are_of_utc() -> None:
    """To a thousandth."""
    assert mapping.moment(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000Z"
    assert ADAPTER.name == "flowershow"
