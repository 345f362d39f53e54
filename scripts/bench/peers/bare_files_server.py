"""The least that aiohttp needs to take a file and give it back: no hash, no fsync, nobody asked.

python bare_files_server.py PORT FOLDER. POST /form writes one file, PUT /chunk/N a part of it, POST
/complete joins the parts, GET /file reads it, whole or a range.
"""

import shutil
import sys
from pathlib import Path

import uvloop
from aiohttp import web

FOLDER = Path(sys.argv[2])
FILE = FOLDER / "file"


async def chunk(request: web.Request) -> web.Response:
    """Write the body to a part as it comes."""
    with part(int(request.match_info["number"])).open("wb") as file:
        async for piece in request.content.iter_any():
            file.write(piece)
    return web.Response()


async def complete(_request: web.Request) -> web.Response:
    """Join the parts, one after the other, and take them away."""
    with FILE.open("wb") as whole:
        number = 0
        while part(number).exists():
            with part(number).open("rb") as file:
                shutil.copyfileobj(file, whole, 1 << 20)
            part(number).unlink()
            number += 1
    return web.Response()


def part(number: int) -> Path:
    """Where a chunk lies until all are here."""
    return FOLDER / f"part{number}"


async def form(request: web.Request) -> web.Response:
    """Write the file of a form, as aiohttp's documentation has it."""
    async for field in await request.multipart():
        if field.filename is not None:
            with FILE.open("wb") as file:
                while piece := await field.read_chunk(1 << 16):
                    file.write(piece)
    return web.Response()


async def give(_request: web.Request) -> web.FileResponse:
    """Give it back."""
    return web.FileResponse(FILE)


async def serve() -> web.Application:
    """The application."""
    app = web.Application(client_max_size=0)
    app.router.add_post("/form", form)
    app.router.add_put("/chunk/{number}", chunk)
    app.router.add_post("/complete", complete)
    app.router.add_get("/file", give)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(serve(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
