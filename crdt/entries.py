"""The entries of a collection of records: plain values, checked, restored and compared.

pycrdt gives small whole numbers back as floats and bytes as bytearrays; here they come back as what
they were. Whole floats become integers: to Yjs, as in JSON, they are the same number. What pycrdt
cannot take it answers with a panic, so every value is looked at before.
"""

from typing import Any, Final, TypeAlias

import msgspec

from crdt.errors import UpdateError

Value: TypeAlias = "bool | int | float | str | bytes | list[Value] | dict[str, Value] | None"
Entry: TypeAlias = dict[str, Any]

ID_BYTES_MAX: Final = 512
AT_MAX: Final = (1 << 53) - 1
DEPTH_MAX: Final = 100
"""Levels of lists and objects in one value."""

_INTEGER_MAX: Final = (1 << 53) - 1
"""Larger ones are rounded on their way through an update, so that replicas would differ."""


class BadRecord(UpdateError):
    """An id, a time or a value that no record can have.

    `reason` is one stable word: "record-id", "record-at", "record-value", "record-depth".
    """


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under one id."""

    value: Value
    """None for a tombstone."""
    at: int | None
    """Unix milliseconds; None for what was put without a time."""
    is_deleted: bool = False


def record_of(raw: object) -> Record | None:
    """What stands in the map as a record; None for what is none."""
    entry = entry_of(raw)
    if entry is None:
        return None
    return Record(value=entry.get("value"), at=entry.get("at"), is_deleted="deleted" in entry)


def entry_of(raw: object) -> Entry | None:
    """An entry of the map in its own types; None for what is no record."""
    if not isinstance(raw, dict):
        return None
    if len(raw) == 2:
        value, at = raw.get("value"), raw.get("at")
        # What adapters mostly keep: a text at a time. A third of the general way's price.
        if type(value) is str and type(at) is float and at.is_integer() and 0 <= at <= AT_MAX:
            return {"value": value, "at": int(at)}
    entry: Entry = restored(raw)
    at = entry.get("at")
    if entry.keys() == {"value"}:
        return entry
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at <= AT_MAX:
        return None
    if entry.keys() == {"value", "at"} or (
        entry.keys() == {"deleted", "at"} and entry["deleted"] is True
    ):
        return entry
    return None


def rank(entry: Entry) -> tuple[int, bool, bytes]:
    """By which of two entries the later one is told: time, then deletion, then content."""
    return entry["at"], "deleted" in entry, encoded(entry)


def encoded(entry: object) -> bytes:
    """Bytes that are equal for equal content."""
    return msgspec.msgpack.encode(entry, order="deterministic")


def restored(raw: Any) -> Any:  # noqa: ANN401  (whatever pycrdt gives)
    """A value in the types it was written in."""
    if isinstance(raw, float):
        return int(raw) if raw.is_integer() and abs(raw) <= _INTEGER_MAX else raw
    if isinstance(raw, dict):
        return {key: restored(value) for key, value in raw.items()}
    if isinstance(raw, list):
        return [restored(value) for value in raw]
    return bytes(raw) if isinstance(raw, bytearray) else raw


def plain(value: Any, depth: int = 0) -> Any:  # noqa: ANN401  (it is looked at here)
    """The value if pycrdt can take it as it is: what it cannot take makes it panic."""
    if value is None or isinstance(value, bool | bytes):
        return value
    if isinstance(value, str):
        return _checked_text(value)
    if isinstance(value, int):
        if -_INTEGER_MAX <= value <= _INTEGER_MAX:
            return value
        raise BadRecord("record-value")
    if isinstance(value, float):
        if value - value == 0:  # Neither infinite nor no number.
            return restored(value)
        raise BadRecord("record-value")
    if depth >= DEPTH_MAX:
        raise BadRecord("record-depth")
    if isinstance(value, dict):
        return {_checked_text(key): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, depth + 1) for each in value]
    raise BadRecord("record-value")


def _checked_text(text: object) -> str:
    if not isinstance(text, str):
        raise BadRecord("record-value")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRecord("record-value") from None
    return text


def checked_at(at: object) -> int:
    """A time that a record can have. Raises BadRecord."""
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at <= AT_MAX:
        raise BadRecord("record-at")
    return at


def is_id(record: object) -> bool:
    """Whether something can be the id of a record."""
    if not isinstance(record, str) or not record:
        return False
    try:
        return len(record.encode()) <= ID_BYTES_MAX
    except UnicodeEncodeError:
        return False
