"""The server's two keys: given by settings, or made at first start and kept in the data folder."""

from __future__ import annotations

import base64
import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from auth.errors import BadKeyFile
from auth.keys import KEY_BYTES, ServerKey, seed_from_text
from auth.succession import Predecessor
from server.settings import Settings

_MODE = 0o600
_FILE_BYTES_MAX = 4096


RETIRED = "retired.keys"
"""The file of keys that were replaced, one JSON object a line."""
NEXT = ".key.next"
"""How the file of a key ends that is not in use yet."""


class Retired(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A key that was replaced and is verified with until it ends."""

    kind: str
    public_text: str
    until: float
    """Epoch seconds."""
    seed: str = ""
    """Of a signing key, as secrets that are still shown were derived from it."""
    signature: str = ""
    """Of an identity key: over its successor."""

    @classmethod
    def of_signing(cls, key: ServerKey, until: float) -> Retired:
        """A signing key."""
        seed = base64.b64encode(key.seed).decode()
        return cls(kind="signing", public_text=key.public_text, until=until, seed=seed)

    @classmethod
    def of_identity(cls, old: Predecessor, until: float) -> Retired:
        """An identity key; its secret is not needed any more."""
        return cls(
            kind="identity", public_text=old.public_text, until=until, signature=old.signature
        )


@dataclass(frozen=True)
class Keyring:
    """Both keys. They must differ: the identity key signs texts that strangers choose."""

    identity: ServerKey
    """Signs a caller's `server_challenge`, and nothing else; in the end, who follows it."""
    signing: ServerKey
    """Signs tokens; every MAC and every other secret of the server is derived from it."""
    predecessors: tuple[Predecessor, ...] = ()
    """Identity keys before this one, oldest first."""
    following: tuple[str, ...] = ()
    """The next identity key, where one was prepared."""

    @property
    def audiences(self) -> list[str]:
        """Identity keys that tokens may name besides the one in use."""
        return [*(old.public_text for old in self.predecessors), *self.following]


def open_keyring(settings: Settings, random_bytes: Callable[[int], bytes] = os.urandom) -> Keyring:
    """Both keys, made now if this is the first start; BadKeyFile when one cannot be used."""
    data, now = settings.data, time.time()
    old = [each for each in read_retired(data / RETIRED) if each.until > now]
    others = [ServerKey(seed_from_text(o.seed, RETIRED)) for o in old if o.kind == "signing"]
    others += _next(data, "signing")
    identity = _key(settings.identity_key, data / "identity.key", random_bytes, ())
    signing = _key(settings.signing_key, data / "signing.key", random_bytes, others)
    if identity.seed == signing.seed:
        raise BadKeyFile("identity_key and signing_key", "are the same key; they must differ")
    before = [Predecessor(o.public_text, o.signature) for o in old if o.kind == "identity"]
    following = tuple(key.public_text for key in _next(data, "identity"))
    return Keyring(identity, signing, tuple(before), following)


def read_retired(path: Path) -> list[Retired]:
    """The keys that were replaced, oldest first, those that ended included. Raises BadKeyFile."""
    if not path.exists():
        return []
    _check_mode(path)
    try:
        lines = path.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Retired) for line in lines]
    except (OSError, msgspec.MsgspecError) as error:
        raise BadKeyFile(str(path), f"cannot be read ({type(error).__name__})") from error


def write_retired(path: Path, keys: Sequence[Retired]) -> None:
    """Put these in the place of what stands there, whole or not at all."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    text = b"".join(msgspec.json.encode(each) + b"\n" for each in keys)
    _write(made, text)
    made.replace(path)
    _flush(path.parent)


def _next(data: Path, kind: str) -> list[ServerKey]:
    path = (data / f"{kind}.key").with_suffix(NEXT)
    return [ServerKey(read_key(path))] if path.exists() else []


def _key(
    setting: str,
    path: Path,
    random_bytes: Callable[[int], bytes],
    others: Sequence[ServerKey],
) -> ServerKey:
    if setting:
        return ServerKey(_seed_of_setting(setting), others)
    if not path.exists():
        create_key(path, random_bytes(KEY_BYTES))
    return ServerKey(read_key(path), others)


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


def read_key(path: Path) -> bytes:
    """The secret of a key file; BadKeyFile where it cannot be used."""
    _check_mode(path)
    return seed_from_text(_text(path), str(path))


def _check_mode(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise BadKeyFile(str(path), f"may be read by others (mode {mode:04o}); chmod 600 it")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES_MAX).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeyFile(str(path), f"cannot be read ({type(error).__name__})") from error


def create_key(path: Path, seed: bytes) -> None:
    """Write a new key so that it is there whole or not at all, and never twice.

    A half-written key after a power cut would be a server that forgot who it is; of two servers
    that start at once on one folder, the second takes the key of the first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    _write(made, base64.b64encode(seed) + b"\n")
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    _flush(path.parent)


def _write(path: Path, data: bytes) -> None:
    """A file that only its owner may read, on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, _MODE)
    try:
        os.fchmod(descriptor, _MODE)
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
