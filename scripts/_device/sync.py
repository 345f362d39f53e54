"""One round of a device: look at the files, push, pull, write the files.

Every step leaves the shelf in a state to go on from, so a round may end anywhere: by a crash, by a
lost answer, by a train that goes into a tunnel. What was pushed and not confirmed is pushed again,
which changes nothing; the marker moves only when everything before it is on the shelf.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from crdt.document import EMPTY_UPDATE
from scripts._device.files import Files, Track, said
from scripts._device.note import Note
from scripts._device.rounds import Told, parts
from scripts._device.server import Server, Unreachable, bytes64, text64
from scripts._device.shelf import About, Shelf

BATCH_BLOCKS: Final = 200
BATCH_BYTES: Final = 4 << 20


class Device(Files):
    """A folder and its workspace."""

    def __init__(self, shelf: Shelf, about: About, server: Server, track: Track[Any]) -> None:
        super().__init__(shelf, about, track)
        self._server = server

    def round(self, *, may_vanish: bool = False) -> Told:
        """Everything once. Raises Unreachable (the local part is done then) or Refused."""
        self.told = Told()
        self.look(may_vanish=may_vanish)
        self.push()
        self.pull()
        self.push()  # What was merged may be news to the server: edits of blocks that it rebuilt.
        self.show()
        return self.told

    # -- push -----------------------------------------------------------------------------------

    def push(self) -> None:
        """Send what the server has not confirmed."""
        unsent = [n for n in self.notes.values() if n.kept.unsent and not n.kept.problem]
        for batch in _batches(self._track(unsent, "pushing", len(unsent))):
            items = [
                {
                    "block_id": note.kept.block,
                    "state_vector": text64(note.document.state_vector()),
                    "update": text64(update),
                    "sync_version": 1,
                }
                for note, update in batch
            ]
            results = self._server.push(self._about.workspace, items)
            for (note, _), result in zip(batch, results, strict=True):
                self._pushed(note, result)

    def _pushed(self, note: Note, result: dict[str, Any]) -> None:
        name = note.kept.file or note.kept.named
        match result["status"]:
            case "created" | "updated" | "unchanged":
                note.kept.unsent, note.kept.seen = False, bytes64(result["state_vector"])
                if "update" in result:
                    note.merge(bytes64(result["update"]))
                self._shelf.keep(note.kept)
            case "deleted":
                self._drop(note)
            case "stale":
                path = self._shelf.rescue(f"{note.kept.named}.md", note.shown())
                self.told.problems.append(f"{name} was rebuilt; what you had is in {path}")
                note.replace(bytes64(result["full_state"]))
                self._shelf.keep(note.kept)
            case "unavailable":
                raise Unreachable(f"{name} cannot be stored now")
            case status:
                note.kept.problem = str(result.get("error") or status)
                self.keep(note)

    # -- pull -----------------------------------------------------------------------------------

    def pull(self) -> None:
        """Take in what others did, page by page."""
        has_more = True
        while has_more:
            page = self._server.delta(self._about.workspace, self._about.marker)
            entries = [*page["changed_blocks"], *page["deleted_blocks"]]
            entries.sort(key=lambda entry: int(entry["updated_at"]))
            wanted = self._track(entries, "pulling", page["total_changed"] + page["total_deleted"])
            for batch in parts(wanted, BATCH_BLOCKS):
                self._pull([entry["block_id"] for entry in batch])
            self._about.marker = max(self._about.marker, int(page["server_time"]))
            self._shelf.keep_about(self._about)
            has_more = page["has_more"]

    def _pull(self, ids: Sequence[str]) -> None:
        items = []
        for block in ids:
            note = self.notes.get(block)
            vector = b"" if note is None else note.document.state_vector()
            items.append({"block_id": block, "state_vector": text64(vector), "sync_version": 1})
        for result in self._server.pull(items):
            self._pulled(result)

    def _pulled(self, result: dict[str, Any]) -> None:
        block = str(result["block_id"])
        note = self.notes.get(block)
        if result["status"] in {"unavailable", "invalid"}:
            raise Unreachable(f"block {block} cannot be read now")
        if result["status"] == "not_found" or result.get("permanently_deleted"):
            if note is not None:
                self._drop(note)
            return
        if "full_state" in result and note is not None and not note.kept.unsent:
            note.replace(bytes64(result["full_state"]))
        else:
            data = bytes64(result.get("update") or result.get("full_state") or "")
            if note is None:
                note = self.notes[block] = Note.empty(block)
            note.merge(data or EMPTY_UPDATE)
        if note.kept.pending:
            self._shelf.keep(note.kept)

    def _drop(self, note: Note) -> None:
        """The block is gone for good; what was written here and never arrived is put aside."""
        kept = note.kept
        path = None if kept.file is None else self._shelf.folder / kept.file
        if path is not None and path.exists():
            if kept.unsent or said(path) != kept.text:
                rescued = self._shelf.rescue(path.name, path.read_text(errors="replace"))
                self.told.problems.append(f"{path.name} was deleted; your edits are in {rescued}")
            path.unlink()
            self.told.lines.append(f"{path.name}: deleted for good")
        self._shelf.forget(kept)
        del self.notes[kept.block]


def _batches(notes: Iterable[Note]) -> Iterator[list[tuple[Note, bytes]]]:
    """Notes and their news, in pushes of a bounded size."""
    batch: list[tuple[Note, bytes]] = []
    size = 0
    for note in notes:
        update = note.news()
        batch.append((note, update))
        size += len(update)
        if len(batch) >= BATCH_BLOCKS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
