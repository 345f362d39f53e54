"""Writers of every dialect that survive their server: what each wrote, and what was confirmed.

A writer types words that exist once in the world, so that a lost word and a doubled one can both be
told. A word counts as confirmed once its client would call it stored: SyncStatus 1 in the order of
what was sent, the author's own update back (or in a first sync, as `@y/websocket` 4 takes it), a
Y-Sweet version, a 200 over REST.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from bisect import bisect
from collections import Counter, deque
from typing import Any

import aiohttp
from nacl.signing import SigningKey

from crdt import wire
from crdt.document import Document
from scripts._load.login import login
from server.large import rows_of
from storage.documents import Documents
from storage.pool import close_pool, open_pool
from tests.clients import HocuspocusClient, HocuspocusSocket, Replica, Visitor, YClient, text_of
from tests.live import LiveServer
from tests.patience import PATIENCE_S

DIALECTS = (*("hocuspocus", "y") * 4, "sweet", "rest")
GONE = (aiohttp.ClientError, ConnectionError)
"""What a writer meets when the server is killed under it."""
_numbers = itertools.count(1)


def tell(text: str) -> None:
    """A figure of a story, for those who run it with -s."""
    print(text)  # noqa: T201


class Writer:
    """Somebody who types, goes on offline, and comes back with everything."""

    pace_s = 0.06
    """Seconds between two words, in the mean."""

    def __init__(self, document: str, chance: random.Random) -> None:
        self.document = document
        self.replica = Replica()
        self.chance = chance
        self.number = next(_numbers)
        self.words: list[str] = []
        self.confirmed: set[str] = set()
        self._open: set[str] = set()
        """Words written and not confirmed."""
        self.line: asyncio.Task[None] | None = None
        """Ends with the connection, where one stays open between two words."""
        self.returns: list[float] = []
        """When it came back after a connection broke, by the loop's clock."""

    def name_word(self) -> str:
        """A word that nobody has typed, and that from now on somebody has."""
        text = f"<{self.number}:{len(self.words)}>"
        self.words.append(text)
        self._open.add(text)
        return text

    def word(self) -> tuple[str, bytes]:
        """Type a new word at one end of the text; it, and the update."""
        text = self.name_word()
        return text, self.replica.insert(text, 0 if self.chance.random() < 0.3 else None)

    def inside(self, data: bytes) -> list[str]:
        """The unconfirmed words that stand in some bytes."""
        return [word for word in self._open if word.encode() in data]

    def confirm(self, words: list[str]) -> None:
        """The server says that these are stored."""
        self.confirmed.update(words)
        self._open.difference_update(words)

    async def connect(self, visitor: Visitor) -> None:
        """Come (back) with all that was written."""
        raise NotImplementedError

    async def write(self) -> None:
        """Type one word and send it."""
        raise NotImplementedError

    async def behind(self, stored: str) -> str:
        """What this client has that differs from what is stored, in a word; empty where nothing."""
        if self.replica.text == stored:
            return ""
        gone = ", and lost its connection" if self.line is not None and self.line.done() else ""
        return f"has {len(self.replica.text)} characters, not {len(stored)}{gone}"

    async def run(self, visitor: Visitor, *, is_here: bool = False) -> None:
        """Come, type, and come back whenever the connection broke, until cancelled."""
        while True:
            try:
                if not is_here:
                    await self.connect(visitor)
                    self.returns.append(asyncio.get_running_loop().time())
                while True:
                    await self.write()
                    await self._think()
            except GONE:
                is_here = False
                await asyncio.sleep(self.chance.uniform(0.1, 0.5))

    async def _think(self) -> None:
        """Until the next word, or until the connection ends, which a provider notices at once."""
        pause = self.chance.expovariate(1 / self.pace_s)
        if self.line is None:
            await asyncio.sleep(pause)
        else:
            await asyncio.wait([self.line], timeout=pause)


class Echoed(YClient):
    """A y-websocket connection that tells its writer what comes back."""

    writer: Writer

    def on_frame(self, frame: bytes) -> None:
        """Own words in a sync message are stored."""
        super().on_frame(frame)
        kind, payload = self.heard[-1]
        if kind in (wire.STEP2, wire.UPDATE):
            self.writer.confirm(self.writer.inside(payload))


class YWriter(Writer):
    """y-websocket: confirmed by what comes back."""

    async def connect(self, visitor: Visitor) -> None:
        """Sync both ways; the server's step 1 is answered by the client itself."""
        self.client = await visitor.y(self.document, replica=self.replica, kind=Echoed)
        assert isinstance(self.client, Echoed)
        self.client.writer, self.line = self, self.client.reading
        await self.client.sync()

    async def write(self) -> None:
        """One update frame."""
        _, update = self.word()
        await self.client.send(wire.update(update))


class SweetWriter(Writer):
    """Y-Sweet: confirmed by the version that was asked behind it."""

    def __init__(self, document: str, chance: random.Random) -> None:
        super().__init__(document, chance)
        self.version = 0
        self.asked: dict[int, list[str]] = {}

    async def connect(self, visitor: Visitor) -> None:
        """Sync both ways, then ask for everything that is not confirmed yet."""
        status, answer, _ = await visitor.post(f"/doc/{self.document}/auth", json={})
        _expect(status, answer)
        self.client = await visitor.sweet(self.document, answer["token"], self.replica)
        self.client.on_frame = self._on_frame  # type: ignore[method-assign]
        self.line = self.client.reading
        # The answer to the server's step 1 must be on its way before the version is asked.
        await self.client.until(lambda: self.client.payloads(wire.STEP1))
        await self.client.sync()
        await self._ask(list(self._open))

    def _on_frame(self, frame: bytes) -> None:
        YClient.on_frame(self.client, frame)
        kind, payload = self.client.heard[-1]
        if kind == wire.VERSION:
            stored, _ = wire.read_var_uint(payload, 0)
            for version in [asked for asked in self.asked if asked <= stored]:
                self.confirm(self.asked.pop(version))

    async def _ask(self, words: list[str]) -> None:
        self.version += 1
        self.asked[self.version] = words
        await self.client.send(wire.version(wire.var_uint(self.version)))

    async def write(self) -> None:
        """An update and the question behind it."""
        word, update = self.word()
        await self.client.send(wire.update(update))
        await self._ask([word])


class _Counted(HocuspocusClient):
    """A Hocuspocus session that knows which words each status is about."""

    writer: Writer
    waiting: deque[list[str]]
    has_answered = False

    async def send(self, message: bytes) -> None:
        """The first step 2 and updates get one status each, in this order.

        A further step 2 answers a question about a gap, which no provider counts.
        """
        is_answer = message[:2] == b"\x00\x01"
        if message[:2] == b"\x00\x02" or (is_answer and not self.has_answered):
            self.waiting.append(self.writer.inside(message))
        self.has_answered |= is_answer
        await super().send(message)

    def on_message(self, kind: int, payload: Any) -> None:
        """A status settles what was sent first."""
        super().on_message(kind, payload)
        if kind == wire.SYNC_STATUS:
            words = self.waiting.popleft()
            assert payload is True, "refused"
            self.writer.confirm(words)


class HocuspocusWriter(Writer):
    """Hocuspocus: confirmed by SyncStatus."""

    async def connect(self, visitor: Visitor) -> None:
        """Token, step 1, and the answer to the server's step 1."""
        socket: HocuspocusSocket = await visitor.hocuspocus()
        session = _Counted(socket, self.document, self.replica)
        session.writer, session.waiting = self, deque()
        socket.sessions[self.document] = session
        self.session, self.line = session, socket.reading
        await session.show(visitor.token)
        await session.sync()

    async def write(self) -> None:
        """One update frame."""
        _, update = self.word()
        await self.session.send(wire.update(update))


class RestWriter(Writer):
    """REST: confirmed by a 200; pushes again what was not."""

    def __init__(self, document: str, chance: random.Random) -> None:
        super().__init__(document, chance)
        self.unsure: list[tuple[str, bytes]] = []

    async def connect(self, visitor: Visitor) -> None:
        """Send again what was not answered, then fetch what others wrote."""
        self.visitor = visitor
        for word, update in list(self.unsure):
            await self._push(word, update)
        status, body = await visitor.get(f"/d/{self.document}/as-update")
        _expect(status, body)
        self.replica.apply(body)

    async def behind(self, stored: str) -> str:
        """Look again first: nothing comes by itself."""
        await self.connect(self.visitor)
        return await super().behind(stored)

    async def write(self) -> None:
        """One push."""
        word, update = self.word()
        self.unsure.append((word, update))
        await self._push(word, update)

    async def _push(self, word: str, update: bytes) -> None:
        status, body, _ = await self.visitor.post(f"/d/{self.document}/update", data=update)
        _expect(status, body)
        self.confirm([word])
        self.unsure.remove((word, update))


def _expect(status: int, body: Any) -> None:
    """Raise ConnectionError where the server says "not now", AssertionError for anything else."""
    if status == 503:
        raise ConnectionError(body)
    assert status == 200, body


KINDS = {"y": YWriter, "sweet": SweetWriter, "hocuspocus": HocuspocusWriter, "rest": RestWriter}


class Crowd:
    """Many writers in a few documents of one account."""

    def __init__(self, server: LiveServer, *, writers: int, documents: int, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self.documents = [f"story-{seed}-{number}" for number in range(documents)]
        self.writers = [
            KINDS[DIALECTS[number % len(DIALECTS)]](
                self.documents[number % documents], random.Random(f"{seed}/{number}")
            )
            for number in range(writers)
        ]
        self._key: SigningKey | None = None
        self._workspace = ""
        self._tasks: list[asyncio.Task[None]] = []
        self.visitor: Visitor | None = None
        self.acknowledged = self.survived = 0
        """Words that were confirmed when the store was looked at last, and those found there once.
        """

    async def arrive(self) -> Visitor:
        """Log in (again): a visitor with a fresh token, and documents that are there."""
        if self._key is None:
            self._key = SigningKey.generate()
        known = await asyncio.to_thread(login, self.server.url, self._key)
        self.visitor = Visitor(self.server.url, known.access_token)
        self._workspace = known.workspace_id
        for document in self.documents:
            status, body, _ = await self.visitor.post("/doc/new", json={"docId": document})
            assert status == 200, body
        return self.visitor

    async def connect(self) -> None:
        """Everybody comes with what they have, and types nothing."""
        assert self.visitor is not None
        await asyncio.gather(*(writer.connect(self.visitor) for writer in self.writers))

    def start(self, *, are_here: bool = False) -> None:
        """Everybody comes, unless they are here, and types from now on."""
        assert self.visitor is not None
        self._tasks = [
            asyncio.create_task(writer.run(self.visitor, is_here=are_here))
            for writer in self.writers
        ]

    async def stop(self) -> None:
        """Nobody types any more; the connections stay. Raises what a writer stumbled over."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for error in ended:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                raise error

    async def come_back(self) -> None:
        """Who lost the connection meanwhile, or was told to wait, connects again."""
        visitor = self.visitor
        await self.leave()
        assert visitor is not None
        self.visitor = Visitor(self.server.url, visitor.token)
        await self.connect()

    async def leave(self) -> None:
        """All connections end."""
        visitor, self.visitor = self.visitor, None
        try:
            await self.stop()
        finally:
            if visitor is not None:
                await visitor.__aexit__(None, None, None)

    @property
    def confirmed(self) -> int:
        """Words that the server called stored."""
        return sum(len(writer.confirmed) for writer in self.writers)

    @property
    def typed(self) -> int:
        """Words typed."""
        return sum(len(writer.words) for writer in self.writers)

    @property
    def returns_per_s_max(self) -> int:
        """How many came back within the same second, at most."""
        times = sorted(at for writer in self.writers for at in writer.returns)
        return max((bisect(times, at + 1) - n for n, at in enumerate(times)), default=0)

    async def check_stored(self) -> None:
        """What the server has, before anybody came back with anything: all that was confirmed."""
        self._judge(await self._texts())

    async def check_log(self, dsn: str) -> None:
        """The same of the log itself, as a process reads it that opens the documents next."""
        pool = await open_pool(dsn, connections_max=1)
        try:
            store, texts = Documents(pool), {}
            for document in self.documents:
                record = await store.resolve(self._workspace, document)
                assert record is not None, document
                stored = Document.rebuild(rows_of(await store.load(record.id)))
                texts[document] = text_of(stored.encode())
        finally:
            await close_pool(pool)
        self._judge(texts)

    def _judge(self, texts: dict[str, str]) -> None:
        """Count what survived; nothing may be lost or doubled."""
        self.acknowledged = self.survived = 0
        wrong = []
        for document, text in texts.items():
            found = Counter(text.replace("><", "> <").split())
            doubled = [word for word, count in found.items() if count > 1]
            words = [
                word
                for writer in self.writers
                if writer.document == document
                for word in writer.confirmed
            ]
            self.acknowledged += len(words)
            self.survived += sum(found[word] == 1 for word in words)
            lost = [word for word in words if not found[word]]
            if lost or doubled:
                wrong.append(f"{document}: confirmed and lost: {lost}, doubled: {doubled}")
        assert not wrong, "; ".join(wrong)

    async def check_converged(self, within_s: float = PATIENCE_S) -> None:
        """Everybody and the store have one text, with every word that was ever typed, once."""
        end = asyncio.get_running_loop().time() + within_s
        while complaint := await self._difference():
            assert asyncio.get_running_loop().time() < end, complaint
            await asyncio.sleep(0.1)
        await self.check_stored()

    async def _difference(self) -> str:
        stored = await self._texts()
        for writer in self.writers:
            missing = [word for word in writer.words if word not in stored[writer.document]]
            if missing:
                return f"writer {writer.number}: not stored: {missing}"
            if complaint := await writer.behind(stored[writer.document]):
                return f"writer {writer.number} ({type(writer).__name__}) {complaint}"
        return ""

    async def _texts(self) -> dict[str, str]:
        assert self.visitor is not None
        texts = {}
        for document in self.documents:
            status, body = await self.visitor.get(f"/d/{document}/as-update")
            assert status == 200, body
            texts[document] = text_of(body)
        return texts
