"""The errors of identity."""

import pytest

from auth.errors import (
    AccountDisabled,
    ApprovalRequired,
    Forbidden,
    RegistrationClosed,
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Forbidden(), "forbidden"),
        (ApprovalRequired(), "approval_required"),
        (RegistrationClosed(), "registration_closed"),
        (AccountDisabled(), "account_disabled"),
    ],
)
def test_each_refusal_has_its_word(error: Forbidden, reason: str) -> None:
    """A client can tell the refusals apart by one stable word."""
    assert error.reason == reason
    assert reason in str(error)
