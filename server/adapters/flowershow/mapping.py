"""From what is stored of sites and their files to what the API says of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from server.adapters.flowershow import schema
from server.sites import listing
from server.sites.domains import TXT_LABEL, txt_value
from server.sites.listing import ERROR, PROCESSING, SUCCESS, UPLOADING, File
from server.sites.names import content_type
from server.sites.publishing import Synced, Target
from storage.sites import Profile, Site


def moment(at: datetime) -> str:
    """A time as the page writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user(profile: Profile) -> schema.User:
    """Who somebody is."""
    return schema.User(
        id=profile.id,
        name=profile.name or None,
        username=profile.username,
        email=profile.email_hint or None,
        image=None,
        role="ADMIN" if profile.is_admin else "USER",
    )


def row(site: Site, url: str) -> schema.SiteRow:
    """A site in a list."""
    return schema.SiteRow(
        id=site.id,
        project_name=site.name,
        url=url,
        file_count=site.file_count,
        updated_at=moment(site.updated_at),
        created_at=moment(site.created_at),
    )


def made(site: Site, url: str) -> schema.SiteMade:
    """A site that was just made, or emptied."""
    shown = schema.MadeSite(
        id=site.id,
        project_name=site.name,
        url=url,
        user_id=site.account or "",
        created_at=moment(site.created_at),
    )
    return schema.SiteMade(site=shown)


def detail(site: Site, url: str, files: Iterable[File], *, own: bool) -> schema.SiteDetail:
    """All about a site; what only its owner is to know with `own`."""
    sizes = [file.size for file in files]
    proves = own and site.domain is not None
    return schema.SiteDetail(
        id=site.id,
        project_name=site.name,
        gh_repository=site.gh_repository,
        gh_branch=site.gh_branch,
        custom_domain=site.domain if own else site.own_domain,
        root_dir=site.root_dir,
        auto_sync=site.auto_sync,
        plan="FREE",
        privacy_mode=site.privacy,
        enable_comments=site.enable_comments,
        enable_search=site.enable_search,
        syntax_mode=site.syntax,
        url=url,
        file_count=len(sizes),
        total_size=sum(sizes),
        updated_at=moment(site.updated_at),
        created_at=moment(site.created_at),
        title=site.title,
        enable_rss=site.enable_rss,
        domain_verified=site.own_domain is not None,
        domain_txt_name=f"{TXT_LABEL}.{site.domain}" if proves else None,
        domain_txt_value=txt_value(site) if proves else None,
    )


def target(one: Target) -> schema.Target:
    """Where to bring a file."""
    return schema.Target(
        path=one.path, upload_url=one.url, blob_id=one.id, content_type=content_type(one.path)
    )


def synced(done: Synced, *, dry: bool) -> schema.Synced:
    """What a sync came to."""
    found = schema.Synced(
        to_upload=[target(one) for one in done.upload],
        to_update=[target(one) for one in done.update],
        deleted=done.deleted,
        unchanged=done.unchanged,
        summary=schema.Summary(
            to_upload=len(done.upload),
            to_update=len(done.update),
            deleted=len(done.deleted),
            unchanged=len(done.unchanged),
        ),
    )
    if dry:
        found.dry_run = True
    return found


def status(site: Site, files: Mapping[str, File]) -> schema.Status:
    """How far the files of a site are, as its owner may know it."""
    ordered = sorted(files.items(), key=lambda item: (item[1].created_at, item[1].id))
    states = [file.status for _, file in ordered]
    pending = sum(state in {UPLOADING, PROCESSING} for state in states)
    failed = states.count(ERROR)
    return schema.Status(
        site_id=site.id,
        status=_word(len(states), pending, failed),
        files=schema.Counts(
            total=len(states), pending=pending, success=states.count(SUCCESS), failed=failed
        ),
        blobs=[
            schema.Blob(
                id=file.id,
                path=path,
                sync_status=file.status,
                sync_error=file.error or None if file.status == ERROR else None,
                extension=listing.extension(path),
                document=f"{site.scope}:{path}" if file.document else None,
            )
            for path, file in ordered
        ],
    )


def public_status(site: Site, files: Mapping[str, File], *, readable: bool) -> schema.Status:
    """The same for everybody; paths are for those who may read the site."""
    told = status(site, files)
    shown = schema.Status(status=told.status)
    if told.status == "error" and readable:
        shown.errors = [
            schema.Failure(path=path, error=file.error)
            for path, file in sorted(files.items())
            if file.status == ERROR
        ]
    return shown


def _word(total: int, pending: int, failed: int) -> str:
    # Pending first: whoever polls until it is something else sees all that will happen.
    if pending or not total:
        return "pending"
    return "error" if failed else "complete"
