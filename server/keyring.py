"""The server's two keys: given by settings, or made at first start and kept in the data folder."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from auth.errors import BadKeyFile
from auth.keys import KEY_BYTES, ServerKey, seed_from_text
from server.settings import Settings

_MODE = 0o600
_FILE_BYTES_MAX = 4096


@dataclass(frozen=True)
class Keyring:
    """Both keys. They must differ: the identity key signs texts that strangers choose."""

    identity: ServerKey
    """Signs a caller's `server_challenge`, and nothing else."""
    signing: ServerKey
    """Signs tokens; every MAC and every other secret of the server is derived from it."""


def open_keyring(settings: Settings, random_bytes: Callable[[int], bytes] = os.urandom) -> Keyring:
    """Both keys, made now if this is the first start; BadKeyFile when one cannot be used."""
    identity = _key(settings.identity_key, settings.data / "identity.key", random_bytes)
    signing = _key(settings.signing_key, settings.data / "signing.key", random_bytes)
    if identity.seed == signing.seed:
        raise BadKeyFile("identity_key and signing_key", "are the same key; they must differ")
    return Keyring(identity, signing)


def _key(setting: str, path: Path, random_bytes: Callable[[int], bytes]) -> ServerKey:
    if setting:
        return ServerKey(_seed_of_setting(setting))
    if not path.exists():
        _create(path, random_bytes(KEY_BYTES))
    return ServerKey(_read(path))


def _seed_of_setting(setting: str) -> bytes:
    """A setting holds the key itself, or the path of a file with it (as secret stores mount)."""
    path = Path(setting)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):
        is_file = False
    if is_file:
        return seed_from_text(_text(path), str(path))
    return seed_from_text(setting, "the settings")


def _read(path: Path) -> bytes:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise BadKeyFile(str(path), f"may be read by others (mode {mode:04o}); chmod 600 it")
    return seed_from_text(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES_MAX).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeyFile(str(path), f"cannot be read ({type(error).__name__})") from error


def _create(path: Path, seed: bytes) -> None:
    """Write a new key so that it is there whole or not at all, and never twice.

    A half-written key after a power cut would be a server that forgot who it is; of two servers
    that start at once on one folder, the second takes the key of the first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, _MODE)
    try:
        os.fchmod(descriptor, _MODE)
        os.write(descriptor, base64.b64encode(seed) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
