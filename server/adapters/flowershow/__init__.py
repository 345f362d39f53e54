"""Flowershow: folders of notes published as sites, by command line, plugin or browser.

A site is a scope of its own. The list of its files is one document of kind `site`:

    files    path -> what is known of the file, as JSON (`server.sites.listing`)
    meta     "revision" -> how often the list was changed

Every Markdown file is a text document of that scope, named by its path, so on `/ws` it is
`SCOPE:PATH` for the site's owner: a Y.Text called `content_v0`. A sync merges what differs between
what was synced last and what comes now into it. All other bytes are blobs. Names, settings,
passwords, tokens and links to GitHub stay outside (`storage/sites/`), because everybody in the room
reads a document.

Errors are worded `{"error": "<word>", "message": "<sentence>"}`, with `error_description` too.
"""

from http import HTTPStatus
from typing import Any

from crdt.layout import Change, Find, Layout
from server.adapter import Adapter
from server.adapters.flowershow.policy import identify
from server.adapters.flowershow.routes import ROUTES, UPLOADS
from server.adapters.flowershow.schema import Complaint
from server.adapters.flowershow.stores import install
from server.cors import Cors
from server.errors import Fault
from server.sites.listing import FILES, META
from storage.sites import KIND

_BARE = frozenset({"authorization_pending"})
"""Words that say it all."""


def error_body(fault: Fault) -> dict[str, Any]:
    """A word, a sentence, and the sentence under OAuth's name."""
    word = _word(fault)
    described = {} if word in _BARE else {"error_description": fault.message}
    return {"error": word, "message": fault.message, **described, **fault.facts}


def _word(fault: Fault) -> str:
    if fault.status == HTTPStatus.UNAUTHORIZED and fault.code != "invalid_password":
        return "unauthorized"
    if fault.code.startswith(("bad_", "link_")):
        return "invalid_request" if fault.code.startswith("bad_") else "forbidden"
    if fault.status == HTTPStatus.FORBIDDEN and fault.code != "invalid_token":
        return "forbidden"
    if fault.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and fault.code != "file_too_large":
        return "payload_too_large"
    return fault.code


def _nobody(change: Change, find: Find) -> bool:
    """The list of a site's files is read on sockets, and written by its routes alone."""
    del change, find
    return False


ADAPTER = Adapter(
    name="flowershow",
    routes=ROUTES,
    identify=identify,
    error_body=error_body,
    error=Complaint,
    cors=Cors.OBSIDIAN,
    about=__doc__,
    layouts={KIND: Layout((FILES, META), _nobody)},
    install=install,
)
BYTES = Adapter(
    name="flowershow-uploads",
    part_of="flowershow",
    routes=UPLOADS,
    error_body=error_body,
    error=Complaint,
    cors=Cors.MIRROR,
    about="The URLs where the bytes of published files go.",
)
"""Pages of any origin may bring bytes to a URL that they were given."""
