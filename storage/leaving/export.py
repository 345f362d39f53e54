"""Everything that is an account's, as files: for whoever asks for their data, or moves elsewhere.

    account.json                           the account, its keys and devices
    records/TABLE.jsonl                    every row of every table that is the account's
    workspaces/ID/workspace.json           each workspace that it owns, with its members
    workspaces/ID/documents/NAME.yjs       each document as one Yjs update (V1)
    workspaces/ID/documents/NAME.md        the same as Markdown, where it is a block
    files/HASH                             bytes of files and images, named in records and documents

Secrets are left out, digests of them too. What the account wrote in workspaces of others is part of
those, and not in it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec

from crdt import projection
from crdt.document import Document
from crdt.errors import CrdtError
from storage import loading
from storage.blobs import Blob, Blobs
from storage.compaction import Run, run_inline
from storage.errors import LogBroken, UnknownBlob, reaching
from storage.leaving.columns import OWNING, columns
from storage.pool import Pool

_PAGE = 200
_SECRET = re.compile(r"digest|password|secret|token|current|previous|salt|api_key")
_ELSEWHERE = frozenset({"documents", "scopes", "blob_accounts"})
"""Tables whose rows are told in another form."""

_ACCOUNT = "SELECT to_jsonb(a)::text FROM accounts a WHERE id = $1"
_KEYS = """
SELECT coalesce(jsonb_agg(jsonb_build_object(
    'device', device, 'label', label, 'public_key', encode(key, 'hex'), 'created_at', created_at
) ORDER BY created_at), '[]')::text FROM account_keys WHERE account = $1
"""
_SCOPES = """
SELECT s.id, jsonb_build_object(
    'id', s.id, 'kind', s.kind, 'title', s.title, 'created_at', s.created_at,
    'deleted_at', s.deleted_at, 'members', coalesce((
        SELECT jsonb_agg(jsonb_build_object('account', m.account, 'role', m.role))
        FROM members m WHERE m.scope = s.id), '[]'))::text AS about
FROM scopes s WHERE s.owner = $1 ORDER BY s.id
"""
_DOCUMENTS = """
SELECT id, name, kind FROM documents
WHERE scope = $1 AND purged_at IS NULL AND id > $2 ORDER BY id LIMIT $3
"""
_BLOBS = """
SELECT DISTINCT b.hash, b.size FROM blob_uses u JOIN blobs b USING (hash)
WHERE b.ready AND (u.account = $1 OR (u.kind = 'file' AND u.holder IN (
    SELECT d.id::text FROM documents d JOIN scopes s ON s.id = d.scope WHERE s.owner = $1)))
ORDER BY b.hash
"""


class Entry(msgspec.Struct, frozen=True):
    """One file of an export: `data`, or the bytes of a blob."""

    name: str
    data: bytes = b""
    blob: Blob | None = None


async def entries(
    pool: Pool, blobs: Blobs, account: str, run: Run = run_inline
) -> AsyncIterator[Entry]:
    """Every file in turn; nothing for an account that is not there. Raises Unavailable.

    A document that cannot be read is named in `problems.txt`, and does not end it.
    """
    with reaching():
        about = await pool.fetchval(_ACCOUNT, account)
        if about is None:
            return
        keys = await pool.fetchval(_KEYS, account)
    yield Entry("account.json", _pretty({"account": _read(about), "keys": _read(keys)}))
    problems: list[str] = []
    async for entry in _records(pool, account):
        yield entry
    with reaching():
        scopes = await pool.fetch(_SCOPES, account)
    for scope in scopes:
        folder = f"workspaces/{quote(scope['id'], safe='')}"
        yield Entry(f"{folder}/workspace.json", _pretty(_read(scope["about"])))
        async for entry in _documents(pool, scope["id"], folder, run, problems):
            yield entry
    with reaching():
        kept = await pool.fetch(_BLOBS, account)
    for row in kept:
        blob = Blob(row["hash"], row["size"])
        try:
            there = await blobs.find(blob.digest)
        except UnknownBlob:
            there = None
        if there is None:
            problems.append(f"file {blob.hash}: its bytes are not there")
        else:
            yield Entry(f"files/{blob.hash}", blob=blob)
    if problems:
        yield Entry("problems.txt", "\n".join(problems).encode() + b"\n")


async def _records(pool: Pool, account: str) -> AsyncIterator[Entry]:
    with reaching():
        found = await columns(pool, OWNING)
    for table in sorted({each.table for each in found} - _ELSEWHERE):
        where = " OR ".join(f'"{each.name}" = $1' for each in found if each.table == table)
        with reaching():
            rows = await pool.fetch(
                f'SELECT to_jsonb(t)::text FROM "{table}" t WHERE {where}',  # noqa: S608
                account,
            )
        if rows:
            lines = [_bare(row[0]) for row in rows]
            yield Entry(f"records/{table}.jsonl", b"\n".join(lines) + b"\n")


async def _documents(
    pool: Pool, scope: str, folder: str, run: Run, problems: list[str]
) -> AsyncIterator[Entry]:
    after = None
    while True:
        with reaching():
            page = await pool.fetch(_DOCUMENTS, scope, after or _NIL, _PAGE)
        for row in page:
            name = f"{folder}/documents/{quote(row['name'], safe='')[:200]}"
            try:
                loaded = await loading.load(pool, row["id"])
                rows = [each.data for each in loaded.rows]
                if loaded.snapshot is not None:
                    rows.insert(0, loaded.snapshot)
                encoded, markdown = await run(_shown, rows, row["kind"] == "block")
            except (LogBroken, CrdtError) as error:
                problems.append(f"document {row['name']}: {error}")
                continue
            yield Entry(f"{name}.yjs", encoded)
            if markdown is not None:
                yield Entry(f"{name}.md", markdown.encode())
        if len(page) < _PAGE:
            return
        after = page[-1]["id"]


_NIL = "00000000-0000-0000-0000-000000000000"


def _shown(rows: list[bytes], is_block: bool) -> tuple[bytes, str | None]:  # noqa: FBT001
    """In a helper process: a document as one update, and a block as Markdown."""
    document = Document.rebuild(rows)
    return document.encode(), projection.project(document).markdown if is_block else None


def _bare(row: str) -> bytes:
    """A row without what is secret in it."""
    fields = msgspec.json.decode(row)
    return msgspec.json.encode({k: v for k, v in fields.items() if not _SECRET.search(k)})


def _read(text: str) -> object:
    return msgspec.json.decode(text)


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
