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


class CrdtError(Exception):
    """Root of this package's errors."""


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
