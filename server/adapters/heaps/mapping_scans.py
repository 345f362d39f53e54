"""Jobs between storage and JSON. Pure."""

from __future__ import annotations

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


def shown(job: Job) -> schema.JobShown:
    """A job as its workspace's members see it."""
    return schema.JobShown(
        id=job.id,
        **_facts(job),
        created_at=milliseconds(job.created_at),
        started_at=None if job.started_at is None else milliseconds(job.started_at),
        ended_at=None if job.ended_at is None else milliseconds(job.ended_at),
    )


def notice(job: Job) -> schema.JobNotice:
    """The same as news."""
    kind: Any = f"{job.kind}_{_WORDS[job.state]}"
    return schema.JobNotice(type=kind, **_facts(job))


def _facts(job: Job) -> dict[str, Any]:
    """What both say."""
    return {
        "scan_id": job.id,
        "job_id": job.id,
        "kind": job.kind,
        "status": job.state,
        "heap_id": job.scope,
        "workspace_id": job.scope,
        "path": path_of(job),
        "counts": job.counts,
        "error": job.error,
    }


def path_of(job: Job) -> str | None:
    """The folder of a scan from its account's root on: nobody needs to know what is above it."""
    if job.kind != "scan":
        return None
    return str(job.options.get("shown", ""))
