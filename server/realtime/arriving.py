"""The first bytes of a connection: most are the handshake of somebody who is known already.

When a server comes back, all editors come back at once, each with a token and a document that were
seen a moment ago. Such a handshake asks nobody anything, so it is answered here and now; aiohttp's
parser, request, task, router and middlewares are half of what it costs otherwise. The way is narrow
on purpose: whatever is not plain, not known or not allowed goes the whole way, from its first byte
on, and is answered there. So nothing is refused here, and nobody enters who would not there. A
Hocuspocus handshake says nothing of who comes: that is asked of its frames, here as there.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from auth.errors import AuthError
from auth.principal import Role
from crdt.errors import BadName
from crdt.ids import DocumentName
from server.errors import Busy, RequestError
from server.hosts import host_name
from server.limits import network_of
from server.logs import REQUEST
from server.operating import spans
from server.realtime import upgrade
from server.realtime.hocuspocus import HocuspocusConnection
from server.realtime.y import YConnection
from server.websocket import as_transport

if TYPE_CHECKING:
    from aiohttp import web

    from server.entrance import Entry
    from server.hosts import Hosts
    from server.limits import Limit
    from server.realtime.connection import Connection
    from server.realtime.register import Realtime

_HEAD_BYTES_MAX: Final = 4096
_REQUEST: Final = re.compile(
    r"GET /ws(?:/([A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]*)\?token=([A-Za-z0-9._-]+))? HTTP/1\.1"
).fullmatch
"""A document's name that means itself however it is decoded, and a token; or neither, where both
come in frames (Hocuspocus). Nothing else."""
_ODD: Final = re.compile(r"[^\x20-\x7e\r\n]|\r(?!\n)|(?<!\r)\n").search
_NAME: Final = re.compile(r"[A-Za-z0-9-]+").fullmatch
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==").fullmatch
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch
_NOT_PLAIN: Final = frozenset(
    ("authorization", "content-length", "expect", "sec-websocket-protocol", "transfer-encoding")
)
"""What may change the meaning of a handshake; a cookie does not where a token is shown."""


class Handshake(NamedTuple):
    """A plain one."""

    name: str | None
    """None where documents are named in frames, each with its token."""
    token: str | None
    fields: dict[str, str]
    behind: bytes
    """What came with it."""


def read(data: bytes) -> Handshake | None:
    """The handshake in the first bytes of a connection; None for all that is not plain."""
    end = data.find(b"\r\n\r\n", 0, _HEAD_BYTES_MAX) if data.startswith(b"GET /ws") else -1
    if end < 0:
        return None
    head = data[:end].decode("latin-1")
    first, *lines = head.split("\r\n")
    asked = _REQUEST(first)
    if asked is None or _ODD(head):
        return None
    fields = _fields(lines)
    if fields is None or not _is_upgrade(fields):
        return None
    if asked[1] is None and "cookie" in fields:
        return None  # It may say who this is.
    return Handshake(asked[1], asked[2], fields, data[end + 4 :])


def _fields(lines: list[str]) -> dict[str, str] | None:
    """Headers by their names in small letters; None where one is there twice, or not plain."""
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or name in fields or name in _NOT_PLAIN or not _NAME(name):
            return None
        fields[name] = value.strip(" ")
    return fields


def _is_upgrade(fields: dict[str, str]) -> bool:
    wanted = [part.strip() for part in fields.get("connection", "").lower().split(",")]
    return (
        "upgrade" in wanted
        and fields.get("upgrade", "").lower() == "websocket"
        and fields.get("sec-websocket-version") == "13"
        and _KEY(fields.get("sec-websocket-key", "")) is not None
    )


class Front:
    """Makes the first protocol of each connection, and knows those that have said nothing yet."""

    def __init__(
        self,
        server: web.Server,
        realtime: Realtime,
        hosts: Hosts,
        limit: Limit,
        *,
        may_claim: Callable[[str], bool],
        is_open: bool,
    ) -> None:
        self.server = server
        """Where everything else goes."""
        self.silent: set[Arrival] = set()
        self.taken = 0
        """Handshakes that were answered here."""
        self._realtime = realtime
        self._hosts = hosts
        self._limit = limit
        self._may_claim = may_claim
        self._is_open = is_open

    def __call__(self) -> Arrival:
        """One more connection."""
        return Arrival(self)

    def close(self) -> None:
        """The server ends."""
        for arrival in list(self.silent):
            if arrival.transport is not None:
                arrival.transport.abort()

    def take(self, data: bytes, transport: asyncio.Transport) -> bool:
        """Let somebody in who is known; False, and nothing has happened, for everybody else."""
        shaken = read(data) if self._is_open and not spans.on() else None
        if shaken is None:
            return False
        given = shaken.fields.get("x-request-id", "")
        mark = REQUEST.set(given if _ID(given) else secrets.token_hex(8))
        try:
            return self._let_in(shaken, transport)
        except (AuthError, BadName, Busy, RequestError):
            return False  # It is said there why.
        finally:
            REQUEST.reset(mark)

    def _let_in(self, shaken: Handshake, transport: asyncio.Transport) -> bool:
        host = host_name(shaken.fields.get("host", ""))
        peer = transport.get_extra_info("peername")
        if not isinstance(peer, tuple) or not self._hosts.is_known(host) or self._may_claim(host):
            return False
        realtime = self._realtime
        entry = None
        if shaken.name is not None and shaken.token is not None:
            entry = realtime.entrance.peek(DocumentName.parse(shaken.name), shaken.token)
            if entry is None:
                return False
        forwarded = shaken.fields.get("x-forwarded-for")
        address = self._hosts.remote_of(str(peer[0]), () if forwarded is None else (forwarded,))
        remote = network_of(address)
        if upgrade.is_full(realtime, remote):
            return False
        if entry is not None:
            realtime.documents.guard.admit(entry.principal)
        # From here on somebody who is refused has been counted, and is counted once more there.
        self._limit.take(address)
        if realtime.handshake_fits(remote) is not None:
            return False
        connection = self._connection(transport, remote, entry)
        upgrade.answer(connection, upgrade.accepted(shaken.fields["sec-websocket-key"]))
        upgrade.go_on(connection, shaken.behind)
        self.taken += 1
        return True

    def _connection(
        self, transport: asyncio.Transport, remote: str, entry: Entry | None
    ) -> Connection:
        """Somebody who is in its document already, or will name some."""
        realtime = self._realtime
        if entry is None:
            stranger = HocuspocusConnection(realtime, transport, remote, None, None)
            stranger.opened(authenticated=False)
            return stranger
        principal, record, role = entry
        realtime.documents.room(record)
        can_write = role >= Role.EDITOR
        member = YConnection(realtime, transport, remote, principal, can_write=can_write)
        member.enter(record)
        return member


class Arrival(asyncio.Protocol):
    """Waits for the first bytes."""

    __slots__ = ("_front", "_request_count", "_waiter", "transport")

    def __init__(self, front: Front) -> None:
        self._front = front
        self.transport: asyncio.Transport | None = None
        # As the warden knows aiohttp's connections: no request has come whole, one is waited for.
        self._request_count = 0
        self._waiter = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Told by the event loop."""
        self.transport = as_transport(transport)
        self._front.silent.add(self)

    def data_received(self, data: bytes) -> None:
        """Let somebody in, or leave it all to aiohttp."""
        transport, front = self.transport, self._front
        assert transport is not None
        front.silent.discard(self)
        if transport.is_closing() or front.take(data, transport):
            return
        former = front.server()
        transport.set_protocol(former)
        former.connection_made(transport)
        former.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Told by the event loop."""
        del exc
        self._front.silent.discard(self)
