"""`scripts/admin`: whoever runs the server lets people in and shows them out."""

import json
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from nacl.signing import SigningKey

from scripts._load.login import login
from tests.live import LiveServer
from tests.patience import PATIENCE_S

SCRIPT = Path(__file__).parents[2] / "scripts" / "admin"


def admin(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a server's data folder."""
    return subprocess.run(
        [SCRIPT, "--data", folder, *words],
        env={"PLAIT_VENV": sys.prefix, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_account_is_approved_disabled_and_enabled(tmp_path: Path) -> None:
    """A second account waits until the operator lets it in; a disabled one is shut out."""
    server = LiveServer(tmp_path, registration="approval").start()
    data = tmp_path / "data"
    try:
        login(server.url, SigningKey.generate())
        second = SigningKey.generate()
        with pytest.raises(HTTPError) as waits:
            login(server.url, second)
        (pending,) = [
            json.loads(line)
            for line in admin(data, "accounts", "--state", "pending", "--json").stdout.splitlines()
        ]
        approved = admin(data, "approve", pending["id"])
        login(server.url, second)
        disabled = admin(data, "disable", pending["id"])
        with pytest.raises(HTTPError) as shut_out:
            login(server.url, second)
    finally:
        server.stop()

    enabled = admin(data, "enable", pending["id"])  # Works while the server rests, too.
    unknown = admin(data, "approve", "nobody")

    waits.value.close()
    shut_out.value.close()
    assert waits.value.code == 403
    assert (approved.returncode, disabled.returncode) == (0, 0), approved.stderr + disabled.stderr
    assert shut_out.value.code == 403
    assert enabled.returncode == 0, enabled.stderr
    assert unknown.returncode == 1
    assert "nobody" in unknown.stderr


def test_a_refused_account_is_told_so(tmp_path: Path) -> None:
    """It is no longer among those that wait, and can be let in after all."""
    server = LiveServer(tmp_path, registration="approval").start()
    data = tmp_path / "data"
    try:
        login(server.url, SigningKey.generate())
        second = SigningKey.generate()
        with pytest.raises(HTTPError) as waits:
            login(server.url, second)
        waits.value.close()
        (pending,) = _accounts(data, "pending")
        refused = admin(data, "refuse", pending["id"])
        left = _accounts(data, "pending")
        with pytest.raises(HTTPError) as shut_out:
            login(server.url, second)
        reason = shut_out.value.read()
        shut_out.value.close()
        approved = admin(data, "approve", pending["id"])
        login(server.url, second)
    finally:
        server.stop()

    assert (refused.returncode, approved.returncode) == (0, 0), refused.stderr + approved.stderr
    assert left == []
    assert b"account_disabled" in reason


def _accounts(data: Path, state: str) -> list[dict[str, str]]:
    listed = admin(data, "accounts", "--state", state, "--json")
    return [json.loads(line) for line in listed.stdout.splitlines()]


def test_the_last_administrator_is_not_shut_out(tmp_path: Path) -> None:
    """One sentence says what to do first."""
    server = LiveServer(tmp_path).start()
    data = tmp_path / "data"
    try:
        login(server.url, SigningKey.generate())
        (only,) = _accounts(data, "active")
        done = [admin(data, word, only["id"]) for word in ("disable", "uncrown")]
    finally:
        server.stop()

    assert [one.returncode for one in done] == [1, 1]
    assert all("last administrator" in one.stderr for one in done)


def test_tokens_are_made_listed_and_revoked(tmp_path: Path) -> None:
    """What is printed opens the API of its scope until it is revoked."""
    server = LiveServer(tmp_path).start()
    data = tmp_path / "data"
    try:
        login(server.url, SigningKey.generate())
        (account,) = [one["id"] for one in _accounts(data, "active")]
        made = admin(data, "token", "make", account, "--scope", "heaps:read", "--days", "1")
        opened = _heaps(server.url, made.stdout.strip())
        listed = admin(data, "token", "list", account, "--json").stdout
        token = json.loads(listed)
        revoked = admin(data, "token", "revoke", token["id"])
        ends = time.monotonic() + PATIENCE_S
        while _heaps(server.url, made.stdout.strip()) == 200 and time.monotonic() < ends:
            time.sleep(0.05)
        closed = _heaps(server.url, made.stdout.strip())
        again = admin(data, "token", "revoke", token["id"])
        wrong = admin(data, "token", "make", account, "--scope", "heaps:own")
        nobody = admin(data, "token", "make", "nobody", "--scope", "heaps:read")
    finally:
        server.stop()

    assert made.stdout.startswith("plait_pat_"), made.stderr
    assert (opened, revoked.returncode, closed) == (200, 0, 401)
    assert token["scopes"] == ["heaps:read"]
    assert made.stdout.strip() not in listed
    assert [one.returncode for one in (again, wrong, nobody)] == [1, 1, 1]
    assert "scopes" in wrong.stderr


def _heaps(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with urlopen(Request(f"{url}/api/heaps", data=b"{}", headers=headers)) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def test_without_a_server_there_is_one_sentence(tmp_path: Path) -> None:
    """A folder that is no server's is named, and nothing is made in it."""
    done = admin(tmp_path / "elsewhere", "accounts")

    assert done.returncode == 1
    assert "no server's data" in done.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_an_account_is_told_where_it_may_scan(tmp_path: Path) -> None:
    """Nowhere at first; then below a folder, until that is taken back."""
    server = LiveServer(tmp_path).start()
    data, folder = tmp_path / "data", tmp_path / "photos"
    folder.mkdir()
    try:
        login(server.url, SigningKey.generate())
        (account,) = [
            json.loads(line)["id"] for line in admin(data, "accounts", "--json").stdout.splitlines()
        ]
        said = [
            admin(data, "root", account).stdout.strip(),
            admin(data, "root", account, str(folder)).stdout.strip(),
            admin(data, "root", account, "--none").stdout.strip(),
        ]
        wrong = [
            admin(data, "root", account, str(folder / "missing")),
            admin(data, "root", "nobody", str(folder)),
        ]
    finally:
        server.stop()

    assert said == ["(nowhere)", str(folder.resolve()), "(nowhere)"]
    assert [one.returncode for one in wrong] == [1, 1]
    assert all(one.stderr.startswith("scripts/admin: ") for one in wrong)
