"""Sites for tests: published from a folder or from texts, by the store itself."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from crdt import plaintext
from crdt.ids import make_ulid
from server.looking import change
from server.sites import listing
from server.sites.catalogue import SITES
from server.sites.listing import File
from storage.blobs import Use
from storage.sites import NewSite, Site
from tests.inside import Guest, Inside

TEXT_BYTES_MAX = 5 << 20
DEMO = Path(__file__).parent / "vault"


def demo() -> dict[str, bytes]:
    """The files of the demo vault by their path."""
    files = (file for file in sorted(DEMO.rglob("*")) if file.is_file())
    return {file.relative_to(DEMO).as_posix(): file.read_bytes() for file in files}


async def named(inside: Inside, guest: Guest, username: str) -> None:
    """Give an account a username."""
    sql = "UPDATE accounts SET username = $2 WHERE id = $1"
    await inside.pool.execute(sql, guest.account, username)


async def publish(
    inside: Inside, account: str | None, name: str, files: Mapping[str, bytes]
) -> Site:
    """A new site with these files."""
    catalogue = inside.app[SITES]
    now_ms = int(time.time() * 1000)
    new = NewSite(
        id=f"site_{secrets.token_hex(8)}",
        scope=make_ulid(now_ms, secrets.token_bytes(10)),
        account=account,
        name=name,
        domain_token=secrets.token_hex(16),
    )
    site = await catalogue.store.add(new)
    assert site is not None
    await put(inside, site, files)
    return site


async def put(inside: Inside, site: Site, files: Mapping[str, bytes]) -> None:
    """Add files to a site, or change them; texts are merged."""
    catalogue = inside.app[SITES]
    known = (await catalogue.listing(site)).files
    made: dict[str, File] = {}
    for path, data in files.items():
        now_ms = int(time.time() * 1000)
        document = known[path].document if path in known else ""
        if listing.is_markdown(path) and len(data) < TEXT_BYTES_MAX:
            before = ""
            if document:
                before = await catalogue.text(site, path)
            else:
                record = await inside.documents.store.create(
                    scope=site.scope, name=path, owner=site.account, kind="note"
                )
                document = str(record.id)
            record = await catalogue.record(UUID(document))
            merge = plaintext.merge(before, data.decode())
            await change(inside.documents, record, merge, site.account or "")
        blob = await catalogue.blobs.receive(_stream(data), bytes_max=1 << 30)
        await catalogue.blobs.use(blob.digest, Use(kind="site", holder=f"{site.id}/{path}"))
        made[path] = File(
            id=secrets.token_hex(4),
            status=listing.SUCCESS,
            created_at=now_ms,
            changed_at=now_ms,
            hash=hashlib.sha256(data).hexdigest(),
            size=len(data),
            document=document,
        )
    await listed(inside, site, made)


async def listed(
    inside: Inside, site: Site, files: Mapping[str, File], gone: tuple[str, ...] = ()
) -> None:
    """Write into a site's list of files."""
    record = await inside.app[SITES].record(site.document)
    await change(
        inside.documents,
        record,
        lambda doc: listing.write(doc, files, gone),
        site.account or "",
    )


async def _stream(data: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202
    yield data
