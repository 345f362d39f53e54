"""Answers of the database that hold until the version they hang on moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from server.watch import Moved, Watch

K = TypeVar("K")
V = TypeVar("V")

Load: TypeAlias = Callable[[K], Awaitable[tuple[V, int | None]]]
"""Reads a value and the version it hangs on, in one look; a version of None is not to be kept."""


class _Entry(Generic[V]):
    __slots__ = ("used", "value")

    def __init__(self, value: V) -> None:
        self.value = value
        self.used = True


class _Group(Generic[K]):
    """The entries that hang on one account or workspace."""

    __slots__ = ("end", "keys", "version")

    def __init__(self, version: int, end: Moved) -> None:
        self.version = version
        self.end = end
        self.keys: set[K] = set()


class Cache(Generic[K, V]):
    """A bounded cache over one kind of version; each missing key is read once for all who ask."""

    def __init__(
        self,
        watch: Watch,
        subject: str,
        load: Load[K, V],
        name_of: Callable[[K], str],
        entries_max: int,
    ) -> None:
        self._watch = watch
        self._subject = subject
        self._load = load
        self._name_of = name_of
        self._entries_max = entries_max
        self._entries: dict[K, _Entry[V]] = {}
        self._groups: dict[str, _Group[K]] = {}
        self._loading: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        """Whether an answer is kept, fresh or not; asking does not count as using it."""
        return key in self._entries

    def peek(self, key: K) -> V | None:
        """The answer if it is known and nothing says that it may have changed."""
        entry = self._entries.get(key)
        if entry is None or not self._watch.is_fresh():
            return None
        entry.used = True
        return entry.value

    async def get(self, key: K) -> V:
        """The answer, read now if need be; raises what the reading raises, to all who wait."""
        value = self.peek(key)
        if value is not None:
            return value
        task = self._loading.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(key))
            self._loading[key] = task
            task.add_done_callback(partial(self._read_done, key))
        # Shielded: one caller that goes away must not fail the others.
        return await asyncio.shield(task)

    def prune(self) -> None:
        """Drop what was not used since the last call; made once a minute or so."""
        for key, entry in list(self._entries.items()):
            if entry.used:
                entry.used = False
            else:
                self._drop(key)

    async def _read(self, key: K) -> V:
        while True:
            value, version = await self._load(key)
            if version is None:
                return value
            if self._keep(key, value, version):
                return value
            # A newer version is known than the one that was read: read again.

    def _read_done(self, key: K, task: asyncio.Task[V]) -> None:
        self._loading.pop(key, None)
        if not task.cancelled():
            # Whoever waited has seen the error; where nobody is left, nobody needs it.
            task.exception()

    def _keep(self, key: K, value: V, version: int) -> bool:
        name = self._name_of(key)
        group = self._groups.get(name)
        if group is None or group.version != version:
            # Where the version is newer than the group's, this makes us forget the group first.
            end = self._watch.rely(self._subject, name, version, partial(self._forget, name))
            if end is None:
                return False
            group = self._groups[name] = _Group(version, end)
        group.keys.add(key)
        self._entries[key] = _Entry(value)
        while len(self._entries) > self._entries_max:
            self._make_room()
        return True

    def _make_room(self) -> None:
        """Drop the oldest entry, giving each that was used since a second turn."""
        key = next(iter(self._entries))
        entry = self._entries.pop(key)
        if entry.used:
            entry.used = False
            self._entries[key] = entry
        else:
            self._entries[key] = entry
            self._drop(key)

    def _drop(self, key: K) -> None:
        del self._entries[key]
        name = self._name_of(key)
        group = self._groups[name]
        group.keys.discard(key)
        if not group.keys:
            del self._groups[name]
            group.end()

    def _forget(self, name: str) -> None:
        group = self._groups.pop(name, None)
        if group is not None:
            group.end()
            for key in group.keys:
                del self._entries[key]
