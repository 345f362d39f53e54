"""Schemathesis sends the running server what its own description allows, and what it does not.

The description is the judge: no status that it does not list, no body that its schema does not
allow, and never a fault of the server.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pycrdt import Doc, Text

from tests.conftest import FULL
from tests.live import ROOT, LiveServer
from tests.server.person import Person

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
EXAMPLES = 200 if FULL else 3
"""Random requests to each route."""
ENDS_THE_LOGIN = "^/api/(auth/logout|sessions?)$"
"""After these the caller would be nobody in particular."""


@dataclass
class Served:
    """A running server with something in it, and who owns that."""

    live: LiveServer
    owner: Person
    known: dict[str, list[str]]


@pytest.fixture
async def served(database: str, tmp_path: Path) -> AsyncIterator[Served]:
    """A server process with heaps and blocks of one person, and another person's."""
    live = LiveServer(
        tmp_path / "server",
        database_url=database,
        login_attempts_per_minute=1_000_000,
        metrics_token="for-the-operator",
    )
    await asyncio.to_thread(live.start)
    async with aiohttp.ClientSession(live.url) as session:
        client: Any = session
        owner = await Person().log_in(client)
        other = await Person().log_in(client)
        known = await fill(session, owner)
        known["heap_id"].append(other.workspace)
        known["workspace_id"] = known["id"] = known["heap_id"]
        yield Served(live, owner, known)
    await asyncio.to_thread(live.kill)


async def fill(session: aiohttp.ClientSession, owner: Person) -> dict[str, list[str]]:
    """Heaps to delete, and blocks in the one that cannot be deleted."""
    heaps = [owner.workspace]
    for _ in range(3):
        async with session.post("/api/heap/add", json={}, headers=owner.bearer) as answer:
            assert answer.status == 200, await answer.text()
            heaps.append((await answer.json())["heap_id"])
    doc: Doc[Any] = Doc()
    doc["text"] = Text("a text")
    update = base64.b64encode(doc.get_update()).decode()
    blocks = [f"01J9ZV3M8Q4R5S6T7V8W9X0Y{number:02}" for number in range(12)]
    pushed = [
        {"block_id": block, "workspace_id": owner.workspace, "update": update} for block in blocks
    ]
    async with session.post(
        "/api/sync/push", json={"blocks": pushed}, headers=owner.bearer
    ) as answer:
        assert answer.status == 200, await answer.text()
    return {
        "heap_id": heaps,
        "block_id": blocks,
        "block_key": blocks,
        "document": blocks,
        "sequence": ["1"],
        "update": [update],
    }


async def ask(served: Served, phases: str, *more: str) -> str:
    """Let schemathesis ask every route; what it found, empty when that is nothing."""
    description = served.live.folder / "openapi.json"
    async with (
        aiohttp.ClientSession(served.live.url) as web,
        web.get("/api/openapi.json") as answer,
    ):
        description.write_bytes(await answer.read())
    command = [
        *(sys.executable, "-P", "-m", "schemathesis.cli", "run"),
        *(str(description), "--url", served.live.url),
        *("--checks", ",".join(CHECKS)),
        *("--phases", phases, *(("--max-time", "600") if FULL else ())),
        *("--max-examples", str(EXAMPLES), "--no-color", "--warnings", "off"),
        *("--generation-database", "none", "--continue-on-failure", "--request-timeout", "60"),
        *(() if FULL else ("--seed", "1")),
        *more,
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.stories.conformance_hooks",
            "KNOWN": json.dumps(served.known),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=served.live.folder,
    )
    said = (await process.communicate())[0].decode()
    selected, tested = (re.search(rf"{word}: *(\d+)", said) for word in ("Selected", "Tested"))
    assert selected is not None, said
    assert tested is not None, said
    is_whole = selected.group(1) == tested.group(1) and "Time limit" not in said
    return "" if process.returncode == 0 and is_whole else said


async def test_a_caller_with_a_token_meets_only_what_is_described(served: Served) -> None:
    """An owner of heaps and blocks, with requests of every shape."""
    token = f"Authorization: Bearer {served.owner.access}"
    found = await ask(
        served,
        "coverage,fuzzing" if FULL else "coverage",
        *("-H", token),
        *("--exclude-path-regex", ENDS_THE_LOGIN),
    )

    assert not found, found
    assert "Traceback" not in served.live.log, served.live.log


async def test_a_caller_without_one_meets_only_what_is_described(served: Served) -> None:
    """Nobody in particular, with requests of every shape."""
    found = await ask(served, "coverage,fuzzing" if FULL else "fuzzing")

    assert not found, found
    assert "Traceback" not in served.live.log, served.live.log
