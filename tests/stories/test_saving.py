"""`scripts/admin backup`, `restore`, `verify` beside a running server, as an operator does it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from nacl.signing import SigningKey
from pycrdt import Doc, Text, XmlElement, XmlFragment, XmlText

from scripts._load.login import login
from server.admin.__main__ import main
from tests.live import LiveServer

SCRIPT = Path(__file__).parents[2] / "scripts" / "admin"
pytestmark = pytest.mark.xdist_group("processes")

BLOCK = "01J9ZV3M8Q4R5S6T7V8W9X0YZA"
LATER = "01J9ZV3M8Q4R5S6T7V8W9X0YZB"
FILE = b"bytes of a file"
HASH = hashlib.sha256(FILE).hexdigest()


class Ada:
    """Somebody with a key and what she asks of a server."""

    def __init__(self, server: LiveServer, key: SigningKey) -> None:
        self._server = server
        known = login(server.url, key)
        self._token, self.workspace = known.access_token, known.workspace_id

    def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> bytes:
        """One request that must succeed."""
        shown = {"Authorization": f"Bearer {self._token}", **headers}
        request = Request(self._server.url + path, data, shown, method=method)
        with urlopen(request) as answer:
            body: bytes = answer.read()
            return body

    def write(self, block: str, doc: Doc[Any]) -> None:
        """Push a block as it is."""
        self.ask("POST", "/doc/new", json.dumps({"docId": block}).encode())
        self.ask("POST", f"/d/{block}/update", doc.get_update())

    def read(self, block: str) -> str:
        """The title of a block."""
        doc: Doc[Any] = Doc()
        doc.apply_update(self.ask("GET", f"/d/{block}/as-update"))
        return str(doc.get("title_v0", type=XmlFragment))

    def upload(self, block: str) -> None:
        """Give a block a file."""
        form = (
            f'--x\r\nContent-Disposition: form-data; name="hash"\r\n\r\n{HASH}\r\n'
            '--x\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n'
            f"Content-Type: application/octet-stream\r\n\r\n{FILE.decode()}\r\n--x--\r\n"
        )
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        path = f"/api/upload/file/{self.workspace}/{block}"
        self.ask("POST", path, form.encode(), **headers)

    def file(self, block: str) -> bytes:
        """The block's file."""
        return self.ask("GET", f"/api/file/{block}/raw/{HASH}")


def titled(doc: Doc[Any], title: str) -> None:
    """Put a paragraph into the title."""
    fragment = doc.get("title_v0", type=XmlFragment)
    fragment.children.append(XmlElement("p", contents=[XmlText(title)]))


def admin(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a data folder."""
    return subprocess.run(
        [SCRIPT, "--data", data, *words],
        env={"PLAIT_VENV": sys.prefix, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def done(ended: subprocess.CompletedProcess[str]) -> str:
    """What a run said that must have succeeded."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, SigningKey]:
    """A backup of a server that ran all the while, and a moment before the last edits."""
    folder, key = tmp_path_factory.mktemp("saved"), SigningKey.generate()
    server = LiveServer(folder).start()
    try:
        ada = Ada(server, key)
        doc: Doc[Any] = Doc()
        titled(doc, "Garden")
        doc.get("content_v0", type=XmlFragment)
        ada.write(BLOCK, doc)
        ada.upload(BLOCK)
        moment = datetime.now(UTC).isoformat()
        time.sleep(0.01)
        titled(doc, "spoilt")
        ada.write(BLOCK, doc)
        other: Doc[Any] = Doc()
        titled(other, "Later")
        other["notes"] = Text("came later")
        ada.write(LATER, other)
        ada.ask(
            "POST",
            "/api/search",
            json.dumps({"query": "Garden", "heap_id": ada.workspace}).encode(),
        )
        sound = done(admin(folder / "data", "verify", "--blobs"))
        said = done(admin(folder / "data", "backup", str(folder / "backup")))
        again = done(
            admin(folder / "data", "backup", str(folder / "next"), "--base", str(folder / "backup"))
        )
    finally:
        server.stop()
    assert "0 problems" in sound
    assert "1 files (1 copied)" in said
    assert "1 files (0 copied)" in again
    return folder, moment, key


def test_a_backup_comes_back_whole(story: tuple[Path, str, SigningKey], tmp_path: Path) -> None:
    """Into a new folder, with people, keys and files; the same key opens it."""
    folder, _, key = story
    verified = done(admin(tmp_path / "unused", "verify", str(folder / "next"), "--blobs"))
    done(admin(tmp_path / "data", "restore", str(folder / "backup")))
    server = LiveServer(tmp_path).start()
    try:
        ada = Ada(server, key)
        found = (ada.read(BLOCK), ada.read(LATER), ada.file(BLOCK))
    finally:
        server.stop()

    assert "0 problems" in verified
    assert "1 files" in verified
    assert found == ("<p>Garden</p><p>spoilt</p>", "<p>Later</p>", FILE)


def test_a_backup_comes_back_as_it_was_at_a_moment(
    story: tuple[Path, str, SigningKey], tmp_path: Path
) -> None:
    """What was written later is not there, what was there is."""
    folder, moment, key = story
    said = done(admin(tmp_path / "data", "restore", str(folder / "backup"), "--to", moment))
    server = LiveServer(tmp_path).start()
    try:
        ada = Ada(server, key)
        with pytest.raises(HTTPError) as later:
            ada.read(LATER)
        later.value.close()
        found = (ada.read(BLOCK), ada.file(BLOCK))
        account = json.loads(ada.ask("POST", "/api/me", b"{}"))["user_id"]
    finally:
        server.stop()
    data = ["--data", str(tmp_path / "data")]
    main([*data, "export", account, str(tmp_path / "hers.tar")])
    with tarfile.open(tmp_path / "hers.tar") as packed:
        exported = set(packed.getnames())
    with pytest.raises(SystemExit, match="last administrator"):
        main([*data, "remove", account, "--yes"])

    assert {"account.json", f"files/{HASH}"} <= exported
    assert any(name.endswith(f"{BLOCK}.md") for name in exported)
    assert "1 documents came later" in said
    assert later.value.code == 404
    assert found == ("<p>Garden</p>", FILE)
    assert "0 problems" in done(admin(tmp_path / "data", "verify"))


def test_a_backup_is_never_put_over_something(
    story: tuple[Path, str, SigningKey], tmp_path: Path
) -> None:
    """Neither over a database nor over another backup; damage is named before anything is done."""
    folder, _, _ = story
    data, backup = tmp_path / "data", str(folder / "backup")
    table = folder / "next" / "tables" / "updates.copy"
    table.write_bytes(table.read_bytes()[:-1])
    refused = {
        "holds a database already": (folder / "data", "restore", backup),
        "is there already": (folder / "data", "backup", backup),
        "is no backup": (data, "restore", str(tmp_path)),
        "is no time": (data, "restore", backup, "--to", "yesterday"),
        "is no document and row": (data, "restore", backup, "--sequence", "x=y"),
        "is damaged": (data, "restore", str(folder / "next")),
    }
    for said, (place, *words) in refused.items():
        with pytest.raises(SystemExit, match=said):
            main(["--data", str(place), *words])

    assert not (data / "postgres").exists()
