"""Pinakes: a library of files that an account's devices keep in step.

A library is a scope of kind `pinakes` with a row for each path (`storage/pinakes`): its hash, its
size, and the stamp of its latest change, which is the cursor of the feed. A deleted path leaves a
tombstone until every device has acknowledged it. What a device reports is judged by the version it
was made on: what cannot be merged becomes a conflict, with both versions kept; two versions of a
text are merged, word by word, as its Y text would. Nobody is told of a change before its bytes can
be downloaded; they lie in the blob store and come in chunks.

Callers show an access token, or a personal one scoped `pinakes`; `X-Device-Token` says which device
asks. Errors are worded `{"error": "<word>", "message": "<sentence>"}`.
"""

import secrets
from typing import Any

from aiohttp import web

from server.adapter import Adapter
from server.adapters.pinakes.asking import SHELVES, UPLOADING
from server.adapters.pinakes.clearing import Clearing
from server.adapters.pinakes.libraries import Shelves
from server.adapters.pinakes.routes import ROUTES
from server.adapters.pinakes.schema import Refusal, refusal
from server.adapters.pinakes.texts import Texts
from server.adapters.pinakes.uploading import Uploading
from server.documents import DOCUMENTS
from server.errors import Fault
from server.files import FILES
from storage.duties import Duties
from storage.pool import Pool


def error_body(fault: Fault) -> dict[str, Any]:
    """One word and one sentence, and what else there is to say."""
    return refusal(fault.code, fault.message, fault.facts)


def install(app: web.Application, pool: Pool) -> None:
    """Put into an application what the routes look up."""
    documents, files = app[DOCUMENTS], app[FILES]
    texts = Texts(documents.settings, files, documents.workers)
    shelves = app[SHELVES] = Shelves(documents.settings, texts, pool)
    uploading = app[UPLOADING] = Uploading(shelves, files, pool)
    clearing = Clearing(shelves, uploading, Duties(pool, secrets.token_hex(8)))

    async def start(_: web.Application) -> None:
        clearing.start()

    async def stop(_: web.Application) -> None:
        await clearing.stop()

    app.on_startup.append(start)
    app.on_cleanup.append(stop)


ADAPTER = Adapter(
    name="pinakes",
    routes=ROUTES,
    error_body=error_body,
    error=Refusal,
    about=__doc__ or "",
    install=install,
)
