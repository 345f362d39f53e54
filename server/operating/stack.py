"""Room for deep documents: pycrdt walks them by native recursion, and 8 MB let 26 kB kill us.

`scripts/serve` raises the limit before it starts Python (`scripts/_environment.sh` says why so
much); a program that was installed as a package starts itself once more under the raised limit,
because the kernel lays a process out by the limit that it starts with.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence

STACK_BYTES = 1 << 30
_MARK = "_PLAIT_STACK_RAISED"
"""Not under the prefix of settings: it is none, and would be complained of as one unknown."""


def raise_stack(words: Sequence[str]) -> None:
    """Replace this process by `python -m server WORDS` under a raised limit, unless that is so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted or _MARK in os.environ:
        return
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
    command = [sys.executable, "-P", "-m", "server", *words]
    os.execve(sys.executable, command, {**os.environ, _MARK: "1"})  # noqa: S606  ourselves
