"""What a room has given to the store, and what waits until it is there."""

from __future__ import annotations

from crdt.effects import Session

Rows = list[tuple[Session | None, bytes]]
Answers = list[tuple[Session, bool, bytes]]


class Ledger:
    """Batches in flight, and the answers that must not leave before their commit.

    Every answer, to no-ops and replays too, hangs on the last batch appended before it: what it
    confirms may rest on anything that was applied by then.
    """

    __slots__ = ("_answers", "_flying", "_owed", "appended", "committed", "missed")

    def __init__(self) -> None:
        self.appended = 0
        self.committed = 0
        self._flying: dict[int, Rows] | None = None
        """Kept until stored, so that a document that broke is rebuilt with them; None: nothing."""
        self.missed: list[bytes] | None = []
        """While the log is being read: rows stored meanwhile, which the reading may have missed."""
        self._answers: list[tuple[int, Answers]] | None = None
        """Few, and an empty deque takes 700 bytes; None while nobody waits."""
        self._owed: dict[Session, tuple[int, bytes | None]] | None = None

    @property
    def in_flight(self) -> dict[int, Rows]:
        """Batches that are not stored yet, by number."""
        return self._flying or {}

    @property
    def settled(self) -> bool:
        """Everything appended is stored."""
        return self.committed >= self.appended

    @property
    def idle(self) -> bool:
        """Nothing is in flight and nobody waits."""
        return not (self._flying or self._answers)

    @property
    def owes(self) -> bool:
        """Somebody waits for a first sync or a difference."""
        return bool(self._owed)

    def append(self, rows: Rows) -> int:
        """Take rows into the next batch; its number.

        An author that is owed something waits for this batch too: what it is given then holds these
        words of its own, and it takes them for stored.
        """
        self.appended += 1
        flying = self._flying
        if flying is None:
            self._flying = {self.appended: rows}
        else:
            flying[self.appended] = rows
        if self._owed:
            authors, owed = {author for author, _ in rows}, self._owed
            for session in [session for session in owed if session in authors]:
                owed[session] = (self.appended, owed.pop(session)[1])
        return self.appended

    def answer(self, answers: Answers) -> Answers:
        """What may be answered at once; the rest waits for the commit of all appended so far."""
        if self.committed >= self.appended:
            return answers
        waiting = self._answers
        if waiting is None:
            self._answers = [(self.appended, answers)]
        else:
            waiting.append((self.appended, answers))
        return []

    def stored(self, batch: int) -> Answers:
        """Batch `batch` and all before it are committed: what may be answered now, in order."""
        assert batch <= self.appended, "the store confirmed what was never appended"
        flying = self._flying
        while self.committed < batch:
            self.committed += 1
            rows = None if flying is None else flying.pop(self.committed, None)
            if rows and self.missed is not None:
                self.missed += [update for _, update in rows]
        if not flying:
            self._flying = None
        answers = self._answers
        if answers is None or answers[0][0] > self.committed:
            return []
        ready = answers[0][1]
        count = 1
        while count < len(answers) and answers[count][0] <= self.committed:
            ready = ready + answers[count][1]
            count += 1
        if count == len(answers):
            self._answers = None
        else:
            del answers[:count]
        return ready

    def refuse_all(self) -> Answers:
        """The store refused for good: everything that waited is answered no."""
        waiting = self._answers or []
        refused = [(s, False, body) for _, answers in waiting for s, _, body in answers]
        self._answers = self._owed = self._flying = None
        return refused

    def owe(self, session: Session, vector: bytes | None, *, next_batch: bool) -> None:
        """A session is owed a step 2 from `vector` (None: a difference) after the commit."""
        owed = self._owed
        if owed is None:
            owed = self._owed = {}
        _, before = owed.pop(session, (0, None))
        owed[session] = (self.appended + next_batch, before if vector is None else vector)

    def due(self) -> tuple[Session, bytes | None] | None:
        """Who can be given what they are owed now, one by one; see `paid`."""
        if self._owed:
            for session, (batch, vector) in self._owed.items():
                return (session, vector) if batch <= self.committed else None
        return None

    def paid(self, session: Session) -> None:
        """A session has what it was owed, or is gone."""
        if self._owed is not None:
            self._owed.pop(session, None)
            self._owed = self._owed or None
