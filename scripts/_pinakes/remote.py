"""The requests of a device, over `/api/v1/sync`."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from scripts._device.server import Account

API = "/api/v1/sync"
PIECE = 1 << 20

Tick = Callable[[int], None]
"""Told how many bytes went."""


class Remote(Account):
    """One device's way to its library. Every method may raise Unreachable or Refused."""

    device_token = ""

    def register(self, name: str) -> tuple[str, str]:
        """Become a device of the library: its id and its token."""
        body = {"name": name, "device_type": "desktop", "os_info": os.uname().sysname}
        made = self._call("POST", "/devices", body)
        return made["device"]["id"], made["device_token"]

    def report(self, changes: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Tell what changed here; what became of it."""
        found: dict[str, Any] = self._call("POST", "/report", {"changes": list(changes)})
        return found

    def changes(self, cursor: int, limit: int, *, is_anew: bool) -> dict[str, Any]:
        """A page of what changed elsewhere; who begins anew is told of its own files too."""
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        path = f"/changes?{urlencode(query)}"
        page: dict[str, Any] = self._call("GET", path, is_named=not is_anew)
        return page

    def acknowledge(self, cursor: int) -> None:
        """Everything up to a cursor is done."""
        self._call("POST", "/ack", {"cursor": cursor})

    def resolve(self, conflict: str, resolution: str) -> dict[str, Any]:
        """Decide a conflict."""
        body = {"resolution": resolution}
        done: dict[str, Any] = self._call("POST", f"/conflicts/{conflict}/resolve", body)
        return done

    # -- bytes --------------------------------------------------------------------------

    def upload(self, path: str, digest: str, file: Path, tick: Tick) -> dict[str, Any]:
        """Bring a file there, chunk by chunk; what is there already is not sent again."""
        size = file.stat().st_size
        body = {"target_path": path, "expected_size": size, "expected_hash": digest}
        upload = self._call("POST", "/upload", body)
        place = f"/upload/{upload['id']}"
        here = set(upload["received_chunks"])
        tick(upload["received_bytes"])
        with file.open("rb") as stream:
            for index in range(upload["chunk_count"]):
                if index in here:
                    continue
                stream.seek(index * upload["chunk_size"])
                part = stream.read(upload["chunk_size"])
                self._bytes("PUT", f"{place}/chunks/{index}", part)
                tick(len(part))
        done: dict[str, Any] = self._call("POST", f"{place}/complete")
        return done

    def download(self, path: str, into: Path, known: str, tick: Tick) -> str:
        """Fetch a file, or what is missing of it; the hash that it is said to have.

        `into` may hold the beginning of the version `known`: of another one it is begun anew.
        """
        at = into.stat().st_size if into.exists() else 0
        headers = {"Range": f"bytes={at}-", "If-Range": f'"{known}"'} if at else {}

        def fetch() -> str:
            place = f"{API}/download/{quote(path, safe='/')}"
            with self._open("GET", place, None, headers) as answer:
                digest = str(answer.headers["ETag"]).strip('"')
                is_rest = answer.status == 206
                if is_rest:
                    tick(at)
                with into.open("ab" if is_rest else "wb") as file:
                    for piece in _pieces(answer):
                        file.write(piece)
                        tick(len(piece))
                    file.flush()
                    os.fsync(file.fileno())
            return digest

        return self._reach(path, fetch)

    # -- in common ------------------------------------------------------------------------

    def _call(self, method: str, path: str, body: Any = None, *, is_named: bool = True) -> Any:  # noqa: ANN401
        data = None if body is None else json.dumps(body).encode()
        return json.loads(self._bytes(method, path, data, is_named=is_named) or b"null")

    def _bytes(self, method: str, path: str, data: bytes | None, *, is_named: bool = True) -> bytes:
        headers = {"Content-Type": "application/octet-stream"}
        if self.device_token and is_named:
            headers["X-Device-Token"] = self.device_token

        def ask() -> bytes:
            with self._open(method, API + path, data, headers) as answer:
                return bytes(answer.read())

        return self._reach(path, ask)


def _pieces(answer: Any) -> Iterator[bytes]:  # noqa: ANN401  (of http.client)
    """The body; an end before its end is an error, as for any other answer."""
    left = int(answer.headers["Content-Length"])
    while piece := answer.read(PIECE):
        left -= len(piece)
        yield piece
    if left:
        raise ValueError("the answer broke off")
