"""Everything the core refuses, as one tree of errors.

    CrdtError
      WireError        a frame that is not what its protocol says
      UpdateError      an update, or a state vector, that we do not take
      BadName          a text that cannot name a document
      DocumentBroken   a document in memory that must be discarded and rebuilt from its log
        OutOfOrder     no panic: an update came before its predecessor, and pycrdt took it up

The first three are caused by peers and are answered to the peer that caused them. The last one is
ours: pycrdt panicked, and using the document again may corrupt memory.
"""

from typing import Any


class CrdtError(Exception):
    """Root of this package's errors. They come out of helper processes as they went in."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[CrdtError], args: tuple[Any, ...], facts: dict[str, Any]) -> CrdtError:
    """The same error: its constructor takes the facts and not the sentence made of them."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class WireError(CrdtError):
    """A peer sent bytes that are not a frame of the protocol, or a part over its bound.

    `reason` is one stable word for counters and close reasons: "truncated", "trailing",
    "too-large", "bad-varint", "bad-utf8", "bad-json", "too-many", "unknown-type", "empty".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"malformed frame: {reason}")
        self.reason = reason


class UpdateError(CrdtError):
    """An update or a state vector that is refused; the document is unchanged by it.

    `reason` is one stable word: "malformed", "v2", "client-id", "clock", "trailing", "too-large",
    "too-deep", "too-many", "unsupported".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"update refused: {reason}")
        self.reason = reason


class BadName(CrdtError):
    """A text that cannot be the name of a document.

    `reason` is one stable word: "empty", "too-long", "control-character", "bad-utf8", "bad-id".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"not a document name: {reason}")
        self.reason = reason


class DocumentBroken(CrdtError):
    """pycrdt panicked, or left an update half applied: discard this document and rebuild it.

    `culprit` is the index in the turn of the update that did it, or None where no update was being
    applied. Going on with such a document has killed processes, so every later call raises this
    again.
    """

    def __init__(self, culprit: int | None = None, cause: str = "panic") -> None:
        where = "" if culprit is None else f" at update {culprit} of the turn"
        super().__init__(f"document broken ({cause}){where}: rebuild it from the log")
        self.culprit = culprit
        self.cause = cause


class OutOfOrder(DocumentBroken):
    """pycrdt took up an update before what it stands on: nobody is to blame, but rebuild."""

    def __init__(self) -> None:
        super().__init__(None, "out of order")
