"""What notices say, as JSON for people's programs: pure, from entries of the change feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

import msgspec

from auth.principal import Role
from storage.changes import Entry, Settled

Kind = Literal["changed", "created", "trashed", "deleted", "restored"]
SIDES_MAX = 20_000
"""Changes remembered per workspace to tell created from changed and restored."""


class BlockNotice(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A block of a workspace changed, came, went or came back."""

    type: str
    """`block_` and the kind."""
    kind: Kind
    workspace_id: str
    block_id: str
    stamp: int
    """As in delta: whoever asks `since` a smaller one is given this block."""
    sync_version: int
    title: str = ""


class MemberNotice(msgspec.Struct, kw_only=True):
    """Somebody became a member of a workspace, got another role, or is none any more."""

    type: Literal["member_changed"] = "member_changed"
    kind: Literal["added", "changed", "removed"]
    workspace_id: str
    user_id: str
    role: str
    """owner, editor, viewer; none: removed."""
    stamp: int
    """The workspace's at that time."""


class Resync(msgspec.Struct, kw_only=True):
    """Too much changed to be told one by one: ask delta from your own marker, or from `since`."""

    type: Literal["resync"] = "resync"
    workspace_id: str
    since: int
    """Up to here everything was told."""
    stamp: int
    """What is later than this will be told."""


class Subscribed(msgspec.Struct, kw_only=True):
    """Answer to `{"type": "subscribe", "workspace_id": …}`."""

    type: Literal["subscribed"] = "subscribed"
    workspace_id: str
    stamp: int
    """What is later than this will be told; ask delta for what is earlier."""


class Unsubscribed(msgspec.Struct, kw_only=True):
    """Answer to `{"type": "unsubscribe", …}`; or said when the right to hear is gone."""

    type: Literal["unsubscribed"] = "unsubscribed"
    workspace_id: str
    reason: str
    """asked or forbidden."""


class NotSubscribed(msgspec.Struct, kw_only=True):
    """The answer to a `subscribe` that is refused."""

    type: Literal["refused"] = "refused"
    workspace_id: str
    error: str
    """bad_request, forbidden, too_many or unavailable."""


class Sides:
    """On which side of the feed documents were before their latest changes."""

    def __init__(self) -> None:
        self._noted: dict[UUID, list[tuple[int, bool | None]]] = {}
        self._count = 0

    def note(self, one: Settled) -> None:
        """A document was stamped here. Past the bound all is forgotten: notices then say less."""
        if self._count >= SIDES_MAX:
            self._noted.clear()
            self._count = 0
        self._noted.setdefault(one.document, []).append((one.stamp, one.was_deleted))
        self._count += 1

    def before(self, entry: Entry, marker: int) -> bool | None:
        """Whether a document counted as deleted at a stamp; None: it was not there.

        Where another node stamped it, it was there if it was made before that stamp.
        """
        for stamp, was_deleted in self._noted.get(entry.document, ()):
            if stamp > marker:
                return was_deleted
        return None if entry.created_at.timestamp() * 1000 > marker else False

    def prune(self, marker: int) -> None:
        """Forget what everybody was told."""
        kept = {
            document: [each for each in noted if each[0] > marker]
            for document, noted in self._noted.items()
        }
        self._noted = {document: noted for document, noted in kept.items() if noted}
        self._count = sum(map(len, self._noted.values()))


def worded(scope: str, entry: Entry, marker: int, sides: Sides) -> BlockNotice:
    """The notice of a block for somebody who knows everything up to `marker`."""
    kind = _kind(entry, marker, sides)
    return BlockNotice(
        type=f"block_{kind}",
        kind=kind,
        workspace_id=scope,
        block_id=entry.name,
        stamp=entry.stamp,
        sync_version=entry.sync_version,
        title=entry.title,
    )


def _kind(entry: Entry, marker: int, sides: Sides) -> Kind:
    if entry.deleted:
        is_gone = entry.removed_at is not None or entry.deleted_at is not None
        return "deleted" if is_gone else "trashed"
    before = sides.before(entry, marker)
    if before is None:
        return "created"
    return "restored" if before else "changed"


def members_changed(
    scope: str, before: Mapping[str, Role], now: Mapping[str, Role], stamp: int
) -> list[MemberNotice]:
    """Whose role is another one now."""
    said = []
    for account in sorted({*before, *now}):
        old, new = before.get(account, Role.NONE), now.get(account, Role.NONE)
        if old is new:
            continue
        kind: Literal["added", "changed", "removed"] = "changed"
        if Role.NONE in (old, new):
            kind = "added" if old is Role.NONE else "removed"
        said.append(
            MemberNotice(kind=kind, workspace_id=scope, user_id=account, role=new.word, stamp=stamp)
        )
    return said


def resync(scope: str, since: int, stamp: int) -> Resync:
    """The word instead of many notices."""
    return Resync(workspace_id=scope, since=since, stamp=stamp)


def unsubscribed(scope: str, reason: str) -> Unsubscribed:
    """The word that no more will come."""
    return Unsubscribed(workspace_id=scope, reason=reason)
