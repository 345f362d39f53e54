"""`.heaperignore`: patterns of what a scan leaves out, written like `.gitignore`.

A file of that name speaks for its folder and what is below; what is deeper has the last word.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pathspec

NAME = ".heaperignore"
_BYTES_MAX = 64 * 1024
_LINES_MAX = 1000
_LINE_MAX = 300
_STARS_MAX = 12
"""Stars of one pattern: a regular expression of many more can take very long over one name."""


class Rules(NamedTuple):
    """The patterns of one folder."""

    spec: pathspec.GitIgnoreSpec
    depth: int
    """How many parts of a path lie before it."""


def read(folder: int, depth: int) -> Rules | None:
    """The patterns in an open folder; None where there are none, or none that can be read."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        opened = os.open(NAME, flags, dir_fd=folder)
    except OSError:
        return None
    try:
        text = os.read(opened, _BYTES_MAX).decode("utf-8-sig", "replace")
    except OSError:
        return None
    finally:
        os.close(opened)
    return parse(text, depth)


def parse(text: str, depth: int = 0) -> Rules | None:
    """Patterns, one a line; lines that are too long or too clever are left out."""
    import pathspec  # noqa: PLC0415  slow to import, and few folders have such a file

    lines = [
        line
        for line in text.splitlines()[:_LINES_MAX]
        if line.strip() and len(line) <= _LINE_MAX and line.count("*") <= _STARS_MAX
    ]
    kept = []
    for line in lines:
        try:
            pathspec.GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        kept.append(line)
    return Rules(pathspec.GitIgnoreSpec.from_lines(kept), depth) if kept else None


def is_ignored(chain: list[Rules], parts: tuple[str, ...], *, is_folder: bool) -> bool:
    """Whether something is left out, by the patterns of all folders above it."""
    for rules in reversed(chain):
        path = "/".join(parts[rules.depth :]) + ("/" if is_folder else "")
        verdict = rules.spec.check_file(path).include
        if verdict is not None:
            return bool(verdict)
    return False
