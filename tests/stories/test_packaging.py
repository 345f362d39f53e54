"""The package as people install it: built, installed, started from anywhere, and what is in it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import FULL

pytestmark = pytest.mark.xdist_group("processes")

ROOT = Path(__file__).parents[2]
READY = "Plait is ready at "
END_S_MAX = 60


def build(source: Path, folder: Path, *what: str) -> None:
    """Have the backend of pyproject.toml make packages, without asking any index."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", folder, *what]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("built")
    build(ROOT, folder)
    return folder


def pip(python: Path) -> list[str]:
    """How to call pip for another environment, wherever this machine has it."""
    for each in (sys.executable, getattr(sys, "_base_executable", sys.executable)):
        command = [each, "-m", "pip", "--python", str(python)]
        if (
            subprocess.run([*command, "--version"], capture_output=True, check=False).returncode
            == 0
        ):
            return command
    raise AssertionError("there is no pip on this machine")


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; what it needs is borrowed from the one that runs the tests.

    In the long form pip fetches that itself.
    """
    venv = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    if not FULL:
        (site,) = venv.glob("lib/python*/site-packages")
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        options += ["--no-deps", "--no-index"]
    (wheel,) = built.glob("*.whl")
    done = subprocess.run(
        [*pip(python), "install", *options, wheel], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return venv / "bin"


def clean() -> dict[str, str]:
    """An environment without this checkout in it."""
    drop = ("PLAIT_", "PYTHONPATH", "PYTHONSAFEPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(drop)}


@contextmanager
def serving(command: list[str | Path], cwd: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server from a command; its address."""
    said = cwd / "stderr"
    with (
        said.open("w") as errors,
        subprocess.Popen(
            command, cwd=cwd, env=clean(), text=True, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith(READY), said.read_text()
            yield line.removeprefix(READY).strip(), process
        finally:
            process.kill()


def test_the_wheel_serves_from_anywhere(installed: Path, tmp_path: Path) -> None:
    """`plait serve`: its own database, pages, OpenAPI; deep documents have their stack."""
    small = ["prlimit", "--stack=8388608:"]  # What a shell gives, whatever ran this test has.
    command = [*small, installed / "plait", "serve", "--port", "0", "--data", "kept"]
    with serving(command, tmp_path) as (url, process):
        found = {}
        for path in ("/readyz", "/", "/docs", "/api/openapi.json"):
            with urlopen(url + path) as answer:
                found[path] = answer.status
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        process.send_signal(signal.SIGTERM)
        code = process.wait(END_S_MAX)
    stack = next(line.split() for line in limits.splitlines() if line.startswith("Max stack"))
    verified = subprocess.run(
        [installed / "plait", "admin", "--data", "kept", "verify"],
        cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    version = subprocess.run(
        [installed / "plait", "--version"], capture_output=True, text=True, check=True
    )

    assert set(found.values()) == {200}
    assert "no such setting" not in (tmp_path / "stderr").read_text()
    assert stack[3] == "unlimited" or int(stack[3]) >= 1 << 30 or stack[3] == stack[4]
    assert code == 0
    assert (tmp_path / "kept" / "postgres" / "PG_VERSION").exists()
    assert "0 problems" in verified.stdout, verified.stderr
    assert version.stdout.startswith("plait ")


def test_what_the_wheel_needs_is_what_is_locked(built: Path) -> None:
    """Everything that it names stands in the lock of those who serve."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [n for n in packed.namelist() if n.endswith(".dist-info/METADATA")]
        about = packed.read(name).decode()
    needed = re.findall(r"^Requires-Dist: ([\w.-]+)(?![^\n]*extra ==)", about, re.MULTILINE)
    locked = (ROOT / "requirements" / "serve.lock").read_text("utf-8")
    names = {each.lower() for each in re.findall(r"^([\w.-]+)==", locked, re.MULTILINE)}

    assert len(needed) > 10
    assert {each.lower() for each in needed} - names == set()


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(built: Path) -> None:
    """Migrations, pages and their scripts with the code; no tests, no scripts."""
    (wheel,) = built.glob("*.whl")
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    packages = ("crdt", "auth", "storage", "server")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *packages]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    tracked = {n for n in listed.decode().split("\0") if n and (ROOT / n).is_file()}

    assert tracked - names == set()
    assert {name.split("/")[0] for name in names} == set(packages)


def test_the_sdist_makes_the_same_wheel(built: Path, tmp_path: Path) -> None:
    """So whoever packs Plait for a system can begin there."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        packed.extractall(tmp_path, filter="data")
    (source,) = [each for each in tmp_path.iterdir() if each.is_dir()]
    build(source, tmp_path / "again", "-t", "wheel")
    (wheel,), (again,) = built.glob("*.whl"), (tmp_path / "again").glob("*.whl")

    def contents(path: Path) -> dict[str, int]:
        return {each.filename: each.CRC for each in zipfile.ZipFile(path).infolist()}

    assert contents(again) == contents(wheel)
