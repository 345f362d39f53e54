"""What a manifest asks for, against what a site has. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from server.sites.listing import File

_HEX: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a client has, as it says."""

    path: str
    size: int
    sha: str
    """Whatever it calls the bytes: SHA-256, SHA-1, or git's name of the blob."""


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen, in the order of the manifest."""

    upload: list[Declared]
    """The site has no bytes for these."""
    update: list[Declared]
    """It has others."""
    unchanged: list[str]
    deleted: list[str]
    """Not in the manifest; by path."""


class Digests:
    """The hashes by which clients know bytes; SHA-256 comes from whoever stores them."""

    def __init__(self, size: int | None) -> None:
        """`size` in bytes, where it is known before: git's hash begins with it."""
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._git = None if size is None else _git(size)

    def update(self, data: bytes) -> None:
        """More of the bytes."""
        self._sha1.update(data)
        if self._git is not None:
            self._git.update(data)

    @property
    def sha1(self) -> str:
        """Of all so far, in hex."""
        return self._sha1.hexdigest()

    @property
    def git(self) -> str:
        """Likewise; empty where the size was not known."""
        return "" if self._git is None else self._git.hexdigest()


def _git(size: int) -> hashlib._Hash:
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def of_text(text: str) -> set[str]:
    """All the hashes of a text."""
    data = text.encode()
    digests = Digests(len(data))
    digests.update(data)
    return {hashlib.sha256(data).hexdigest(), digests.sha1, digests.git}


def contradicts(sha: str, known: Iterable[str]) -> bool:
    """Whether a client's hash says surely that the bytes are others."""
    return _HEX.fullmatch(sha) is not None and sha.lower() not in known


def names(file: File, sha: str) -> bool:
    """Whether a client's hash means the bytes that came last for a file."""
    if not file.hash:
        return False
    return sha == file.sha or sha.lower() in {file.hash, file.sha1, file.git}


def diff(
    files: Mapping[str, File], declared: Iterable[Declared], live: Mapping[str, set[str]]
) -> Diff:
    """Compare. `live` has the hashes of those texts that were typed in since their last upload.

    Such a text is unchanged for whoever has it as it is now, and for nobody else: the others are
    told to bring what they have, which is merged, so that they do not take theirs for the newest.
    """
    found = Diff(upload=[], update=[], unchanged=[], deleted=[])
    named = set()
    for one in declared:
        named.add(one.path)
        file = files.get(one.path)
        if file is None or not file.hash:
            found.upload.append(one)
        elif one.sha.lower() in live[one.path] if one.path in live else names(file, one.sha):
            found.unchanged.append(one.path)
        else:
            found.update.append(one)
    found.deleted.extend(sorted(path for path in files if path not in named))
    return found
