"""Heaps: workspaces of blocks, synced by offline devices and edited live.

The API calls a workspace a heap; one id, two words. Every block is one document, whose shared types
are the block's own. Callers show an access token as bearer; errors are worded
`{"success": false, "error": "<word>", "message": "<sentence>"}`. Any origin may call it from a
browser, because it never looks at cookies.
"""

from server.adapter import Adapter
from server.adapters.heaps.routes import ROUTES
from server.cors import Cors

ADAPTER = Adapter(name="heaps", routes=ROUTES, cors=Cors.MIRROR, about=__doc__)
