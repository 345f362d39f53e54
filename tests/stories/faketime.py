"""A clock that can be set while a server runs: libfaketime, for that process alone.

Only the time of day moves; what counts seconds (timers, deadlines) goes on as it does when somebody
sets a machine's clock. PostgreSQL keeps the real time, as one on another machine would.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

_PLACES = ("/usr/lib", "/usr/local/lib")


def library() -> Path:
    """The library, installed from Debian where we are root; without it the test fails."""
    found = _find()
    if found is None and os.geteuid() == 0:
        for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends",
                                           "libfaketime"]):  # fmt: skip
            subprocess.run(
                ["/usr/bin/apt-get", *command],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                check=False,
                capture_output=True,
            )
        found = _find()
    if found is None:
        pytest.fail("libfaketime is missing (Debian, Ubuntu: apt-get install libfaketime)")
    return found


def _find() -> Path | None:
    for place in _PLACES:
        for path in Path(place).glob("**/libfaketime.so.1"):
            return path
    return None


class Clock:
    """The clock of one process; `prefix` starts it under that clock."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)
        self.prefix = (
            "/usr/bin/env",
            f"LD_PRELOAD={library()}",
            f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        )

    def set(self, offset_s: int) -> None:
        """So many seconds from the real time, from now on."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{offset_s:+d}s\n")
        draft.replace(self._file)
