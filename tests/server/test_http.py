"""Reading bodies under a bound, whatever a client sends."""

import asyncio
import gzip

import msgspec
import pytest
from aiohttp import web

from server.door import setup_http
from server.hosts import HOSTS, Hosts
from server.http import JSON_BYTES_MAX, read_body, read_bytes, read_query, reply
from server.settings import Settings
from tests.server.conftest import Connect
from tests.server.person import Client


class Pet(msgspec.Struct):
    """A body."""

    name: str
    age: int = 0


async def read_pet(request: web.Request) -> web.Response:
    """Read a Pet and show it."""
    return reply(await read_body(request, Pet))


async def look_up_pet(request: web.Request) -> web.Response:
    """Read a Pet from the query and show it."""
    return reply(read_query(request, Pet))


async def count(request: web.Request) -> web.Response:
    """Read bytes and count them."""
    return reply({"size": len(await read_bytes(request, 1000))})


@pytest.fixture
async def plain(aiohttp_client: Connect, settings: Settings) -> Client:
    """A client of two routes without identity."""
    app = web.Application()
    setup_http(app)
    app[HOSTS] = Hosts(settings)
    app.router.add_post("/pet", read_pet)
    app.router.add_get("/pet", look_up_pet)
    app.router.add_post("/count", count)
    return await aiohttp_client(app)


async def talk(client: Client, request: bytes) -> bytes:
    """Send raw bytes to the server and read its first answer line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(request.replace(b"PORT", str(client.port).encode()))
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line


async def test_a_query_is_read_as_its_schema(plain: Client) -> None:
    """Numbers from their digits; what does not fit is 400 and named."""
    fine = await plain.get("/pet", params={"name": "Zoë", "age": "3", "colour": "red"})
    wrong = await plain.get("/pet", params={"name": "Zoë", "age": "old"})

    assert await fine.json() == {"name": "Zoë", "age": 3}
    assert wrong.status == 400
    assert "the query cannot be read" in (await wrong.json())["message"]


async def test_a_body_is_read_as_its_schema(plain: Client) -> None:
    """Field by field, whatever the content type says."""
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "x; charset=nonsense"}):
        response = await plain.post("/pet", data=b'{"name": "Zo\xc3\xab"}', headers=headers)

        assert await response.json() == {"name": "Zoë", "age": 0}


async def test_the_first_mistake_is_named_with_its_place(plain: Client) -> None:
    """A wrong type says where it stands."""
    response = await plain.post("/pet", json={"name": "x", "age": "old"})

    assert response.status == 400
    assert "$.age" in (await response.json())["message"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"\xff\xfe", b"[" * 60_000, b"nan"])
async def test_what_is_no_such_body_is_400(plain: Client, body: bytes) -> None:
    """Empty, incomplete, wrongly encoded or deeply nested: never more than a 400."""
    assert (await plain.post("/pet", data=body)).status == 400


@pytest.mark.parametrize("size", [1000, 1001])
async def test_the_bound_is_exact(plain: Client, size: int) -> None:
    """A thousand bytes fit, one more is 413; told or not told beforehand."""
    told = await plain.post("/count", data=b"x" * size)

    async def chunks():  # noqa: ANN202 (an async generator of a test)
        yield b"x" * size

    untold = await plain.post("/count", data=chunks())

    assert [told.status, untold.status] == [200 if size == 1000 else 413] * 2


async def test_json_has_a_bound_of_its_own(plain: Client) -> None:
    """Where a route names none, 64 KiB is the most."""
    response = await plain.post("/pet", data=b" " * (JSON_BYTES_MAX + 1))

    assert response.status == 413


async def test_a_packed_body_counts_unpacked(plain: Client) -> None:
    """A small body that unpacks to a large one is refused like a large one."""
    bomb = gzip.compress(b" " * 10_000_000)
    response = await plain.post("/count", data=bomb, headers={"Content-Encoding": "gzip"})

    assert len(bomb) > 1000 or response.status == 413
    assert response.status == 413


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(
            b"POST /pet HTTP/1.1\r\nHost: localhost:PORT\r\nContent-Encoding: gzip\r\n"
            b"Content-Length: 4\r\n\r\nabcd",
            id="not-gzip",
        ),
        pytest.param(
            b"POST /pet HTTP/1.1\r\nHost: localhost:PORT\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"zz\r\nabc\r\n0\r\n\r\n",
            id="bad-chunk",
        ),
        pytest.param(
            b"POST /pet HTTP/1.1\r\nHost: localhost:PORT\r\nContent-Length: -1\r\n\r\n",
            id="negative-length",
        ),
        pytest.param(
            b"POST /pet HTTP/1.1\r\nHost: localhost:PORT\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="two-lengths",
        ),
        pytest.param(b"POST /\xff\xfe HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n", id="bad-path"),
        pytest.param(b"GARBAGE\r\n\r\n", id="garbage"),
        pytest.param(
            b"POST /pet HTTP/1.1\r\nHost: localhost:PORT\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
            id="long-header",
        ),
        pytest.param(
            b"POST /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n", id="long-path"
        ),
    ],
)
async def test_requests_that_break_http_are_4xx(plain: Client, request_bytes: bytes) -> None:
    """A client's mistake below the level of routes is its mistake, not our fault."""
    line = await talk(plain, request_bytes)

    assert line.split()[1:2] != []
    assert line.split()[1].startswith(b"4"), line


async def test_a_client_that_breaks_off_harms_nobody(plain: Client) -> None:
    """Half a body and then nothing: the next client is served."""
    _, writer = await asyncio.open_connection("127.0.0.1", plain.port)
    writer.write(b"POST /pet HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await plain.post("/pet", json={"name": "x"})).status == 200


async def test_a_body_that_cannot_be_read_ends_the_connection(plain: Client) -> None:
    """Where the next request begins cannot be told; the answer says that it is the last one."""
    response = await plain.post("/pet", data=b"no gzip", headers={"Content-Encoding": "gzip"})

    assert response.status == 400
    assert response.headers["Connection"] == "close"
