"""Jobs between storage and JSON. Pure."""

from __future__ import annotations

import os
from typing import Any

from server.adapters.heaps import schema_scans as schema
from server.adapters.heaps.mapping_heaps import milliseconds
from storage.jobs import Job

_WORDS = {
    "queued": "started",
    "running": "progress",
    "completed": "completed",
    "failed": "failed",
    "aborted": "aborted",
}


def shown(job: Job, root: str | None) -> schema.JobShown:
    """A job; the path of a scan is said from the root on, where that is known."""
    return schema.JobShown(
        id=job.id,
        scan_id=job.id,
        job_id=job.id,
        kind=job.kind,
        status=job.state,
        heap_id=job.scope,
        workspace_id=job.scope,
        path=path_of(job, root),
        counts=job.counts,
        error=job.error,
        created_at=milliseconds(job.created_at),
        started_at=None if job.started_at is None else milliseconds(job.started_at),
        ended_at=None if job.ended_at is None else milliseconds(job.ended_at),
    )


def notice(job: Job, root: str | None) -> schema.JobNotice:
    """The same as news."""
    kind: Any = f"{job.kind}_{_WORDS[job.state]}"
    return schema.JobNotice(
        type=kind,
        scan_id=job.id,
        job_id=job.id,
        kind=job.kind,
        status=job.state,
        heap_id=job.scope,
        workspace_id=job.scope,
        path=path_of(job, root),
        counts=job.counts,
        error=job.error,
    )


def path_of(job: Job, root: str | None) -> str | None:
    """The folder of a scan from its account's root on: nobody needs to know what is above it."""
    if job.kind != "scan":
        return None
    return below(job.target, root)


def below(path: str, root: str | None) -> str:
    """A path from a root on; only its last name where it is not in it."""
    if root is None or (path != root and not path.startswith(f"{root.rstrip('/')}/")):
        return os.path.basename(path)  # noqa: PTH119
    return os.path.relpath(path, root)
