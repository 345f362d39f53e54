"""Bodies of the routes about scans and other jobs. Times are Unix milliseconds."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Id = Annotated[str, msgspec.Meta(max_length=512)]
Path = Annotated[str, msgspec.Meta(max_length=4096)]


class ScanFolder(msgspec.Struct, kw_only=True):
    """Body of POST /api/scan_folder: a folder, a workspace, or which folder into which."""

    path: Path | None = None
    """Absolute, or below the folder that the account may scan. Left out: the folder that is named
    like the workspace, else the whole of what may be scanned."""
    heap_id: Id | None = None
    """Left out: the workspace into which the folder was scanned before, else the default one."""
    workspace_id: Id | None = None
    watch: bool | None = None
    """true: keep the folder in step from now on; false: no more."""


class AbortScan(msgspec.Struct, kw_only=True):
    """Body of POST /api/abort_scan: one of these."""

    scan_id: Id | None = None
    id: Id | None = None
    job_id: Id | None = None
    path: Path | None = None
    heap_id: Id | None = None
    workspace_id: Id | None = None


class Reindex(msgspec.Struct, kw_only=True):
    """Body of POST /api/reindex_files."""

    heap_id: Id | None = None
    """Left out: the default workspace."""
    workspace_id: Id | None = None


class Regenerate(msgspec.Struct, kw_only=True):
    """Body of POST /api/regenerate_file."""

    block_id: Id | None = None
    block_key: Id | None = None
    key: Id | None = None
    hash: Annotated[str, msgspec.Meta(max_length=80)] | None = None
    """Which file of the block; left out: the newest."""


class JobShown(msgspec.Struct, kw_only=True):
    """A job, as it is now."""

    id: str
    scan_id: str
    job_id: str
    kind: str
    """scan, reindex or regenerate."""
    status: str
    """queued, running, completed, failed or aborted."""
    heap_id: str
    workspace_id: str
    path: str | None
    """Of a scan: the folder, below the one that its account may scan."""
    counts: dict[str, int]
    """How many files were seen, added, changed, moved, duplicates, removed, failed …"""
    error: str
    """Why it failed; of one that did not, what the last file lacked that was left out."""
    created_at: int
    started_at: int | None
    ended_at: int | None


class JobBegun(msgspec.Struct, kw_only=True):
    """Reply of the routes that begin or end a job."""

    success: bool
    id: str
    scan_id: str
    job_id: str
    status: str
    already_running: bool
    heap_id: str
    workspace_id: str
    watched: bool | None
    scan: JobShown


class JobEnded(msgspec.Struct, kw_only=True):
    """Reply of POST /api/abort_scan."""

    success: bool
    id: str
    scan_id: str
    job_id: str
    status: str
    """aborting, or aborted where it had not begun."""
    aborted: list[str]
    """All that were ended: a workspace may have several."""


class Watched(msgspec.Struct, kw_only=True):
    """A folder that is kept in step."""

    heap_id: str
    workspace_id: str
    path: str


class ActiveScans(msgspec.Struct, kw_only=True):
    """Reply of GET /api/active_scans."""

    success: bool
    scans: list[JobShown]
    watched: list[Watched]


class JobNotice(msgspec.Struct, kw_only=True):
    """A JSON text frame on /api/ws, and a notice on /ws to those who asked for the workspace's."""

    type: Literal[
        "scan_started",
        "scan_progress",
        "scan_completed",
        "scan_failed",
        "scan_aborted",
        "reindex_started",
        "reindex_progress",
        "reindex_completed",
        "reindex_failed",
        "reindex_aborted",
        "regenerate_started",
        "regenerate_progress",
        "regenerate_completed",
        "regenerate_failed",
        "regenerate_aborted",
    ]
    scan_id: str
    job_id: str
    kind: str
    status: str
    heap_id: str
    workspace_id: str
    path: str | None
    counts: dict[str, int]
    error: str


class ScanRoot(msgspec.Struct, kw_only=True):
    """Body of PUT /api/admin/accounts/:id/scan_root."""

    path: Annotated[str, msgspec.Meta(max_length=4096)]
    """The absolute path of a folder on the server's machine."""


class ScanRootShown(msgspec.Struct, kw_only=True):
    """Reply of the routes about an account's root."""

    success: bool
    account_id: str
    path: str | None
    """null: the account may scan nowhere."""
