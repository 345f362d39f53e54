"""From what is stored of sites and their files to what the API says of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from server.adapters.flowershow import schema
from server.sites import listing
from server.sites.domains import TXT_LABEL, txt_value
from server.sites.listing import ERROR, Contents, File
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


def detail(site: Site, url: str, contents: Contents, *, own: bool) -> schema.SiteDetail:
    """All about a site; what only its owner is to know with `own`."""
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
        file_count=len(contents.files),
        total_size=contents.size,
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


def status(site: Site, contents: Contents) -> schema.Status:
    """How far the files of a site are, as its owner may know it."""
    ordered = sorted(contents.files.items(), key=lambda item: (item[1].created_at, item[1].id))
    total, failed = len(ordered), len(_failed(contents))
    pending = len(contents.unsettled) - failed
    return schema.Status(
        site_id=site.id,
        status=_word(contents),
        files=schema.Counts(
            total=total, pending=pending, success=total - pending - failed, failed=failed
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


def public_status(contents: Contents, *, readable: bool) -> schema.Status:
    """The same for everybody, however many files there are; paths are for those who may read."""
    shown = schema.Status(status=_word(contents))
    if shown.status == "error" and readable:
        shown.errors = [
            schema.Failure(path=path, error=file.error)
            for path, file in sorted(_failed(contents).items())
        ]
    return shown


def _failed(contents: Contents) -> Mapping[str, File]:
    return {path: file for path, file in contents.unsettled.items() if file.status == ERROR}


def _word(contents: Contents) -> str:
    # Pending first: whoever polls until it is something else sees all that will happen.
    failed = len(_failed(contents))
    if not contents.files or failed < len(contents.unsettled):
        return "pending"
    return "error" if failed else "complete"
