"""One block and its history between documents and JSON. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from crdt.differing import steps
from crdt.projection import TAG, Projection
from crdt.projection import Relation as Said
from server.adapters.heaps import schema_blocks as schema
from server.adapters.heaps.mapping_heaps import milliseconds
from storage.blocks import Block
from storage.extracts import target_form
from storage.relations import Backlink
from storage.versions import Change, Named

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def block(
    found: Block,
    seen: Projection,
    sequence: int,
    backlinks: Sequence[Backlink],
    titles: Mapping[str, str],
) -> schema.Block:
    """A block with everything that its document says, and the blocks that name it."""
    record, known = found.record, found.known
    return schema.Block(
        success=True,
        id=record.name,
        block_id=record.name,
        heap_id=record.scope,
        workspace_id=record.scope,
        type=record.kind,
        title=seen.title,
        text=seen.text,
        markdown=seen.markdown,
        content=seen.content,
        relations=[_relation(record.name, one, titles) for one in seen.relations],
        backlinks=[_backlink(record.name, one) for one in backlinks],
        apps=seen.apps,
        files=[
            schema.BlockFile(id=f.key, hash=f.hash, file_size=f.size, about=f.about)
            for f in seen.files
        ],
        attributes=seen.attributes,
        sync_version=record.sync_version,
        sequence=sequence,
        created_at=milliseconds(record.created_at),
        deleted_at=None if known is None else known.trashed_at,
        truncated=seen.truncated,
    )


def sources(shown: schema.Block) -> list[bytes]:
    """The hashes of a block's files."""
    return [bytes.fromhex(file.hash) for file in shown.files]


def place(shown: schema.Block, positions: Mapping[bytes, dict[str, Any]]) -> None:
    """Say where files were taken: for those only who may edit the block."""
    for file in shown.files:
        file.position = positions.get(bytes.fromhex(file.hash))


def _relation(name: str, said: Said, titles: Mapping[str, str]) -> schema.Relation:
    ends = (said.target, name) if said.kind == TAG else (name, said.target)
    return schema.Relation(
        type=said.kind,
        from_id=ends[0],
        to_id=ends[1],
        block_id=said.target,
        title=titles.get(target_form(said.target), ""),
        label=said.label,
    )


def _backlink(name: str, link: Backlink) -> schema.Relation:
    ends = (name, link.name) if link.kind == TAG else (link.name, name)
    return schema.Relation(
        type=link.kind,
        from_id=ends[0],
        to_id=ends[1],
        block_id=link.name,
        title=link.title,
        label=link.label,
    )


def update(change: Change) -> schema.Update:
    """One entry of a block's history."""
    return schema.Update(
        id=str(change.last),
        sequence=change.last,
        first_sequence=change.first,
        created_at=milliseconds(change.at),
        authors=change.authors,
        device=change.device,
        update=change.update,
    )


def named(version: Named) -> schema.NamedVersion:
    """A version with a name."""
    return schema.NamedVersion(
        sequence=version.sequence,
        name=version.name,
        author=version.author,
        created_at=milliseconds(version.at),
        named_at=milliseconds(version.named_at),
    )


def difference(old: str, new: str) -> list[schema.Difference]:
    """What stayed, went and came between two texts: by lines, and inside those by words."""
    found: list[schema.Difference] = []
    for op, text in _by(_LINE, old, new):
        if op == "replace":
            before, after = text
            for inner, piece in _by(_WORD, before, after):
                if inner == "replace":
                    _add(found, "delete", piece[0])
                    _add(found, "insert", piece[1])
                else:
                    _add(found, "equal", piece[0])
        else:
            _add(found, "equal", text[0])
    return found


def _by(pattern: re.Pattern[str], old: str, new: str) -> list[tuple[str, tuple[str, str]]]:
    """Stretches of pieces in order: `equal` ones, and what is to be replaced by what."""
    left, right = pattern.findall(old), pattern.findall(new)
    found: list[tuple[str, tuple[str, str]]] = []
    end = len(left)
    for a, b, c, d in steps(left, right):
        same = "".join(left[b:end])
        found.append(("equal", (same, same)))
        found.append(("replace", ("".join(left[a:b]), "".join(right[c:d]))))
        end = a
    same = "".join(left[:end])
    found.append(("equal", (same, same)))
    return found[::-1]


def _add(found: list[schema.Difference], op: str, text: str) -> None:
    if not text:
        return
    if found and found[-1].op == op:
        found[-1] = schema.Difference(op=op, text=found[-1].text + text)
    else:
        found.append(schema.Difference(op=op, text=text))
