"""`scripts/admin ascently`: a climber's dataset goes out as a folder and comes in again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from scripts._load.login import login
from tests.live import LiveServer

SCRIPT = Path(__file__).parents[2] / "scripts" / "admin"
DATASET = {
    "exportedAt": "2024-01-15T10:30:00.000Z",
    "version": "2.0",
    "formatVersion": "2.0",
    "gyms": [{"id": "g", "updatedAt": "2024-01-01T00:00:00.000Z", "extra": [1.0, None]}],
    "problems": [],
    "sessions": [],
    "attempts": [{"id": "a", "createdAt": "2024-01-01T00:00:00.000Z"}],
    "deletedItems": [{"id": "x", "type": "gym", "deletedAt": "2024-01-01T00:00:00.000Z"}],
}
IMAGE = b"\xff\xd8\xff image"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """A server with a database of its own."""
    running = LiveServer(tmp_path).start()
    yield running
    running.stop()


class Climber:
    """An account and its phone."""

    def __init__(self, server: LiveServer) -> None:
        self._url = server.url
        self._token = login(server.url).access_token
        self.account = str(json.loads(self.ask("POST", "/api/me", b"{}"))["user_id"])
        body = json.dumps({"name": "phone", "scopes": ["ascently:write"]}).encode()
        self._token = json.loads(self.ask("POST", "/api/access-tokens", body))["token"]

    def ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        """One request."""
        headers = {"Authorization": f"Bearer {self._token}"}
        request = Request(self._url + path, data, headers, method=method)
        with urlopen(request) as answer:
            body: bytes = answer.read()
            return body

    def whole(self) -> Any:
        """The dataset."""
        return json.loads(self.ask("GET", "/sync"))


def admin(server: LiveServer, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script beside the server."""
    return subprocess.run(
        [SCRIPT, "--data", server.folder / "data", "ascently", *words],
        env={"PLAIT_VENV": sys.prefix, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_was_exported_is_imported_as_it_was(server: LiveServer, tmp_path: Path) -> None:
    """With images, into another account, beside a running server; twice changes nothing."""
    ada, bob = Climber(server), Climber(server)
    ada.ask("POST", "/sync", json.dumps(DATASET).encode())
    ada.ask("POST", "/images/upload?filename=problem_p_0.jpg", IMAGE)
    folder = tmp_path / "backup"
    out = admin(server, "export", ada.account, str(folder))
    ins = [admin(server, "import", bob.account, str(folder)) for _ in range(2)]

    assert out.returncode == 0, out.stderr
    assert json.loads((folder / "ascently.json").read_text()) == DATASET
    assert (folder / "images" / "problem_p_0.jpg").read_bytes() == IMAGE
    assert [each.returncode for each in ins] == [0, 0], ins[0].stderr
    assert bob.whole() == ada.whole() == DATASET
    assert bob.ask("GET", "/images/download?filename=problem_p_0.jpg") == IMAGE
    delta = json.loads(bob.ask("POST", "/sync/delta", b"{}"))
    assert delta["gyms"] == DATASET["gyms"]


def test_what_cannot_be_is_one_sentence(server: LiveServer, tmp_path: Path) -> None:
    """No dataset, no file, a bad file: exit 1, and nothing is changed."""
    ada = Climber(server)
    (tmp_path / "ascently.json").write_text('{"gyms": [{}]}')
    said = [
        admin(server, "export", ada.account, str(tmp_path / "x")),
        admin(server, "import", ada.account, str(tmp_path / "none")),
        admin(server, "import", ada.account, str(tmp_path)),
    ]
    with pytest.raises(HTTPError) as unknown:
        ada.whole()
    unknown.value.close()

    assert [each.returncode for each in said] == [1, 1, 1]
    assert all(len(each.stderr.strip().splitlines()) == 1 for each in said)
    assert unknown.value.code == 404
