"""Bodies and replies about the files of a site, and domains."""

from __future__ import annotations

import msgspec


class Manifest(msgspec.Struct, kw_only=True):
    """Body of POST sync and POST files: what a client has."""

    files: list[ManifestFile]


class ManifestFile(msgspec.Struct, kw_only=True):
    """A file that a client has."""

    path: str
    size: int
    sha: str
    """SHA-256, SHA-1 or git's name of its bytes."""


class Target(msgspec.Struct, kw_only=True, rename="camel"):
    """Where to PUT the bytes of a file; no credential besides."""

    path: str
    upload_url: str
    blob_id: str
    content_type: str


class Summary(msgspec.Struct, kw_only=True, rename="camel"):
    """How many of each."""

    to_upload: int
    to_update: int
    deleted: int
    unchanged: int


class Synced(msgspec.Struct, kw_only=True, rename="camel"):
    """Reply of POST sync."""

    to_upload: list[Target]
    to_update: list[Target]
    deleted: list[str]
    unchanged: list[str]
    summary: Summary
    dry_run: bool | msgspec.UnsetType = msgspec.UNSET


class SyncQuery(msgspec.Struct, kw_only=True, rename="camel"):
    """Query of POST sync."""

    dry_run: str = ""
    """`true`: say what would happen and change nothing."""


class Targets(msgspec.Struct, kw_only=True):
    """Reply of POST files."""

    files: list[Target]


class Paths(msgspec.Struct, kw_only=True):
    """Body of DELETE files."""

    paths: list[str]


class PathsDeleted(msgspec.Struct, kw_only=True, rename="camel"):
    """Reply of DELETE files, in the order of the question."""

    deleted: list[str]
    not_found: list[str]


class Counts(msgspec.Struct, kw_only=True):
    """How many files are how far."""

    total: int
    pending: int
    success: int
    failed: int


class Blob(msgspec.Struct, kw_only=True, rename="camel"):
    """A file, and what became of it."""

    id: str
    path: str
    sync_status: str
    """UPLOADING, PROCESSING, SUCCESS or ERROR."""
    sync_error: str | None
    extension: str
    document: str | None = None
    """Of a Markdown file: the name of its text on `/ws` (a Y.Text called `content_v0`)."""


class Failure(msgspec.Struct, kw_only=True):
    """What went wrong with a file."""

    path: str
    error: str


class Status(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Reply of GET status; strangers are told the status, and of public sites the errors."""

    status: str
    """pending, complete or error."""
    site_id: str = ""
    files: Counts | None = None
    blobs: list[Blob] | None = None
    errors: list[Failure] | None = None


class Record(msgspec.Struct, kw_only=True):
    """A DNS record that is wanted."""

    type: str
    domain: str
    value: str
    reason: str


class Domain(msgspec.Struct, kw_only=True, rename="camel"):
    """A domain as it is configured."""

    name: str
    apex_name: str
    project_id: str
    verified: bool
    verification: list[Record]


class DomainStatus(msgspec.Struct, kw_only=True, rename="camel"):
    """Reply of GET /api/domain/{domain}/verify."""

    status: str
    """Valid Configuration, Pending Verification, Invalid Configuration, Domain Not Found or
    Unknown Error."""
    domain_json: Domain
