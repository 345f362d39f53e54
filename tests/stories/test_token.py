"""`scripts/token`: from a running server to something that a provider can show."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.live import LiveServer

SCRIPT = Path(__file__).parents[2] / "scripts" / "token"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that anybody on this machine may register at."""
    live = LiveServer(tmp_path_factory.mktemp("token")).start()
    yield live
    live.stop()


def _token(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *words, "--key", folder / "key"],
        env={"PLAIT_VENV": sys.prefix, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_document_token_opens_the_document(server: LiveServer, tmp_path: Path) -> None:
    """The first call makes the key and the document; the token reads it."""
    done = _token(tmp_path, "my-document", "--url", server.url)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    headers = {"Authorization": f"Bearer {done.stdout.strip()}"}
    with urlopen(Request(f"{server.url}/d/my-document/as-update", headers=headers)) as answer:
        assert answer.read() == b"\0\0"


def test_the_same_key_is_the_same_account(server: LiveServer, tmp_path: Path) -> None:
    """A second call finds the document of the first; another key does not."""
    (tmp_path / "other").mkdir()
    _token(tmp_path, "mine", "--url", server.url)
    access = [_token(folder, "--url", server.url).stdout.strip() for folder in
              (tmp_path, tmp_path / "other")]  # fmt: skip

    found = [_status(f"{server.url}/d/mine/as-update", token) for token in access]

    assert found == [200, 404]


def _status(url: str, token: str) -> int:
    try:
        with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"})) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One sentence, no traceback, exit 1."""
    done = _token(tmp_path, "x", "--url", "http://127.0.0.1:9")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("scripts/token: http://127.0.0.1:9 cannot be reached")
