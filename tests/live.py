"""A real server process for tests: started, killed and restarted as a person would do it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READY = "Plait is ready at "
READY_S_MAX = 60.0
END_S_MAX = 60.0


class LiveServer:
    """`python -m server` on a port of its own; the same port after a restart.

    Settings are given by their names; stdout and stderr are kept in `log`.
    """

    def __init__(self, folder: Path, *, prefix: tuple[str, ...] = (), **settings: object) -> None:
        self.folder = folder
        self.prefix = prefix
        """What to start it with, a wrapper that executes it."""
        self.settings = settings
        self.port = 0
        self.log = ""
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The address for REST."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        """The address for WebSockets, without a path."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.process
        return self.process.pid

    def start(self) -> "LiveServer":
        """Start it and wait for its line. Fails with what it said when it does not come."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # An event of this start's own: the threads of one that was killed may still be ending.
        ready = threading.Event()
        process = self.process = subprocess.Popen(
            [*self.prefix, sys.executable, "-P", "-m", "server"],
            env={**_bare(os.environ), **self._environment()},
            cwd=self.folder, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        for stream in (process.stdout, process.stderr):
            threading.Thread(target=self._read, args=(stream, process, ready), daemon=True).start()
        if not ready.wait(READY_S_MAX) or process.poll() is not None:
            self.kill()
            raise AssertionError(f"the server did not become ready:\n{self.log}")
        return self

    def _environment(self) -> dict[str, str]:
        values = {"port": self.port, "data": self.folder / "data", **self.settings}
        given = {f"PLAIT_{name.upper()}": str(value) for name, value in values.items()}
        return {**given, "PYTHONPATH": str(ROOT)}

    def _read(
        self,
        stream: "subprocess.IO[str]",  # type: ignore[name-defined]
        process: subprocess.Popen[str],
        ready: threading.Event,
    ) -> None:
        with stream:
            for line in stream:
                self.log += line
                if line.startswith(READY):
                    self.port = int(line.rsplit(":", 1)[1])
                    ready.set()
        if process.poll() is not None:
            ready.set()

    def kill(self) -> None:
        """SIGKILL: no chance to say or save anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; answers the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, word: signal.Signals) -> int:
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(word)
        try:
            return self.process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server ignored {word.name}:\n{self.log}") from None


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of a server that its owner may run."""
    return {name: value for name, value in environment.items() if not name.startswith("PLAIT_")}
