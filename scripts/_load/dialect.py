"""How each kind of provider reaches a room: its address, its first frames, what its frames carry.

`y-websocket` puts the room into the path and the token into the query, `hocuspocus` names the
room in front of every frame and sends the token as a message, `ysweet` asks REST for an address
that is good for one document.
"""

import asyncio
import json
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

from .codec import STEP1_EMPTY, var_bytes, var_uint

Y_WEBSOCKET, HOCUSPOCUS, YSWEET = "y-websocket", "hocuspocus", "ysweet"
DIALECTS = (Y_WEBSOCKET, HOCUSPOCUS, YSWEET)
PATHS = {Y_WEBSOCKET: "/ws/{room}", HOCUSPOCUS: "/ws"}


@dataclass(kw_only=True)
class Target:
    """One server as one dialect sees it.

    `url` is the server (`http://host:port`: the paths of Plait are added) or a whole WebSocket
    address, in which `{room}` stands for the room.
    """

    url: str
    dialect: str = Y_WEBSOCKET
    token: str = ""
    _documents: dict[str, str] = field(default_factory=dict)

    def prefix(self, room: str) -> bytes:
        """What stands in front of every message."""
        return var_bytes(room.encode()) if self.dialect == HOCUSPOCUS else b""

    def greeting(self) -> list[bytes]:
        """The messages that open the conversation, without prefix."""
        hello = [STEP1_EMPTY]
        if self.dialect == HOCUSPOCUS:
            hello.insert(0, b"\x02\x00" + var_bytes(self.token.encode()))
        elif self.dialect == YSWEET:
            hello.append(sync_check(0))
        return hello

    @property
    def origin(self) -> str:
        """The HTTP address of the server, without a path."""
        parts = urlsplit(self.url)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        return f"{scheme}://{parts.netloc}"

    async def address(self, room: str) -> str:
        """The WebSocket URL of a room."""
        if self.dialect == YSWEET:
            if room not in self._documents:
                self._documents[room] = await asyncio.to_thread(self._ysweet_address, room)
            return self._documents[room]
        url = self._template().replace("{room}", quote(room, safe=""))
        if self.dialect == Y_WEBSOCKET and self.token:
            url += ("&" if "?" in url else "?") + "token=" + quote(self.token, safe="")
        return url

    def _template(self) -> str:
        parts = urlsplit(self.url)
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        path = parts.path
        if path in {"", "/"} and parts.scheme in {"http", "https"}:
            path = PATHS[self.dialect]
        return urlunsplit((scheme, parts.netloc, path, parts.query, ""))

    def _ysweet_address(self, room: str) -> str:
        post_json(f"{self.origin}/doc/new", {"docId": room}, self.token)
        answer = post_json(
            f"{self.origin}/doc/{quote(room)}/auth", {"authorization": "full"}, self.token
        )
        url = f"{answer['url']}/{answer['docId']}"
        return f"{url}?token={quote(answer['token'])}" if answer.get("token") else url


def sync_check(version: int) -> bytes:
    """Y-Sweet's question whether the server has stored local version `version`."""
    return b"\x66" + var_bytes(var_uint(version))


def post_json(url: str, body: object, token: str = "", timeout_s: float = 30) -> dict[str, str]:
    """POST a JSON body and read the JSON answer. Raises urllib.error.HTTPError."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(  # noqa: S310 - the address is the user's own argument
        url, json.dumps(body).encode(), headers, method="POST"
    )
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - as above
        result: dict[str, str] = json.load(answer)
    return result
