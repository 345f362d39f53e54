"""`scripts/serve` as a person runs it: ready, stopped, started again, and what it says if it fails.

Everything goes through the shell script; only the environment is the one that runs these tests.
"""

import json
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "serve"
READY = "Plait is ready at "
START_S_MAX = 3.0


class Served:
    """One run of the script: its process, its address, and all that it said."""

    def __init__(self, process: subprocess.Popen[str], said: Path) -> None:
        self.process = process
        self._said = said
        self.stdout = process.stdout.readline() if process.stdout else ""
        self.family = psutil.Process(process.pid).children(recursive=True) if self.stdout else []

    @property
    def url(self) -> str:
        """The address that its line names."""
        assert self.stdout.startswith(READY), self.stderr
        return self.stdout.removeprefix(READY).strip()

    @property
    def stderr(self) -> str:
        """What it has said on stderr."""
        return self._said.read_text()

    def stop(self, word: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop, collect the rest of stdout, return the exit code."""
        self.process.send_signal(word)
        return self.end()

    def end(self) -> int:
        """Wait for its end and return the exit code."""
        rest, _ = self.process.communicate(timeout=PATIENCE_S)
        self.stdout += rest
        return self.process.returncode


@contextmanager
def serve(
    data: Path, *options: str, cwd: Path = ROOT, prefix: tuple[str, ...] = (), **spawn: object
) -> Iterator[Served]:
    """Run the script until the block ends; by then it must not be there any more."""
    with (
        tempfile.NamedTemporaryFile(prefix="plait-tests-") as said,
        subprocess.Popen(
            [*prefix, str(SCRIPT), "--port", "0", "--data", str(data), *options],
            cwd=cwd,
            env=_environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            **spawn,
        ) as process,
    ):
        try:
            yield Served(process, Path(said.name))
        finally:
            process.kill()


def _environ() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PLAIT_")}
    return {**clean, "PLAIT_VENV": sys.prefix}


def _get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return int(answer.status)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that was served from before."""
    folder = tmp_path_factory.mktemp("served")
    with serve(folder) as served:
        assert served.url
        assert served.stop() == 0
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_told_to_stop(data: Path, word: signal.Signals) -> None:
    """One line on stdout, answers, exits 0 on the signal and leaves no process."""
    with serve(data) as served:
        status = _get(served.url + "/api/health")
        port = served.url.rsplit(":", 1)[1]

        code = served.stop(word)

        assert (status, code) == (200, 0)
        assert served.stdout == f"{READY}http://127.0.0.1:{port}\n"
        assert len(served.family) > 3  # PostgreSQL was one of them.
        assert not [child for child in served.family if child.is_running()]


def test_a_second_start_takes_no_longer_than_three_seconds(data: Path) -> None:
    """From the command to the line, with the embedded database and its migrations.

    Seconds in which others had the processors do not count.
    """
    seconds = []
    while len(seconds) < 3 and min(seconds, default=START_S_MAX) >= START_S_MAX:
        started = time.monotonic()
        with serve(data) as served:
            assert served.url
            took = time.monotonic() - started
            family = [served.process.pid, *(child.pid for child in served.family)]
            seconds.append(took - sum(map(_queued_s, family)))
            assert served.stop() == 0

    assert min(seconds) < START_S_MAX, seconds


def _queued_s(pid: int) -> float:
    """Seconds that a process could have run in, and others did; 0 where nobody counts them."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def test_its_log_is_json_where_nobody_watches(data: Path) -> None:
    """Each line on stderr is one JSON object with a time, a level and a message."""
    with serve(data, "--log-level", "debug") as served:
        served.stop()
        lines = [json.loads(line) for line in served.stderr.splitlines()]

    assert lines
    assert all({"time", "level", "message"} <= line.keys() for line in lines)


def test_a_signal_during_the_start_stops_it_too(data: Path) -> None:
    """Told to stop before it is ready, it goes without a line and without an error."""
    for wait_s in (0.0, 0.3, 0.45):
        command = [str(SCRIPT), "--port", "0", "--data", str(data)]
        with subprocess.Popen(
            command, env=_environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                process.wait(wait_s)
            except subprocess.TimeoutExpired:
                process.terminate()
            out, err = process.communicate(timeout=PATIENCE_S)

            # Before Python listens the signal itself ends it; afterwards it is a clean stop.
            assert process.returncode in {0, -signal.SIGTERM}, err
            assert "Traceback" not in err
            assert out == "" or out.startswith(READY)


def test_a_taken_port_is_named_in_one_sentence(data: Path) -> None:
    """Exit 1 without a traceback, and without a PostgreSQL left behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with serve(data, "--port", str(port)) as served:
            code = served.end()

            assert (code, served.stdout) == (1, "")
            assert f"cannot listen on 127.0.0.1 port {port}" in served.stderr
            assert "(setting port)" in served.stderr
            assert "Traceback" not in served.stderr
    assert not _processes_in(data)


def test_a_server_that_cannot_listen_prints_no_setup_code(data: Path) -> None:
    """An address of another machine: the setting is named, and nobody is shown a code."""
    with serve(data, "--host", "192.0.2.1") as served:
        code = served.end()

        assert (code, served.stdout) == (1, "")
        assert "(setting host)" in served.stderr
        assert "setup code" not in served.stderr
        assert "Traceback" not in served.stderr


def test_a_data_folder_that_is_served_is_refused(data: Path) -> None:
    """The second server says who has it; the first one goes on answering."""
    with serve(data) as first:
        with serve(data) as second:
            assert second.end() == 1
            assert f"process {first.process.pid}" in second.stderr

        assert _get(first.url + "/api/health") == 200
        assert first.stop() == 0


def _processes_in(data: Path) -> list[psutil.Process]:
    """The processes that work in a folder of this data, as PostgreSQL's do."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(data):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # Ended meanwhile, or not ours to ask.
    return found


def test_a_given_database_is_used_instead_of_an_embedded_one(tmp_path: Path, database: str) -> None:
    """With a URL no PostgreSQL is started and none is made in the data folder."""
    with serve(tmp_path, "--database-url", database) as served:
        assert _get(served.url + "/api/health") == 200
        names = [child.name() for child in served.family]
        assert served.stop() == 0

    assert "postgres" not in names
    assert not (tmp_path / "postgres").exists()


def test_it_may_be_called_from_anywhere(data: Path, tmp_path: Path) -> None:
    """Through a link, from a folder whose own `server` and `auth` are not ours."""
    for name in ("server", "auth", "asyncio"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not ours')")

    with serve(data, cwd=tmp_path) as served:
        assert _get(served.url + "/api/health") == 200
        assert served.stop() == 0


def test_the_stack_outlasts_pycrdts_recursion(data: Path) -> None:
    """1 GiB of stack, or all that the system allows, before Python starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = 1 << 30 if hard == resource.RLIM_INFINITY else min(hard, 1 << 30)

    with serve(data) as served:
        soft, _ = resource.prlimit(served.process.pid, resource.RLIMIT_STACK)
        served.stop()

    assert soft == wanted


def test_help_needs_no_server() -> None:
    """--help explains the settings on stdout and exits 0."""
    done = subprocess.run(
        [SCRIPT, "--help"], env=_environ(), capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "--database-url  [PLAIT_DATABASE_URL]" in done.stdout


def test_help_may_be_cut_short() -> None:
    """`scripts/serve --help | head -1` prints one line and no traceback."""
    done = subprocess.run(
        ["sh", "-c", f"{SCRIPT} --help | head -1"],
        env=_environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_a_bad_setting_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """One line on stderr, exit 2, and no data folder."""
    with serve(tmp_path / "data", "--idle-s", "soon") as served:
        code = served.end()

        assert (code, served.stdout) == (2, "")
        assert served.stderr == "plait: --idle-s: 'soon' is not a number\n"
        assert not (tmp_path / "data").exists()


def test_it_works_as_an_ordinary_user() -> None:
    """Without root it runs PostgreSQL as itself; what it makes belongs to it."""
    folder = Path(tempfile.mkdtemp(prefix="plait-tests-"))
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        os.chown(folder, user.pw_uid, user.pw_gid)
        # The right to read is kept, because the Python of these tests may lie in root's home.
        rights = ("--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search")
        ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        prefix = ("setpriv", *ids, *rights, "--bounding-set", "-all,+dac_read_search")

    with serve(folder / "data", prefix=prefix) as served:
        assert _get(served.url + "/api/health") == 200
        owners = {member.uids().effective for member in served.family}
        assert served.stop() == 0

    assert owners == {user.pw_uid}
    assert {path.stat().st_uid for path in folder.rglob("*")} == {user.pw_uid}
    shutil.rmtree(folder)
