"""`scripts/admin`: whoever runs the server lets people in and shows them out."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError

import pytest
from nacl.signing import SigningKey

from scripts._load.login import login
from tests.live import LiveServer

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


def test_without_a_server_there_is_one_sentence(tmp_path: Path) -> None:
    """A folder that is no server's is named, and nothing is made in it."""
    done = admin(tmp_path / "elsewhere", "accounts")

    assert done.returncode == 1
    assert "no server's data" in done.stderr
    assert not (tmp_path / "elsewhere").exists()
