"""The least that aiohttp needs to take a file and give it back: no hash, no fsync, nobody asked.

python bare_files_server.py PORT FOLDER. PUT /raw and POST /form write one file, GET /file reads it.
"""

import sys
from pathlib import Path

import uvloop
from aiohttp import web

FOLDER = Path(sys.argv[2])
FILE = FOLDER / "file"


async def raw(request: web.Request) -> web.Response:
    """Write the body to a file as it comes."""
    with FILE.open("wb") as file:
        async for part in request.content.iter_any():
            file.write(part)
    return web.Response()


async def form(request: web.Request) -> web.Response:
    """Write the file of a form, as aiohttp's documentation has it."""
    async for part in await request.multipart():
        if part.filename is not None:
            with FILE.open("wb") as file:
                while piece := await part.read_chunk(1 << 16):
                    file.write(piece)
    return web.Response()


async def give(_request: web.Request) -> web.FileResponse:
    """Give it back."""
    return web.FileResponse(FILE)


async def serve() -> web.Application:
    """The application."""
    app = web.Application(client_max_size=0)
    app.router.add_put("/raw", raw)
    app.router.add_post("/form", form)
    app.router.add_get("/file", give)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(serve(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
