"""Which folder a request means. An administrator says where an account may scan; nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from auth.errors import Forbidden
from server.errors import ApiError, BadBody, NotFound

_PATH_BYTES_MAX = 4096


class RootAway(ApiError):
    """Which of several nodes answers is chance, and a disk may not be mounted: 503, ask again."""

    retry_after_s = 2.0

    def __init__(self) -> None:
        message = "the folder that this account may scan is not on the machine that answers"
        super().__init__(503, "scan_root_away", message)


def check_root(path: str) -> str:
    """The folder that an administrator names, without links. Raises BadBody where it is none."""
    if not path.startswith("/") or "\0" in path or not _is_text(path):
        raise BadBody("a root is the absolute path of a folder")
    real = os.path.realpath(path)
    if not os.path.isdir(real):  # noqa: PTH112 (bytes of names matter, not their meaning)
        raise BadBody("there is no such folder")
    if real == "/":
        raise BadBody("the whole machine is no root")
    return real


def check_here(root: str) -> None:
    """Raise RootAway where the root is not on this machine: only the node that has it can scan."""
    if not os.path.isdir(root):  # noqa: PTH112 (as above)
        raise RootAway


def lexical(root: str, path: str) -> str:
    """What `resolve` would say on a machine that has the root, if no link were on the way."""
    return os.path.normpath(os.path.join(root, path))  # noqa: PTH118 (absolute ones replace)


def resolve(root: str, path: str) -> str:
    """The real path of a folder inside the root, from an absolute path or one below the root.

    Whatever lies outside, through links as well, is Forbidden, whether it is there or not; a path
    inside that is no folder is NotFound. Blocking.
    """
    if "\0" in path or len(path.encode("utf-8", "replace")) > _PATH_BYTES_MAX or not _is_text(path):
        raise BadBody("this is no path")
    try:
        real = os.path.realpath(os.path.join(root, path))  # noqa: PTH118 (absolute ones replace)
    except OSError:
        raise Forbidden("outside_root") from None
    if real != root and not real.startswith(root.rstrip("/") + "/"):
        raise Forbidden("outside_root")
    try:
        os.close(open_folder(root, real))
    except OSError:
        raise NotFound from None
    return real


def below(path: str, root: str | None) -> str:
    """A path from a root on; only its last name where it is not in it."""
    if root is None or (path != root and not path.startswith(f"{root.rstrip('/')}/")):
        return os.path.basename(path)  # noqa: PTH119 (names are bytes to the system)
    return os.path.relpath(path, root)


def open_folder(root: str, path: str) -> int:
    """Open a folder inside the root; no step on the way may be a link, or up. Raises OSError."""
    try:
        parts = Path(path).relative_to(root).parts
    except ValueError:
        raise OSError(f"not inside: {path!r}") from None
    if ".." in parts:
        raise OSError(f"not inside: {path!r}")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    opened = os.open(root, flags)
    for part in parts:
        try:
            deeper = os.open(part, flags, dir_fd=opened)
        finally:
            os.close(opened)
        opened = deeper
    return opened


def open_file(root: str, path: str) -> int:
    """Open a file inside the root for reading, likewise; a pipe in its place is not waited for."""
    folder = open_folder(root, os.path.dirname(path))  # noqa: PTH120 (as above)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(os.path.basename(path), flags, dir_fd=folder)  # noqa: PTH119
    finally:
        os.close(folder)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
