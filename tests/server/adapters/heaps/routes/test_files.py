"""Files over real HTTP: ranges, conditions, safe headers, tokens in URLs, and nobody else's."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from auth.principal import Role
from server.catalogue import CATALOGUE
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S
from tests.server.adapters.heaps.device import new_id
from tests.server.adapters.heaps.sender import Sender
from tests.server.realtime.conftest import Serve
from tests.stories.world import HANDSHAKE
from tests.weed import Weed

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA = os.urandom(3_000_000)


@pytest_asyncio.fixture(loop_scope="module")
async def sent(ada: Guest) -> Sender:
    """A file of Ada's."""
    sender = Sender(ada, DATA)
    assert (await sender.direct())[0] == 200
    return sender


async def ask(
    guest: Guest, path: str, method: str = "GET", **headers: str
) -> tuple[int, Any, bytes]:
    """Status, headers and bytes of a request; `_` in a header's name is a dash."""
    given = {**guest.bearer, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with guest.http.request(method, path, headers=given) as response:
        return response.status, response.headers, await response.read()


async def test_a_file_is_given_whole(ada: Guest, sent: Sender) -> None:
    """By both routes, with what a browser needs to know of it."""
    for path in (f"/api/file/{sent.block}/raw/x.png", f"/api/stream/{sent.block}/x"):
        status, headers, body = await ask(ada, path)

        assert (status, body) == (200, DATA)
        assert headers["Content-Type"] == "image/png"
        assert headers["Content-Disposition"] == 'inline; filename="picture.png"'
        assert headers["ETag"] == f'"{sent.hash}"'
        assert headers["Accept-Ranges"] == "bytes"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Length"] == str(len(DATA))
        assert headers["Cache-Control"] == "private, no-cache"
        assert headers["Last-Modified"].endswith("GMT")


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000000-2000000", 1_000_000, 2_000_001),
        ("bytes=2999999-", 2_999_999, 3_000_000),
        ("bytes=-7", 2_999_993, 3_000_000),
        ("bytes=5-99999999", 5, 3_000_000),
    ],
)
async def test_a_range_is_given(ada: Guest, sent: Sender, asked: str, start: int, end: int) -> None:
    """206 with exactly those bytes; with the right If-Range too."""
    path = f"/api/stream/{sent.block}/x"
    for more in ({}, {"If_Range": f'"{sent.hash}"'}):
        status, headers, body = await ask(ada, path, Range=asked, **more)

        assert (status, body) == (206, DATA[start:end])
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
        assert headers["Content-Length"] == str(end - start)


async def test_what_is_not_to_be_sent_is_not(ada: Guest, sent: Sender) -> None:
    """304, 416 and 412, HEAD, a stale If-Range, several ranges."""
    path, etag = f"/api/file/{sent.block}/raw/x", f'"{sent.hash}"'
    known = await ask(ada, path, If_None_Match=etag)
    beyond = await ask(ada, path, Range="bytes=3000000-")
    failed = await ask(ada, path, If_Match='"other"')
    head = await ask(ada, path, "HEAD")
    stale = await ask(ada, path, Range="bytes=0-1", If_Range='"other"')
    many = await ask(ada, path, Range="bytes=0-1,5-6")

    assert (known[0], known[2], known[1]["ETag"]) == (304, b"", etag)
    assert (beyond[0], beyond[1]["Content-Range"]) == (416, "bytes */3000000")
    assert failed[0] == 412
    assert (head[0], head[1]["Content-Length"], head[2]) == (200, "3000000", b"")
    assert (stale[0], stale[2]) == (200, DATA)
    assert (many[0], many[2]) == (200, DATA)
    again = await ask(ada, path, If_Modified_Since=head[1]["Last-Modified"])
    assert again[0] == 304


async def test_the_slug_says_which_file(ada: Guest, sent: Sender) -> None:
    """By hash, id or name; else the newest. The file's id will do as the key."""
    second = Sender(ada, b"second", sent.block)
    file = (await second.direct())[1]["file_id"]
    first = f"/api/file/{sent.block}/raw/{sent.hash}.png"

    assert (await ask(ada, first))[2] == DATA
    assert (await ask(ada, f"/api/file/{sent.block}/raw/x?hash={sent.hash}"))[2] == DATA
    for path in (f"{sent.block}/raw/anything", f"{sent.block}/raw/{file}", f"{file}/raw/x"):
        assert (await ask(ada, f"/api/file/{path}"))[2] == b"second"
    assert (await ask(ada, f"/api/file/{sent.block}/raw/{'0' * 64}"))[0] == 404
    assert (await ask(ada, f"/api/file/{new_id()}/raw/x"))[0] == 404
    assert (await ask(ada, "/api/file/%00/raw/x"))[0] == 404


@pytest.mark.parametrize(
    "mime_type", ["text/html", "image/svg+xml", "application/xml", "text/javascript"]
)
async def test_active_content_is_no_page_of_ours(ada: Guest, mime_type: str) -> None:
    """Nameless bytes to be saved, in a sandbox."""
    sender = Sender(ada, b"<script>alert(1)</script>" + mime_type.encode())
    form = aiohttp.FormData()
    form.add_field("hash", sender.hash)
    form.add_field("file", sender.data, filename="a.html", content_type=mime_type)
    path = f"/api/upload/file/{sender.heap}/{sender.block}"
    assert (await sender.call("POST", path, data=form))[0] == 200
    _, headers, _ = await ask(ada, f"/api/file/{sender.block}/raw/a.html")

    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in headers["Content-Security-Policy"]


async def test_hostile_names_travel_as_names(ada: Guest) -> None:
    """A name is stored without its folders and given back in one clean header."""
    sender = Sender(ada, b"x")
    await sender.init(name='../../etc/"pass\r\nwd";x.sh')
    await sender.put(0)
    answer = (await sender.complete())[1]
    _, headers, _ = await ask(ada, f"/api/file/{sender.block}/raw/x?download=1")

    assert answer["name"] == '"passwd";x.sh'
    assert headers["Content-Disposition"] == 'attachment; filename="_passwd_;x.sh"'


async def test_a_token_in_the_url_opens_files_and_nothing_else(ada: Guest, sent: Sender) -> None:
    """A file token, a document token, an access token; a file token opens no document."""
    other = Sender(ada, b"other")
    await other.direct()
    _, made, _ = await ada.post(f"/api/file/{sent.block}/token")
    path = f"/api/stream/{sent.block}/x?token="
    seconds = made["expires_in"]

    async def get(path: str) -> int:
        async with ada.http.get(path) as response:
            await response.read()
            return response.status

    assert seconds == 600
    assert await get(path + made["token"]) == 200
    assert await get(path + ada.token) == 200
    assert await get(path + ada.person.refresh) == 401
    assert await get(f"{path}a&token=b") == 401
    assert await get(path) == 401
    assert await get(f"/api/stream/{other.block}/x?token={made['token']}") == 404
    assert (
        await get(f"/api/upload/status/{sent.heap}/{sent.block}/{sent.hash}?token={ada.token}")
        == 401
    )
    headers = {"Authorization": f"Bearer {made['token']}"}
    for method, route in (
        ("GET", f"/d/{sent.block}/as-update"),
        ("POST", f"/d/{sent.block}/update"),
        ("POST", "/api/me"),
        ("POST", f"/api/block/{sent.block}"),
        ("GET", f"/ws/{sent.block}"),
    ):
        more = HANDSHAKE if route.startswith("/ws") else {}
        async with ada.http.request(method, route, headers=headers | more) as response:
            assert response.status in {401, 403}, route
    socket = await ada.hocuspocus()
    session = socket.session(sent.block)
    await session.show(made["token"])
    assert await session.denied()


async def test_a_file_token_dies_with_the_right_of_its_maker(
    inside: Inside, ada: Guest, bob: Guest, sent: Sender
) -> None:
    """A viewer reads and makes tokens; without a right neither works any more."""
    await inside.grants.set_member(ada.workspace, bob.account, Role.VIEWER)
    await _until_role(inside, bob, ada.workspace, Role.VIEWER)
    status, made, _ = await bob.post(f"/api/file/{sent.block}/token")
    assert status == 200, made
    path = f"/api/stream/{sent.block}/x"
    seen = (await ask(bob, path))[0], (await ask(bob, f"{path}?token={made['token']}"))[0]
    await inside.grants.set_member(ada.workspace, bob.account, Role.NONE)
    await _until_role(inside, bob, ada.workspace, Role.NONE)
    async with bob.http.get(f"{path}?token={made['token']}") as response:
        gone = response.status

    assert seen == (200, 200)
    assert (gone, (await ask(bob, path))[0]) == (404, 404)
    assert (await bob.post(f"/api/file/{sent.block}/token"))[0] == 404


async def test_a_stranger_finds_no_file(ada: Guest, bob: Guest, sent: Sender) -> None:
    """By block, file id or slug; with a token for a block of their own."""
    file = (await sent.file())[1]["file_id"]
    own = Sender(bob, b"x")
    await own.direct()
    _, made, _ = await bob.post(f"/api/file/{own.block}/token")
    for path in (f"/api/file/{sent.block}/raw/x", f"/api/stream/{file}/x"):
        assert (await ask(bob, path))[0] == 404
        async with bob.http.get(f"{path}?token={made['token']}") as response:
            assert response.status == 404
    assert (await ask(bob, f"/api/file/{own.block}/raw/{sent.hash}"))[0] == 404


async def test_no_log_holds_a_token(
    ada: Guest, sent: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a message nor a traceback, whatever the status."""
    with caplog.at_level(logging.DEBUG):
        for path in (f"/api/stream/{sent.block}/x", "/api/stream/none/x"):
            async with ada.http.get(f"{path}?token={quote(ada.token)}") as response:
                await response.read()

    assert ada.token not in caplog.text


async def test_pages_of_other_origins_may_read_files(ada: Guest, sent: Sender) -> None:
    """With a token in the header; what a player needs to see is exposed, cookies never count."""
    path = f"/api/stream/{sent.block}/x"
    _, headers, _ = await ask(ada, path, Origin="https://app.example", Range="bytes=0-1")
    async with ada.http.options(
        path,
        headers={"Origin": "https://app.example", "Access-Control-Request-Headers": "range"},
    ) as response:
        asked = response.headers

    assert headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Content-Range" in headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers
    assert asked["Access-Control-Allow-Headers"] == "range"


async def test_a_file_goes_with_its_block(ada: Guest, inside: Inside) -> None:
    """In the trash it can be read; deleted for good it is gone, and its quota is free."""
    sender = Sender(ada, b"to be deleted")
    await sender.direct()
    path = f"/api/stream/{sender.block}/x"
    record = await inside.store.by_global_id(sender.block)
    assert record is not None
    await inside.app[CATALOGUE].close(record.id)

    assert (await ask(ada, path))[0] == 404
    assert (await sender.direct())[0] == 404
    assert (await inside.files.blobs.usage(ada.account)).files == 0


async def test_a_reader_that_goes_away_leaves_nothing_behind(ada: Guest, sent: Sender) -> None:
    """Others are served, and no descriptor stays open."""
    before = _open_files()
    for _ in range(20):
        response = await ada.http.get(f"/api/stream/{sent.block}/x", headers=ada.bearer)
        await response.content.readexactly(10)
        response.close()
    async with asyncio.timeout(PATIENCE_S):
        while _open_files() > before + 5:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    assert (await ask(ada, f"/api/stream/{sent.block}/x"))[2] == DATA


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_transfers_are_bounded(serve: Serve) -> None:
    """More than the settings say are told to come back; then there is room again."""
    inside = await serve(transfers_max=1)
    async with inside.visitor() as guest:
        sender = Sender(guest, DATA * 4)
        assert (await sender.direct())[0] == 200
        path = f"/api/stream/{sender.block}/x"
        slow = await guest.http.get(path, headers=guest.bearer)
        await slow.content.readexactly(1)
        refused = await ask(guest, path), await Sender(guest, b"1").direct()
        head = await ask(guest, path, "HEAD")
        slow.close()
        async with asyncio.timeout(PATIENCE_S):
            while (await ask(guest, path))[0] == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    assert refused[0][0] == 503
    assert refused[0][1]["Retry-After"]
    assert refused[1][0] == 503
    assert head[0] == 200


class Wire:
    """A way to a port of this machine that counts what comes back over it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.port = 0
        self.bytes = 0
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        back, forth = await asyncio.open_connection("127.0.0.1", self._port)

        async def pump(a: asyncio.StreamReader, b: asyncio.StreamWriter, *, count: bool) -> None:
            while data := await a.read(65536):
                self.bytes += len(data) if count else 0
                b.write(data)
                await b.drain()
            b.close()

        try:
            await asyncio.gather(
                pump(reader, forth, count=False),
                pump(back, writer, count=True),
                return_exceptions=True,
            )
        finally:
            forth.transport.abort()
            writer.transport.abort()


@pytest_asyncio.fixture(loop_scope="module")
async def wire(s3: Weed) -> AsyncIterator[Wire]:
    """A counted way to the object store."""
    async with Wire(s3.port) as made:
        yield made


async def test_of_an_object_store_only_the_range_is_fetched(
    serve: Serve, s3: Weed, wire: Wire
) -> None:
    """A few kilobytes for a few kilobytes, whatever the size of the file; the whole is whole."""
    options = {**s3.options, "aws_endpoint": f"http://127.0.0.1:{wire.port}"}
    given = tuple(f"{name}={value}" for name, value in options.items())
    inside = await serve(blobs_url=f"{s3.url}/ranges", blobs_options=given)
    async with inside.visitor() as guest:
        data = os.urandom(20_000_000)
        sender = Sender(guest, data)
        assert (await sender.direct())[0] == 200
        wire.bytes = 0
        path = f"/api/stream/{sender.block}/x"
        status, _, part = await ask(guest, path, Range="bytes=9000000-9009999")
        cost = wire.bytes
        head = await ask(guest, path, "HEAD")
        whole = await ask(guest, path)

    assert (status, part) == (206, data[9_000_000:9_010_000])
    assert cost < 20_000
    assert head[1]["Content-Length"] == "20000000"
    assert whole[2] == data


async def test_forged_credentials_store_nothing(serve: Serve, s3: Weed) -> None:
    """The object store refuses them; the caller gets 503 and nothing of it is said."""
    options = {**s3.options, "aws_secret_access_key": "another-secret"}
    given = tuple(f"{name}={value}" for name, value in options.items())
    inside = await serve(blobs_url=s3.url, blobs_options=given)
    async with inside.visitor() as guest:
        status, answer = await Sender(guest, b"x" * 1000).direct()

    assert (status, answer["error"]) == (503, "unavailable")
    assert "secret" not in str(answer)


async def _until_role(inside: Inside, guest: Guest, scope: str, role: Role) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await inside.realtime.rights.role_in(guest.account, scope) is not role:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
