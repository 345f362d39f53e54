"""Forms with files, read as a stream."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from server.bodies import PARTS_MAX, FormReader, stream
from server.errors import faults_to_responses
from server.http import reply
from tests.server.conftest import Connect
from tests.server.person import Client


async def show(request: web.Request) -> web.Response:
    """Say what a form holds; parts named `skip` are not read."""
    found = []
    async for part in FormReader(request, 0.5):
        size = None
        if part.name == "text":
            size = len(await part.text())
        elif part.name != "skip":
            size = sum([len(piece) async for piece in part])
        found.append([part.name, part.filename, part.content_type, size])
    return reply(found)


async def count(request: web.Request) -> web.Response:
    """Say how long a body is."""
    return reply(sum([len(piece) async for piece in stream(request, 0.2)]))


@pytest.fixture
async def client(aiohttp_client: Connect) -> Client:
    """An application with both."""
    app = web.Application(middlewares=[faults_to_responses(lambda _, fault: fault.body())])
    app.router.add_post("/form", show)
    app.router.add_post("/raw", count)
    return await aiohttp_client(app)


async def send(client: Client, body: bytes, kind: str = "multipart/form-data; boundary=B") -> Any:
    """Send a body; what the form holds, or the word of the error."""
    response = await client.post("/form", data=body, headers={"Content-Type": kind})
    answer = await response.json()
    assert response.status in {200, 400}
    return answer if response.status == 200 else answer["error"]


async def test_a_form_of_a_browser(client: Client) -> None:
    """Fields and files in their order, as aiohttp's own client writes them."""
    form = aiohttp.FormData()
    form.add_field("hash", "abc")
    form.add_field("file", b"x" * 300_000, filename='a"b".png', content_type="image/png")
    form.add_field("skip", b"\r\n--" * 1000, filename="s")
    form.add_field("text", "ü")
    response = await client.post("/form", data=form)

    assert await response.json() == [
        ["hash", None, "text/plain; charset=utf-8", 3],
        ["file", 'a"b".png', "image/png", 300_000],
        ["skip", "s", "application/octet-stream", None],
        ["text", None, "text/plain; charset=utf-8", 1],
    ]


@pytest.mark.parametrize(
    ("header", "filename"),
    [
        ('form-data; name="f"; filename="a.txt"', "a.txt"),
        ("form-data; name=f; filename=a.txt", "a.txt"),
        ("form-data; name=f; filename=\"\"; filename*=UTF-8''%C3%BC.txt", "ü.txt"),
        ('form-data; name="f"; filename="ü\\"q\\".txt"', 'ü"q".txt'),
        ('form-data; name="f"; filename="%22a%22"', '"a"'),
        ('form-data; name="f"; FILENAME="C:\\dir\\a.txt"', "C:\\dir\\a.txt"),
        ('form-data; name="f"', None),
    ],
)
async def test_names_as_clients_write_them(
    client: Client, header: str, filename: str | None
) -> None:
    """Quoted, bare, encoded, escaped in either way."""
    body = f"--B\r\nContent-Disposition: {header}\r\n\r\nxyz\r\n--B--\r\n".encode()

    assert await send(client, body) == [["f", filename, "", 3]]


async def test_what_looks_like_a_boundary_is_content(client: Client) -> None:
    """Only a line break, two dashes and the boundary end a part."""
    inside = b"--B\r\n\r\n--A\r\n-- B--\n--B--"
    body = b'preamble\r\n--B\r\nContent-Disposition: form-data; name="f"\r\n\r\n'
    body += inside + b"\r\n--B--epilogue"

    assert await send(client, body) == [["f", None, "", len(inside)]]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=B"),
        (b"nothing", "multipart/form-data; boundary=B"),
        (b"--B", "multipart/form-data; boundary=B"),
        (b"--B\r\n", "multipart/form-data; boundary=B"),
        (b"--B\r\nA: b\r\n\r\ncut off", "multipart/form-data; boundary=B"),
        (b"--B\r\nno colon\r\n\r\nx\r\n--B--", "multipart/form-data; boundary=B"),
        (b"--Bx\r\nA: b\r\n\r\nx\r\n--B--", "multipart/form-data; boundary=B"),
        (b"--B\r\nA: " + b"x" * 20_000, "multipart/form-data; boundary=B"),
        (b"--B\r\n\r\n\r\n" * (PARTS_MAX + 2), "multipart/form-data; boundary=B"),
        (
            b"--B\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--B--",
            "multipart/form-data; boundary=B",
        ),
        (
            b'--B\r\nContent-Disposition: form-data; name="text"\r\n\r\n' + b"x" * 70_000,
            "multipart/form-data; boundary=B",
        ),
        (b"--B--", "multipart/form-data"),
        (b"--B--", "multipart/mixed; boundary=B"),
        (b"{}", "application/json"),
    ],
    ids=str,
)
async def test_what_is_no_form_is_a_bad_request(client: Client, body: bytes, kind: str) -> None:
    """Cut off, malformed, over a bound, of another type."""
    assert await send(client, body, kind) == "bad_request"


async def test_a_form_without_parts_is_one(client: Client) -> None:
    """It holds nothing."""
    assert await send(client, b"--B--") == []


async def test_a_body_that_does_not_come_is_given_up(client: Client) -> None:
    """With 408, so that nobody holds a connection for nothing."""

    async def slow() -> Any:
        yield b"a"
        await forever.wait()

    import asyncio  # noqa: PLC0415

    forever = asyncio.Event()
    response = await client.post("/raw", data=slow())

    assert response.status == 408
    assert (await response.json())["error"] == "too_slow"
