"""Bodies that are too long for memory, as streams: raw, and forms with files in them (RFC 7578).

aiohttp has a reader of forms too; this one finds the end of a part with one search for each piece,
says 400 to everything malformed, and takes names as browsers and curl write them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import unquote

from aiohttp import web

from server.errors import ApiError, BadBody

HEADERS_BYTES_MAX = 16 * 1024
PARTS_MAX = 64
FIELD_BYTES_MAX = 64 * 1024
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;,"]{1,200}))', re.IGNORECASE)
_PARAMETER = re.compile(
    r';\s*(name|filename|filename\*)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s"]*)', re.IGNORECASE
)


async def stream(request: web.Request, stuck_s: float) -> AsyncIterator[bytes]:
    """The body as it comes, inflated. Raises ApiError (408) where nothing comes for `stuck_s`."""
    while True:
        try:
            async with asyncio.timeout(stuck_s):
                part = await request.content.readany()
        except TimeoutError:
            raise ApiError(408, "too_slow", "the body does not come") from None
        if not part:
            return
        yield part


class Part:
    """One part of a form: read it to its end before the next one."""

    def __init__(self, form: FormReader, headers: dict[str, str]) -> None:
        said = _parameters(headers.get("content-disposition", ""))
        self._form = form
        self.name = said.get("name", "")
        """The field."""
        self.filename = said.get("filename*", said.get("filename"))
        """As the client says it: anything at all. None: no file."""
        self.content_type = headers.get("content-type", "").strip()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes of the part."""
        return self._form.rest_of_part()

    async def text(self) -> str:
        """The whole part as text. Raises BadBody where it is too long for a field."""
        found = bytearray()
        async for piece in self:
            found += piece
            if len(found) > FIELD_BYTES_MAX:
                raise BadBody(f"the field {self.name[:40]!r} is too long")
        return found.decode("utf-8", "replace")


class FormReader:
    """The parts of a form, one after the other: `async for part in FormReader(request, …)`."""

    def __init__(self, request: web.Request, stuck_s: float) -> None:
        """Raises BadBody where the request carries no form."""
        kind = request.headers.get("Content-Type", "")
        match = _BOUNDARY.search(kind)
        if not kind.lower().lstrip().startswith("multipart/form-data") or match is None:
            raise BadBody("it is not multipart/form-data with a boundary")
        self._stream = stream(request, stuck_s)
        self._delimiter = b"\r\n--" + (match[1] or match[2]).encode("latin-1", "replace")
        # The first delimiter may stand at the very start, without the line break before it.
        self._buffer = b"\r\n"
        self._in_part = True

    async def __aiter__(self) -> AsyncIterator[Part]:
        """The parts; what was not read of one is passed over. Raises BadBody."""
        for _ in range(PARTS_MAX):
            async for _ in self.rest_of_part():
                pass
            if await self._is_last():
                return
            yield Part(self, await self._headers())
        raise BadBody(f"it has more than {PARTS_MAX} parts")

    async def rest_of_part(self) -> AsyncIterator[bytes]:
        """What is left of the part that is being read, in pieces."""
        while self._in_part:
            at = self._buffer.find(self._delimiter)
            sure = at if at >= 0 else max(0, len(self._buffer) - len(self._delimiter) + 1)
            piece = self._buffer[:sure]
            if at >= 0:
                sure += len(self._delimiter)
                self._in_part = False
            self._buffer = self._buffer[sure:]
            if piece:
                yield piece
            if self._in_part:
                await self._more()

    async def _is_last(self) -> bool:
        """Whether the delimiter that was just read ends the form."""
        while len(self._buffer) < 2:
            await self._more()
        return self._buffer[:2] == b"--"

    async def _headers(self) -> dict[str, str]:
        while (at := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > HEADERS_BYTES_MAX:
                raise BadBody("the headers of a part are too long")
            await self._more()
        lines = self._buffer[:at].decode("utf-8", "replace").split("\r\n")
        self._buffer = self._buffer[at + 4 :]
        self._in_part = True
        if lines[0].strip(" \t"):
            raise BadBody("a boundary is followed by something else")
        found = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadBody("a header of a part cannot be read")
            found[name.strip().lower()] = value.strip()
        if found.get("content-transfer-encoding", "binary").lower() not in {
            "binary", "8bit", "7bit",
        }:  # fmt: skip
            raise BadBody("a part has a transfer encoding")
        return found

    async def _more(self) -> None:
        piece = await anext(self._stream, None)
        if piece is None:
            raise BadBody("it ends before its last boundary")
        self._buffer += piece


def _parameters(disposition: str) -> dict[str, str]:
    return {
        name.lower(): _value(name.lower(), value) for name, value in _PARAMETER.findall(disposition)
    }


def _value(name: str, text: str) -> str:
    """A parameter's value: browsers write %22 for a quote, others a backslash before it."""
    if text.startswith('"'):
        text = re.sub(r'\\(["\\])', r"\1", text[1:-1]).replace("%22", '"')
    if name.endswith("*"):
        charset, _, rest = text.partition("'")
        encoding = "latin-1" if charset.lower() == "iso-8859-1" else "utf-8"
        text = unquote(rest.partition("'")[2], encoding=encoding)
    return text
