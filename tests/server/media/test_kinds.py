"""What bytes are, by their content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.kinds import HEAD_BYTES, sniff
from tests.server.media import making

KINDS = {
    "image/jpeg": making.encoded(".jpg"),
    "image/png": making.encoded(".png"),
    "image/gif": making.encoded(".gif"),
    "image/webp": making.encoded(".webp"),
    "image/tiff": making.encoded(".tif"),
    "image/avif": making.encoded(".avif"),
    "image/heic": making.heic(),
    "image/svg+xml": making.svg(before="<?xml version='1.0'?><!-- a -->\n<!DOCTYPE svg>"),
    "video/mp4": making.video(1),
    "video/quicktime": making.video(1, form="mov"),
    "video/webm": making.video(1, form="webm", codec="libvpx"),
    "video/x-matroska": making.video(1, form="matroska"),
    "video/x-msvideo": making.video(1, form="avi", codec="mpeg4"),
    "video/mp2t": making.video(1, form="mpegts", codec="mpeg2video"),
    "application/pdf": making.pdf(),
    "audio/mpeg": b"ID3\x04" + bytes(100),
    "audio/flac": b"fLaC" + bytes(100),
    "application/zip": b"PK\x03\x04" + bytes(100),
    "text/plain": "Grüße\n".encode(),
    "text/html": b"\n<!DOCTYPE html><p>",
    "application/xml": b'<?xml version="1.0"?><a/>',
    "application/octet-stream": b"",
}


@pytest.mark.parametrize("mime", KINDS)
def test_each_kind_is_told(mime: str) -> None:
    """By its first 4 KiB, whatever the name says."""
    assert sniff(KINDS[mime][:HEAD_BYTES], "name.docx").mime == mime


def test_a_character_cut_off_at_the_end_of_the_head_is_text() -> None:
    """The file goes on behind it."""
    head = ("x" + "漢" * HEAD_BYTES).encode()[:HEAD_BYTES]

    assert sniff(head).mime == "text/plain"


@pytest.mark.parametrize("data", [b"\0abc", b"\x80abc", b"abc\x01", b"\xff\xfe\0"])
def test_what_is_no_text_is_not_called_text(data: bytes) -> None:
    """Control characters and wrong UTF-8."""
    assert sniff(data, "notes.txt").mime == "application/octet-stream"


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_bytes_are_an_error(data: bytes, name: str) -> None:
    """Everything has a kind."""
    assert sniff(data, name).mime
