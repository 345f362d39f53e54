"""One round of a device: look at the folder, report, upload, pull, acknowledge.

Every step leaves the index in a state to go on from, so a round may end anywhere. What was
reported and not confirmed is reported again, which changes nothing; an upload goes on with the
chunks that are there, a download with the bytes that are here; the cursor moves only when its page
is done.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from scripts._device.rounds import Told, TooManyGone, parts
from scripts._device.server import Refused
from scripts._pinakes.folder import (
    Seen,
    hash_of,
    is_as_known,
    known_of,
    look,
    place_of,
    remove,
    write,
)
from scripts._pinakes.index import Index, Known
from scripts._pinakes.remote import Remote, Tick

BATCH: Final = 500
"""Changes in one report."""
PAGE: Final = 1000
PASSES: Final = 4
"""Rounds within a round: what was merged or decided has to be fetched, too."""
VANISHED_MAX: Final = 5
"""So many files may vanish at once without a question, and more while half are left."""

Bar = Callable[[str, int], Any]
"""A context in which a number of bytes goes somewhere: gives the Tick."""


class Device:
    """A folder and its library."""

    def __init__(self, index: Index, remote: Remote, resolution: str, bar: Bar) -> None:
        self._index = index
        self._remote = remote
        self._resolution = resolution
        self._bar = bar
        self.told = Told()
        remote.device_token = index.about("device_token")

    def enrol(self, name: str) -> None:
        """Be a device of the library; the first time it becomes one."""
        if self._index.about("device_token"):
            return
        device, token = self._remote.register(name)
        self._index.keep_about(device=device, device_token=token, name=name, cursor="0")
        self._remote.device_token = token

    def round(self, *, may_vanish: bool = False) -> Told:
        """Everything once. Raises Unreachable, Refused or TooManyGone."""
        self.told = Told()
        for _ in range(PASSES):
            sent = self.push(may_vanish=may_vanish)
            came = self.pull()
            if not sent and not came:
                break
        for left in self._index.incoming.iterdir():
            left.unlink()
        return self.told

    # -- what was done here -----------------------------------------------------------------

    def push(self, *, may_vanish: bool = False) -> bool:
        """Report what was done here, and upload what is asked for; whether anything was."""
        changes = look(self._index)
        gone = sum(one["change_type"] == "deleted" for one in changes.reports)
        known = len(self._index.files())
        if gone > VANISHED_MAX and gone * 2 > known and not may_vanish:
            raise TooManyGone(f"{gone} of {known} files are gone from the folder")
        for batch in parts(changes.reports, BATCH):
            self._report(batch, changes.seen)
        return bool(changes.reports)

    def _report(self, batch: Sequence[dict[str, Any]], seen: dict[str, Seen]) -> None:
        answer = self._remote.report(batch)
        accepted, wanted = set(answer["accepted"]), set(answer["upload_required"])
        for change in batch:
            path = change["path"]
            if path in accepted and path not in wanted:
                self._done(change, seen)
        for change in batch:
            if change["path"] in wanted:
                self._upload(change, seen)
        for conflict in answer["conflicts"]:
            self._conflict(conflict, seen.get(conflict["path"]))

    def _done(self, change: dict[str, Any], seen: dict[str, Seen]) -> None:
        """The server has what was done here."""
        path, word = change["path"], change["change_type"]
        with self._index.together():
            if word == "deleted":
                self._index.forget(path)
            else:
                one = seen[path]
                self._index.keep(known_of(path, one.hash, one.stat))
            if word == "moved":
                self._index.forget(change["old_path"])
        self.told.lines.append(f"{path}: {word} here")

    def _upload(self, change: dict[str, Any], seen: dict[str, Seen]) -> None:
        one = seen[change["path"]]
        done = self._send(one, change["path"])
        if done is None:
            return
        if done["conflict_id"] is None:
            self._done(change, seen)
        else:
            conflict = {"id": done["conflict_id"], "path": one.path, "local_hash": one.hash}
            self._conflict(conflict, one)

    def _send(self, one: Seen, path: str) -> dict[str, Any] | None:
        """Bring a file there; None where it is being saved: the next round reports it anew."""
        try:
            with self._bar(f"up {path}", one.stat.st_size) as tick:
                return self._remote.upload(path, one.hash, one.file, tick)
        except FileNotFoundError:
            return None
        except Refused as refused:
            if refused.code in {"hash_mismatch", "chunk_length"}:
                return None
            raise

    def _conflict(self, conflict: dict[str, Any], one: Seen | None) -> None:
        """Somebody else was faster: see that both versions are there, then decide as told."""
        path = conflict["path"]
        is_asked_for = conflict["local_hash"] is not None and self._resolution != "server_wins"
        if one is not None and is_asked_for and self._send(one, path) is None:
            return
        how = self._resolution
        done = self._remote.resolve(conflict["id"], how)
        with self._index.together():
            if one is not None:
                # It is kept there, so that what comes from there may replace it here.
                self._index.keep(known_of(path, one.hash, one.stat))
            else:
                self._index.forget(path)
            if done.get("old_path"):
                self._index.forget(done["old_path"])
        beside = done["resolved_path"]
        where = f", yours is {beside}" if how == "keep_both" and beside != path else ""
        self.told.problems.append(f"{path}: changed here and elsewhere ({how}{where})")

    # -- what was done elsewhere --------------------------------------------------------------

    def pull(self) -> bool:
        """Take in what others did, page by page; whether anything came."""
        cursor = int(self._index.about("cursor") or 0)
        try:
            return self._pull(cursor, set())
        except Refused as refused:
            if refused.code not in {"cursor_expired", "bad_cursor"} or not cursor:
                raise
        # Deletions were forgotten meanwhile: what is not there any more is found by comparing.
        known = set(self._index.files())
        there: set[str] = set()
        self._pull(0, there, is_anew=True)
        for path in sorted(known - there):
            self._delete(path)
        return True

    def _pull(self, cursor: int, there: set[str], *, is_anew: bool = False) -> bool:
        has_more, came = True, False
        while has_more:
            page = self._remote.changes(cursor, PAGE, is_anew=is_anew)
            for change in page["changes"]:
                came |= self._take(change)
                if change["change_type"] != "deleted":
                    there.add(change["path"])
            has_more, moved = page["has_more"], page["cursor"] != cursor
            cursor = page["cursor"]
            if not is_anew or not has_more:
                self._index.keep_about(cursor=str(cursor))
                if moved:
                    self._remote.acknowledge(cursor)
        return came

    def _take(self, change: dict[str, Any]) -> bool:
        """Do here what was done elsewhere; whether that changed anything."""
        path, word = change["path"], change["change_type"]
        if place_of(self._index.folder, path) is None:
            self.told.problems.append(f"{path}: cannot be a file here")
            return False
        if word == "deleted":
            return self._delete(path)
        if word == "moved":
            if self._move(change):
                return True
            self._delete(change["old_path"])
        known = self._index.find(path)
        if known is not None and known.hash == change["content_hash"]:
            return False
        try:
            return self._fetch(change, known)
        except (NotADirectoryError, IsADirectoryError, FileExistsError):
            self.told.problems.append(f"{path}: a folder or file of that name is in the way")
            return False

    def _delete(self, path: str) -> bool:
        known, file = self._index.find(path), place_of(self._index.folder, path)
        if known is None or file is None or not is_as_known(file, known):
            return False  # Edited here meanwhile: the next report tells of it.
        remove(self._index.folder, file)
        self._index.forget(path)
        self.told.lines.append(f"{path}: deleted elsewhere")
        return True

    def _move(self, change: dict[str, Any]) -> bool:
        """Rename, where the old file is as it was and the new name is free."""
        path, old_path = change["path"], change["old_path"]
        old, new = (place_of(self._index.folder, each) for each in (old_path, path))
        known = self._index.find(old_path)
        if old is None or new is None or known is None or known.hash != change["content_hash"]:
            return False
        if not is_as_known(old, known) or self._index.find(path) or new.exists():
            return False
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        remove(self._index.folder, old)
        with self._index.together():
            self._index.forget(old_path)
            self._index.keep(known_of(path, known.hash, new.stat()))
        self.told.lines.append(f"{path}: was {old_path}, moved elsewhere")
        return True

    def _fetch(self, change: dict[str, Any], known: Known | None) -> bool:
        path, digest = change["path"], change["content_hash"]
        file = place_of(self._index.folder, path)
        assert file is not None
        if not is_as_known(file, known):
            if hash_of(file) == digest:
                self._index.keep(known_of(path, digest, file.stat()))
            return False  # Edited here meanwhile: the next report tells of it.
        incoming = self._index.incoming / digest
        try:
            with self._bar(f"down {path}", change["file_size"]) as tick:
                said = self._remote.download(path, incoming, digest, tick)
        except Refused as refused:
            if refused.status == 404:
                return False  # It went or moved meanwhile, which is told further on.
            if refused.status != 416:
                raise
            said = digest
        if hash_of(incoming) != said:
            incoming.unlink()
            raise ValueError(f"{path} came with another hash than the server says")
        mtime = change["local_mtime"]
        mtime = float(mtime) if isinstance(mtime, int | float) else None
        if not write(file, incoming, known, mtime):
            incoming.unlink(missing_ok=True)
            return False
        self._index.keep(known_of(path, said, file.stat()))
        self.told.lines.append(f"{path}: {change['change_type']} elsewhere")
        return True


@contextmanager
def silent(doing: str, total: int) -> Iterator[Tick]:
    """Shows nothing."""
    del doing, total
    yield lambda _: None
