"""What becomes of an unknown key."""

import pytest

from auth.errors import RegistrationClosed
from auth.keys import ServerKey
from auth.registration import Admission, Mode, admit, code_fits, effective_mode, setup_code

ADMINISTRATOR = Admission(is_active=True, is_admin=True)
ACTIVE = Admission(is_active=True, is_admin=False)
PENDING = Admission(is_active=False, is_admin=False)


@pytest.mark.parametrize(
    ("mode", "has_administrator", "is_loopback", "fits", "expected"),
    [
        pytest.param("open", False, True, False, ADMINISTRATOR, id="first-on-loopback"),
        pytest.param("approval", False, True, False, ADMINISTRATOR, id="first-approval-loopback"),
        pytest.param("open", False, False, False, ACTIVE, id="first-public-without-code"),
        pytest.param("approval", False, False, False, PENDING, id="first-approval-without-code"),
        pytest.param("approval", False, False, True, ADMINISTRATOR, id="first-with-code"),
        pytest.param("closed", False, False, True, ADMINISTRATOR, id="closed-with-code"),
        pytest.param("closed", False, True, False, None, id="closed-on-loopback"),
        pytest.param("open", True, True, True, ACTIVE, id="second-code-is-worthless"),
        pytest.param("approval", True, True, True, PENDING, id="second-waits"),
        pytest.param("closed", True, True, True, None, id="closed-second"),
    ],
)
def test_admission(
    mode: str,
    has_administrator: bool,
    is_loopback: bool,
    fits: bool,
    expected: Admission | None,
) -> None:
    """Each row of the table of modes holds; None stands for a refusal."""

    def ask() -> Admission:
        return admit(
            Mode(mode),
            has_administrator=has_administrator,
            is_loopback=is_loopback,
            code_fits=fits,
        )

    if expected is None:
        with pytest.raises(RegistrationClosed):
            ask()
    else:
        assert ask() == expected


@pytest.mark.parametrize(
    ("setting", "is_loopback", "mode"),
    [
        ("", True, Mode.OPEN),
        ("", False, Mode.APPROVAL),
        ("open", False, Mode.OPEN),
        ("closed", True, Mode.CLOSED),
    ],
)
def test_without_a_setting_only_loopback_is_open(
    setting: str, is_loopback: bool, mode: Mode
) -> None:
    """The operator's word holds; without one, what others can reach asks for approval."""
    assert effective_mode(setting, is_loopback=is_loopback) is mode


def test_the_setup_code_is_the_server_keys_own() -> None:
    """The same at every start, another on another server, and long."""
    key = ServerKey(b"\1" * 32)

    assert setup_code(key) == setup_code(ServerKey(b"\1" * 32))
    assert setup_code(key) != setup_code(ServerKey(b"\2" * 32))
    assert len(setup_code(key).replace("-", "")) == 24


def test_the_setup_code_is_read_with_a_persons_liberties() -> None:
    """Case, dashes and blanks do not matter; anything else does."""
    key = ServerKey(b"\1" * 32)
    code = setup_code(key)

    assert code_fits(key, code.lower().replace("-", " "))
    assert not code_fits(key, code[:-1])
    assert not code_fits(key, "")
    assert not code_fits(key, None)
    assert not code_fits(key, "é" * 24)
