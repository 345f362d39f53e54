"""The doors for editors: WebSocket in three dialects, and Y-Sweet's few REST routes."""

from server.adapter import Adapter
from server.cors import Cors
from server.realtime import routes, ysweet

SOCKETS = Adapter(name="sockets", routes=routes.ROUTES, about=routes.ABOUT)
"""WebSocket handshakes; browsers send no preflight for them."""
YSWEET = Adapter(name="y-sweet", routes=ysweet.ROUTES, cors=Cors.MIRROR, about=ysweet.__doc__ or "")
"""Y-Sweet's REST: bearer tokens only, so any origin may ask."""
DOORS = [SOCKETS, YSWEET]
