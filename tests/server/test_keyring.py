"""The two keys of a server, from settings and from the data folder."""

import base64
import os
from pathlib import Path

import pytest

from auth.errors import BadKeyFile
from auth.keys import ServerKey
from server.keyring import open_keyring
from server.settings import Settings

SEED = base64.b64encode(b"\7" * 32).decode()


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    """The second start finds the keys of the first, readable by the owner only."""
    settings = Settings(data=tmp_path / "data")
    first, second = open_keyring(settings), open_keyring(settings)

    assert first.identity.public == second.identity.public
    assert first.signing.public == second.signing.public
    assert first.identity.public != first.signing.public
    for name in ("identity.key", "signing.key"):
        assert (tmp_path / "data" / name).stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == ["identity.key", "signing.key"]


def test_keys_may_be_given_as_text_or_as_a_file(tmp_path: Path) -> None:
    """Then nothing is written to the data folder."""
    mounted = tmp_path / "secret"
    mounted.write_text(base64.b64encode(b"\x08" * 32).decode() + "\n")
    keyring = open_keyring(
        Settings(data=tmp_path / "data", identity_key=SEED, signing_key=str(mounted))
    )

    assert keyring.identity.public == ServerKey(b"\7" * 32).public
    assert keyring.signing.public == ServerKey(b"\x08" * 32).public
    assert not (tmp_path / "data").exists()


def test_the_same_key_twice_is_refused(tmp_path: Path) -> None:
    """One key for both would sign tokens that a stranger words."""
    with pytest.raises(BadKeyFile, match="must differ"):
        open_keyring(Settings(data=tmp_path, identity_key=SEED, signing_key=SEED))


@pytest.mark.parametrize("content", [b"", b"AAAA", b"\xff" * 40, b"x" * 100_000])
def test_a_damaged_key_ends_the_start_and_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A server that made itself a new key would be another server to everybody."""
    path = tmp_path / "identity.key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(BadKeyFile, match=r"identity\.key"):
        open_keyring(Settings(data=tmp_path))
    assert path.read_bytes() == content


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """It is as good as published; the message says what to do."""
    settings = Settings(data=tmp_path)
    open_keyring(settings)
    (tmp_path / "signing.key").chmod(0o640)

    with pytest.raises(BadKeyFile, match="chmod 600"):
        open_keyring(settings)


def test_two_starts_at_once_end_with_one_key(tmp_path: Path) -> None:
    """The second of two servers on one folder takes the key that the first has made."""
    settings = Settings(data=tmp_path)
    (tmp_path / "other").mkdir()

    def overtaken(count: int) -> bytes:
        # While this start draws its random bytes, another one finishes.
        if not (tmp_path / "identity.key").exists():
            open_keyring(settings)
        return os.urandom(count)

    ours = open_keyring(settings, overtaken)

    assert ours.identity.public == open_keyring(settings).identity.public


@pytest.mark.parametrize("text", ["nonsense", "/does/not/exist", "x" * 5000])
def test_a_setting_that_is_no_key_ends_the_start_without_being_shown(
    tmp_path: Path, text: str
) -> None:
    """What was meant to be a secret does not come back in the message."""
    with pytest.raises(BadKeyFile) as caught:
        open_keyring(Settings(data=tmp_path, identity_key=text))

    assert text not in str(caught.value)
