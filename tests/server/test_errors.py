"""The table from error to status."""

import pytest
from aiohttp import web

from auth import errors as auth
from crdt import errors as crdt
from server.errors import (
    TABLE,
    ApiError,
    BadBody,
    BodyTooLarge,
    Busy,
    NotFound,
    TooManyRequests,
    WrongHost,
    fault_of,
)
from storage import errors as storage


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (auth.BadCredential("public_key", "is odd"), 400, "bad_public_key"),
        (auth.Unauthorized("token_expired"), 401, "token_expired"),
        (auth.Forbidden(), 403, "forbidden"),
        (auth.ApprovalRequired(), 403, "approval_required"),
        (auth.RegistrationClosed(), 403, "registration_closed"),
        (auth.AccountDisabled(), 403, "account_disabled"),
        (auth.RegistrationFull(), 429, "registration_full"),
        (BadBody("no"), 400, "bad_request"),
        (BodyTooLarge(10), 413, "too_large"),
        (TooManyRequests(3), 429, "rate_limited"),
        (NotFound(), 404, "not_found"),
        (WrongHost(), 421, "wrong_host"),
        (ApiError(409, "cursor_expired", "start again"), 409, "cursor_expired"),
        (Busy("full"), 503, "unavailable"),
        (crdt.WireError("bad-varint"), 400, "frame_bad_varint"),
        (crdt.UpdateError("v2"), 400, "update_v2"),
        (crdt.UpdateError("too-large"), 413, "update_too_large"),
        (crdt.BadName("empty"), 400, "bad_name"),
        (crdt.DocumentBroken(), 503, "unavailable"),
        (storage.Unavailable("gone"), 503, "unavailable"),
        (storage.NameTaken("x"), 404, "not_found"),
        (web.HTTPNotFound(), 404, "not_found"),
        (web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2), 413, "too_large"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_error_has_its_status_and_word(error: Exception, status: int, code: str) -> None:
    """The table says what it always said."""
    fault = fault_of(error)

    assert fault is not None
    assert fault.status == status
    assert fault.code == code
    assert fault.body()["success"] is False
    assert fault.body()["message"]


@pytest.mark.parametrize(
    "error",
    [Busy("x", 7), TooManyRequests(6.2), storage.Unavailable("x"), auth.RegistrationFull()],
)
def test_what_passes_says_when_to_come_back(error: Exception) -> None:
    """Every 429 and 503 has Retry-After in whole seconds."""
    fault = fault_of(error)

    assert fault is not None
    assert int(fault.headers["Retry-After"]) >= 1


def test_every_rule_with_503_or_429_has_a_time() -> None:
    """No rule of the table forgets it."""
    waits = {kind: rule[2] for kind, rule in TABLE.items() if rule[0] in {429, 503}}

    assert all(wait or kind in {Busy, TooManyRequests} for kind, wait in waits.items())


def test_our_own_faults_are_in_no_table() -> None:
    """A KeyError is a 500 and nothing else."""
    assert fault_of(KeyError("x")) is None


def test_the_database_s_own_words_stay_inside() -> None:
    """What the driver says may hold a host or a statement; the caller does not get it."""
    fault = fault_of(storage.Unavailable("connect to 10.1.2.3 as postgres failed"))

    assert fault is not None
    assert "10.1.2.3" not in str(fault.body())


def test_headers_of_aiohttp_s_errors_are_kept() -> None:
    """405 goes on saying what is allowed."""
    fault = fault_of(web.HTTPMethodNotAllowed("PUT", ["GET"]))

    assert fault is not None
    assert fault.headers == {"Allow": "GET"}
    assert fault.code == "method_not_allowed"
