"""The hot path as machine code, where somebody made that: found, judged, put before the sources.

`scripts/compile` builds MODULES with mypyc into the environment; nothing else is compiled, and the
same files run without it. A build is used only if every source is, byte for byte, what it was made
from: compiled code knows of the others what they were then.

A module that declares msgspec structs is not one of them: mypyc drops what such a class is told
(frozen, gc).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import logging
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

log = logging.getLogger("plait")

MODULES: Final = (
    "crdt.alone",
    "crdt.building",
    "crdt.cursors",
    "crdt.document",
    "crdt.intake",
    "crdt.ledger",
    "crdt.merging",
    "crdt.overlaps",
    "crdt.patience",
    "crdt.pending",
    "crdt.replica",
    "crdt.room",
    "crdt.session",
    "crdt.sleeping",
    "crdt.structure",
    "crdt.surrogates",
    "crdt.syncing",
    "crdt.turn",
    "crdt.wire.frames",
    "crdt.wire.hocuspocus",
    "crdt.wire.lib0",
    "crdt.wire.y",
    "server.adapters.heaps.mapping_sync",
    "server.adapters.heaps.pulling",
    "server.adapters.heaps.pushing",
    "server.adapters.heaps.syncing",
    "server.backlog",
    "server.batches",
    "server.blocks",
    "server.bringing",
    "server.live",
    "server.member",
    "server.outbox",
    "server.pace",
    "server.reading",
    "server.recalling",
    "server.realtime.connection",
    "server.realtime.hocuspocus_member",
    "server.realtime.y",
    "server.sharing",
    "server.websocket",
    "storage.flights",
    "storage.lanes",
    "storage.log",
)
"""What is compiled: all that an update meets on its way but for its socket."""

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = Path(sys.prefix) / "plait-compiled"
"""Where a build lies: in the environment, which no package and no repository holds."""
MANIFEST: Final = "manifest.json"

_PACKAGES: Final = ("auth", "crdt", "server", "storage")
_IN_USE: list[str] = []


def sources(root: Path = ROOT) -> Iterator[Path]:
    """Every source of ours, in an order that does not change."""
    for package in _PACKAGES:
        for folder, folders, files in os.walk(root / package):
            folders[:] = sorted(set(folders) - {"node_modules", "__pycache__"})
            yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def digest(root: Path = ROOT) -> str:
    """What a build is made from: the sources, and for which Python. Takes 15 ms."""
    found = hashlib.sha256(str(sysconfig.get_config_var("EXT_SUFFIX")).encode())
    for path in sources(root):
        found.update(f"\0{path.relative_to(root)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def present(folder: Path = FOLDER, root: Path = ROOT) -> Mapping[str, str] | None:
    """The files of a build by the module that each is; None where none is there, or it is stale."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("the compiled build in %s cannot be read: %s", folder, error)
        return None
    if manifest.get("digest") != digest(root):
        log.warning("the compiled build is not of these sources, and not used: scripts/compile")
        return None
    return {module: str(folder / name) for module, name in manifest["files"].items()}


class Before(MetaPathFinder):
    """Finds the modules of a build before their sources are found."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The extension module of this name, if the build has it."""
        del path, target
        file = self._files.get(fullname)
        return None if file is None else importlib.util.spec_from_file_location(fullname, file)


def use(*, wanted: bool = True, folder: Path = FOLDER) -> bool:
    """Let this process import what is compiled, if it is wanted, there and fresh; whether it does.

    Before any of MODULES is imported: half of them compiled would not find the other half.
    """
    files = present(folder) if wanted and not _IN_USE else None
    if files is None or any(module in sys.modules for module in MODULES):
        return bool(_IN_USE)
    finder = Before(files)
    sys.meta_path.insert(0, finder)
    try:
        for shared in files.keys() - set(MODULES):
            importlib.import_module(shared)  # All the code is in it: does it fit this machine?
    except ImportError as error:
        sys.meta_path.remove(finder)
        log.warning("the compiled build cannot be loaded, and is not used: %s", error)
        return False
    _IN_USE[:] = MODULES
    return True


def engine() -> str:
    """What runs the hot path of this process: `compiled` or `interpreted`."""
    return "compiled" if _IN_USE else "interpreted"
