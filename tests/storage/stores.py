"""The stores that tests of blobs run over: a folder, and a prefix of a bucket of a real S3."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from storage.blobs import LocalStore, Store
from storage.blobs.remote import RemoteStore
from tests.weed import Weed


def make_store(request: pytest.FixtureRequest, folder: Path) -> Store:
    """The store of a fixture with the parameter `folder` or `s3`, with nothing in it."""
    if request.param == "folder":
        return LocalStore(folder / "blobs")
    s3: Weed = request.getfixturevalue("s3")
    return RemoteStore(f"{s3.url}/{folder.name}-{secrets.token_hex(4)}", s3.options)
