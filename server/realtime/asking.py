"""Stateless messages with which a client asks for notices of a workspace, or for no more.

    {"type": "subscribe", "workspace_id": "…"}      → subscribed, or refused
    {"type": "unsubscribe", "workspace_id": "…"}    → unsubscribed

Any other message is somebody else's and left alone. They are answered in order, one at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from auth.errors import AuthError
from crdt.ids import spelled
from server.telling import NotSubscribed, Subscribed, Unsubscribed
from storage.errors import StorageError

if TYPE_CHECKING:
    from server.listening import Reader
    from server.notices import Notices

WAITING_MAX = 32
"""Questions of one session that wait for an answer; more are dropped with `too_many`."""


class Question(msgspec.Struct):
    """A stateless message that may be for us."""

    type: str
    workspace_id: Any = None
    heap_id: Any = None

    @property
    def named(self) -> str:
        """The workspace that it is about; empty where it names none, or what is no text."""
        name = self.workspace_id or self.heap_id
        return name if isinstance(name, str) else ""


class Asking:
    """One session's questions to the notices."""

    __slots__ = ("_notices", "_reader", "_task", "_waiting")

    def __init__(self, notices: Notices, reader: Reader) -> None:
        self._notices = notices
        self._reader = reader
        self._waiting: deque[Question] = deque()
        self._task: asyncio.Task[None] | None = None

    def said(self, text: str) -> None:
        """A message came; what is no question of ours is ignored."""
        try:
            question = msgspec.json.decode(text, type=Question)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return
        if question.type not in {"subscribe", "unsubscribe"}:
            return
        if len(self._waiting) >= WAITING_MAX:
            self._refuse(question, "too_many")
            return
        self._waiting.append(question)
        if self._task is None or self._task.done():
            self._task = self._notices.spawn(self._answer())

    def end(self) -> None:
        """The session is over."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        self._notices.leave(self._reader)

    async def _answer(self) -> None:
        while self._waiting:
            await self._one(self._waiting.popleft())

    async def _one(self, question: Question) -> None:
        scope = spelled(question.named)
        if not scope:
            self._refuse(question, "bad_request")
            return
        if question.type == "unsubscribe":
            self._notices.unsubscribe(self._reader, scope)
            self._say(Unsubscribed(workspace_id=scope, reason="asked"))
            return
        try:
            stamp = await self._notices.subscribe(self._reader, scope)
        except AuthError as error:
            reason = getattr(error, "reason", "forbidden")
            self._refuse(question, "too_many" if reason == "too_many" else "forbidden")
        except StorageError:
            self._refuse(question, "unavailable")
        else:
            self._say(Subscribed(workspace_id=scope, stamp=stamp))

    def _refuse(self, question: Question, error: str) -> None:
        self._say(NotSubscribed(workspace_id=question.named, error=error))

    def _say(self, said: msgspec.Struct) -> None:
        self._reader.tell(msgspec.json.encode(said).decode())
