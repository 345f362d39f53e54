"""One device that syncs over REST, for the bench: bodies made beforehand, one request at a time."""

from __future__ import annotations

import base64
import secrets
import time
from typing import Any, NamedTuple

import aiohttp
import msgspec

from crdt import blocks
from crdt.document import Document
from crdt.ids import make_ulid
from crdt.wire.lib0 import var_string, var_uint
from scripts._load.login import Login

TEXT = "a sentence of a note that somebody wrote on a train. "


def insertion(client: int, clock: int, text: str) -> bytes:
    """The update of a Yjs client that types at the end of a block's text."""
    struct = (
        b"\x04\x01" + var_string("content_v0")
        if clock == 0
        else b"\x84" + var_uint(client) + var_uint(clock - 1)
    )
    return b"\x01\x01" + var_uint(client) + var_uint(clock) + struct + var_string(text) + b"\x00"


class Note(NamedTuple):
    """A block as a device has it: one client typed into it."""

    block: str
    client: int


class Device:
    """The requests of one device over one connection."""

    def __init__(self, http: aiohttp.ClientSession, url: str, account: Login) -> None:
        self._http, self._url = http, url
        self.workspace: str = account.workspace_id
        self._headers = {
            "Authorization": f"Bearer {account.access_token}",
            "Content-Type": "application/json",
        }

    def push_body(self, notes: list[Note], clock: int, text: str = TEXT) -> bytes:
        """A push of one more sentence for each note; another than the usual one can be the last."""
        return msgspec.json.encode({"blocks": [self.item(note, clock, text) for note in notes]})

    def item(self, note: Note, clock: int, text: str = TEXT) -> dict[str, Any]:
        """One block of a push."""
        update = insertion(note.client, clock * len(TEXT), text)
        vector = b"\x01" + var_uint(note.client) + var_uint(clock * len(TEXT) + len(text))
        return self._pushed(note, vector, update)

    def trash_body(self, note: Note) -> bytes:
        """A push that puts a note into the trash."""
        document = Document(client_id=note.client + 1)
        update = document.edit(blocks.trash(time.time_ns() // 1_000_000))
        assert update is not None
        return msgspec.json.encode(
            {"blocks": [self._pushed(note, document.state_vector(), update)]}
        )

    def _pushed(self, note: Note, vector: bytes, update: bytes) -> dict[str, Any]:
        return {
            "block_id": note.block,
            "workspace_id": self.workspace,
            "state_vector": base64.b64encode(vector).decode(),
            "update": base64.b64encode(update).decode(),
            "sync_version": 1,
        }

    def pull_body(self, notes: list[Note], clock: int) -> bytes:
        """A pull by a device that has `clock` sentences of each."""
        return msgspec.json.encode({"blocks": [self.asked(note, clock) for note in notes]})

    def asked(self, note: Note, clock: int) -> dict[str, Any]:
        """One block of a pull."""
        vector = vector_of(note, clock)
        return {"block_id": note.block, "state_vector": vector, "sync_version": 1}

    async def post(self, route: str, body: bytes) -> dict[str, Any]:
        """One request; its answer."""
        async with self._http.post(
            f"{self._url}/api/sync/{route}", data=body, headers=self._headers
        ) as response:
            data = await response.read()
            if response.status != 200:
                raise RuntimeError(f"{route}: {response.status} {data[:300]!r}")
            answer: dict[str, Any] = msgspec.json.decode(data)
            return answer

    async def delta(self, since: int) -> dict[str, Any]:
        """One page of the feed."""
        query = f"workspace_id={self.workspace}&since={since}"
        async with self._http.get(
            f"{self._url}/api/sync/delta?{query}", headers=self._headers
        ) as response:
            data = await response.read()
            if response.status != 200:
                raise RuntimeError(f"delta: {response.status} {data[:300]!r}")
            answer: dict[str, Any] = msgspec.json.decode(data)
            return answer

    async def chain(self) -> list[dict[str, Any]]:
        """The whole feed, page by page."""
        pages, since, has_more = [], 0, True
        while has_more:
            pages.append(await self.delta(since))
            since, has_more = pages[-1]["server_time"], pages[-1]["has_more"]
        return pages


def vector_of(note: Note, sentences: int) -> str:
    """The state vector of a device that has so many sentences of a note."""
    vector = b"\x01" + var_uint(note.client) + var_uint(sentences * len(TEXT))
    return base64.b64encode(vector).decode()


def notes(count: int) -> list[Note]:
    """Blocks that a device made offline."""
    now = int(time.time() * 1000)
    return [
        Note(make_ulid(now, secrets.token_bytes(10)), 1 + secrets.randbelow(1 << 32))
        for _ in range(count)
    ]
