"""What a camera wrote into a picture, read whatever stands there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.media import exif
from tests.server.media import making


def block() -> bytes:
    """The EXIF block of a photograph."""
    return bytes(making.pixels_of(making.photographed()).get("exif-data"))


def test_camera_and_moment_are_read() -> None:
    """Under our names, as numbers and texts."""
    values = exif.read(block()).values

    assert (values["make"], values["model"]) == ("Plait Cameras", "P1")
    assert (values["taken_at"], values["f_number"]) == ("2026:01:02 03:04:05", 2.8)


def test_the_position_is_read_apart() -> None:
    """So that it can be kept from those who may not see it."""
    found = exif.read(block())

    assert found.position == exif.Position(52.5, -13.25, 34.0)
    assert not [name for name in found.values if "gps" in name or "tude" in name]


@given(st.binary(max_size=400))
def test_no_bytes_are_an_error(data: bytes) -> None:
    """Neither noise nor a damaged block."""
    exif.read(data)
    exif.read(b"Exif\0\0II*\0\x08\0\0\0" + data)
    exif.read(b"MM\0*\0\0\0\x08" + data)


@given(st.integers(0, 600), st.integers(0, 255))
def test_a_damaged_block_is_no_error(at: int, value: int) -> None:
    """One byte of it is another one."""
    data = bytearray(block())
    data[at % len(data)] = value

    exif.read(bytes(data))


def test_offsets_that_lie_are_left_out() -> None:
    """An entry that points behind the end, or at its own directory for ever."""
    entry = b"\x0f\x01\x02\0\xff\xff\xff\x7f\xff\xff\xff\x7f"
    again = b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0"

    assert exif.read(b"II*\0\x08\0\0\0\x02\0" + entry + again) == exif.Exif({}, None)
