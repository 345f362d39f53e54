"""Requests that no sound client sends: each gets a word and a sentence, never a fault."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from tests.inside import Inside
from tests.server.adapters.pinakes.machine import Machine, changed

pytestmark = pytest.mark.asyncio(loop_scope="module")

MADE = b'{"changes":[{"path":"a","change_type":"created","content_hash":"' + b"0" * 64


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b'{"changes":null}',
        b'{"changes":{}}',
        b'{"changes":[null]}',
        b'{"changes":[{"path":"\\ud800","change_type":"deleted"}]}',
        b'{"changes":[],"device_id":5}',
        b'{"changes":[],"device_id":"\\u0000"}',
        MADE + b'","local_mtime":true}]}',
        MADE + b'","local_mtime":1e999}]}',
        MADE + b'","local_mtime":' + b"9" * 400 + b"}]}",
        MADE + b'","file_size":-1}]}',
        MADE + b'","base_hash":"x"}]}',
    ],
    ids=lambda body: body[-40:].decode("latin-1"),
)
async def test_a_report_that_cannot_be_read_is_400(desk: Machine, body: bytes) -> None:
    """Whatever is wrong with it."""
    status, answer, _ = await desk.ask("POST", "/report", data=body)

    assert (status, set(answer)) == (400, {"error", "message"})


async def test_a_device_token_of_any_bytes_is_401(inside: Inside, desk: Machine) -> None:
    """Empty, long, and bytes that are no text."""
    host, port = inside.url.removeprefix("http://").split(":")
    for token in (b"", b"x" * 5000, "é".encode(), b"\xff\xfe"):
        reader, writer = await asyncio.open_connection(host, int(port))
        with closing(writer):
            lines = (
                b"GET /api/v1/sync/changes HTTP/1.1",
                b"Host: " + inside.url.removeprefix("http://").encode(),
                b"Authorization: Bearer " + desk.token.encode(),
                b"X-Device-Token: " + token,
                b"Connection: close",
            )
            writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
            answer = await reader.read()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]


@pytest.mark.parametrize("mtime", [0, -1.5, 1 << 53, 1.7e12, "2026-03-01T00:00:00Z", "\0", ""])
async def test_a_time_comes_back_as_it_was_said(
    desk: Machine, lap: Machine, mtime: float | str
) -> None:
    """In whatever form the device likes."""
    await desk.report(changed("a.bin", b"\xff", local_mtime=mtime))
    await desk.upload("a.bin", b"\xff")
    (line,) = (await lap.changes())["changes"]

    assert line["local_mtime"] == mtime
