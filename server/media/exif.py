"""EXIF: what a camera wrote into a picture, read with a bound on everything. Pure.

The block is a small TIFF file (EXIF 2.32): directories of 12-byte entries whose offsets its writer
chose, so none is trusted. What cannot be read is left out; nothing here raises.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

BYTES_MAX: Final = 1 << 20
_ENTRIES_MAX: Final = 256
_VALUES_MAX: Final = 8
_TEXT_MAX: Final = 200

_MAIN: Final = {
    0x010F: "make",
    0x0110: "model",
    0x0112: "orientation",
    0x0131: "software",
    0x0132: "modified_at",
    0x013B: "artist",
    0x8298: "copyright",
}
_CAMERA: Final = {
    0x829A: "exposure_s",
    0x829D: "f_number",
    0x8827: "iso",
    0x9003: "taken_at",
    0x9011: "taken_offset",
    0x9209: "flash",
    0x920A: "focal_length_mm",
    0xA405: "focal_length_35mm",
    0xA434: "lens",
}
_CAMERA_AT: Final = 0x8769
_PLACE_AT: Final = 0x8825
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8}


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a picture was taken; degrees north and east, metres above the sea."""

    latitude: float
    longitude: float
    altitude: float | None = None


class Exif(NamedTuple):
    """What was read: values by our names for them, and the place apart from them."""

    values: dict[str, Any]
    position: Position | None


def read(data: bytes) -> Exif:
    """Read an EXIF block, with or without the `Exif` mark before it."""
    data = data[:BYTES_MAX].removeprefix(b"Exif\0\0")
    if data[:4] == b"II*\0":
        block = _Block(data, "little")
    elif data[:4] == b"MM\0*":
        block = _Block(data, "big")
    else:
        return Exif({}, None)
    main = block.directory(block.number(4, 4))
    values = {name: main[tag][0] for tag, name in _MAIN.items() if main.get(tag)}
    camera = block.directory(_offset(main, _CAMERA_AT))
    values |= {name: camera[tag][0] for tag, name in _CAMERA.items() if camera.get(tag)}
    values.update({name: value.strip() for name, value in values.items() if isinstance(value, str)})
    kept = {name: value for name, value in values.items() if value != ""}
    return Exif(kept, _position(block.directory(_offset(main, _PLACE_AT))))


class _Block:
    """The bytes and their order."""

    def __init__(self, data: bytes, order: str) -> None:
        self._data = data
        self._order: Any = order

    def number(self, at: int, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._data[at : at + size], self._order, signed=signed)

    def directory(self, at: int) -> dict[int, list[Any]]:
        """The entries of a directory; empty where there is none."""
        if not 8 <= at <= len(self._data) - 2:
            return {}
        found: dict[int, list[Any]] = {}
        for index in range(min(self.number(at, 2), _ENTRIES_MAX)):
            entry = at + 2 + 12 * index
            if entry + 12 > len(self._data):
                break
            values = self._values(entry)
            if values:
                found.setdefault(self.number(entry, 2), values)
        return found

    def _values(self, entry: int) -> list[Any]:
        kind, count = self.number(entry + 2, 2), self.number(entry + 4, 4)
        size = _SIZES.get(kind, 0)
        if not size or not count:
            return []
        at = entry + 8 if size * count <= 4 else self.number(entry + 8, 4)
        if at + size * min(count, _VALUES_MAX if kind != 2 else 1) > len(self._data):
            return []
        if kind == 2:
            raw = self._data[at : at + min(count, _TEXT_MAX)].partition(b"\0")[0]
            return [_printable(raw.decode("utf-8", "replace"))]
        if kind == 7:
            return []
        return [
            value
            for index in range(min(count, _VALUES_MAX))
            if (value := self._value(at + index * size, kind, size)) is not None
        ]

    def _value(self, at: int, kind: int, size: int) -> int | float | None:
        signed = kind in {6, 8, 9, 10}
        if kind not in {5, 10}:
            return self.number(at, size, signed=signed)
        over, under = self.number(at, 4, signed=signed), self.number(at + 4, 4, signed=signed)
        return round(over / under, 9) if under else None


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())


def _offset(entries: dict[int, list[Any]], tag: int) -> int:
    value = entries.get(tag, [0])[0]
    return value if isinstance(value, int) else 0


def _position(place: dict[int, list[Any]]) -> Position | None:
    latitude = _degrees(place.get(2), place.get(1), "S", 90)
    longitude = _degrees(place.get(4), place.get(3), "W", 180)
    if latitude is None or longitude is None:
        return None
    height = place.get(6, [None])[0]
    if isinstance(height, int | float) and place.get(5, [0])[0] == 1:
        height = -height
    return Position(latitude, longitude, height if isinstance(height, int | float) else None)


def _degrees(
    parts: list[Any] | None, side: list[Any] | None, minus: str, most: int
) -> float | None:
    if not parts or len(parts) < 3 or not all(isinstance(part, int | float) for part in parts[:3]):
        return None
    value = round(parts[0] + parts[1] / 60 + parts[2] / 3600, 7)
    if not 0 <= value <= most:
        return None
    return float(-value if side and str(side[0]).upper().startswith(minus) else value)
