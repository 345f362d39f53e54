"""Rows on their way into a commit: the line of each document, and the flight that takes some."""

from __future__ import annotations

from uuid import UUID

from storage.append import Entry, Row, Statements


class Line:
    """The rows of one document that wait for a commit, in order, and those that are in one."""

    __slots__ = ("aloft", "document", "entries", "lane", "rows", "size", "start", "suspects")

    def __init__(self, document: UUID, lane: object) -> None:
        self.document = document
        self.lane = lane
        """The lane whose turn it is to commit these rows; all of them wait for that one."""
        self.entries: list[Entry] = []
        self.aloft: list[Entry] = []
        """In a commit now; none of the later ones may be, until these are settled."""
        self.start = self.rows = self.size = 0
        """Of what is aloft: rows of the flight before it, its rows, its bytes."""
        self.suspects = 0
        """The database refuses one of so many next entries: they go one by one to find it."""

    def put_back(self) -> None:
        """Queue what is aloft again, before all that came later."""
        self.entries[:0] = self.aloft
        self.aloft = []


class Flight:
    """The rows of one commit: what some lines have aloft, all of one lineage."""

    __slots__ = ("bytes", "doubtful", "free", "lineage", "lines", "rows")

    def __init__(self, lineage: int) -> None:
        self.lineage = lineage
        self.lines: list[Line] = []
        self.rows: list[Row] = []
        self.bytes = 0
        self.doubtful: int | None = None
        """The batch number of an attempt whose outcome is not known (yet)."""
        self.free = False
        """Some head is locked: leave those out that are."""

    def take(self, line: Line, rows_max: int, bytes_max: int) -> bool:
        """Lift entries of the flight's lineage off the line, up to the bounds. Whether any.

        An empty flight takes the first entry whatever its size, because an entry is never split.
        """
        rows, entries, count, size = self.rows, line.entries, 0, self.bytes
        start = len(rows)
        for entry in entries:
            if (
                entry.lineage != self.lineage
                or (rows and (size + entry.size > bytes_max or len(rows) >= rows_max))
                or (rows and len(rows) + len(entry.rows) > rows_max)
                or (line.suspects and count)
            ):
                break
            count += 1
            rows += entry.rows
            size += entry.size
        if not count:
            return False
        line.aloft, line.entries = entries[:count], entries[count:]
        line.start, line.rows, line.size = start, len(rows) - start, size - self.bytes
        self.bytes = size
        self.lines.append(line)
        return True

    def keep(self, lines: list[Line]) -> None:
        """Go on with these lines only; the others are settled."""
        self.lines, self.rows = lines, []
        for line in lines:
            line.start = len(self.rows)
            for entry in line.aloft:
                self.rows += entry.rows
        self.bytes = sum(line.size for line in lines)

    def request(self, texts: Statements, writer: int, batch: int) -> tuple[str, list[object]]:
        """The statement for this flight and its arguments."""
        lines, rows = self.lines, self.rows
        arguments: list[object] = [None, self.lineage, writer, batch]
        text = texts.one
        if len(lines) == 1:
            arguments[0] = lines[0].document
            arguments += (lines[0].rows, lines[0].size)
        elif len(lines) == len(rows) and not self.free:
            text = texts.each
            arguments[0] = [line.document for line in lines]
        else:
            text = texts.free if self.free else texts.many
            arguments[0] = [line.document for line in lines]
            places: list[int] = []
            for place, line in enumerate(lines, 1):
                places += [place] * line.rows
            arguments += (
                [line.start for line in lines],
                [line.rows for line in lines],
                [line.size for line in lines],
                places,
            )
        arguments += (
            [row.data for row in rows],
            [row.author for row in rows],
            [row.device for row in rows],
            [row.at for row in rows],
        )
        return text, arguments
