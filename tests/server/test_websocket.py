"""The WebSocket parser takes what RFC 6455 allows, refuses the rest, and keeps little."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import websocket

MASK = b"\x11\x22\x33\x44"


class Wire(asyncio.Transport):
    """A transport that remembers what was written and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Remember it."""
        self.written += bytes(data)

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Remember it."""
        self.closed = True

    def abort(self) -> None:
        """Remember it."""
        self.closed = True


class Peer(websocket.WebSocketProtocol):
    """Collects whole messages."""

    __slots__ = ("messages",)

    def __init__(self, frame_bytes_max: int = 100_000) -> None:
        super().__init__(Wire(), frame_bytes_max, 0.0)
        self.messages: list[bytes] = []

    def message(self, payload: bytes) -> None:
        """Collect it."""
        self.messages.append(payload)

    def lost(self) -> None:
        """Nothing to clean up."""

    def clock(self) -> float:
        """A clock that stands."""
        return 1.0

    @property
    def wire(self) -> Wire:
        """The transport, as what it is."""
        assert isinstance(self.transport, Wire)
        return self.transport


def frame(payload: bytes, *, opcode: int = 2, final: bool = True, masked: bool = True) -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    head = bytes([(128 if final else 0) | opcode])
    flag = 128 if masked else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 65536:
        head += bytes([flag | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([flag | 127]) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    return head + MASK + websocket.unmask(payload, 0, size, MASK)


def close_code(written: bytes) -> int:
    """The code of the close frame that ends what was written."""
    at = written.rindex(b"\x88")
    return int.from_bytes(written[at + 2 : at + 4], "big")


@given(
    st.lists(st.sampled_from([0, 1, 6, 125, 126, 127, 300, 65535, 65536, 65540]), max_size=6),
    st.data(),
)
def test_messages_arrive_whole_however_the_bytes_are_cut(
    sizes: Sequence[int], data: st.DataObject
) -> None:
    """Any cut of the byte stream gives the same messages in the same order."""
    payloads = [bytes([n]) * size for n, size in enumerate(sizes)]
    stream = b"".join(map(frame, payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    peer = Peer()

    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if start < stop:
            peer.data_received(stream[start:stop])

    assert peer.messages == list(payloads)


def test_bytes_that_come_one_by_one_make_a_message() -> None:
    """A client that writes single bytes is served like any other."""
    peer = Peer()

    for byte in frame(b"hello" * 40):
        peer.data_received(bytes([byte]))

    assert peer.messages == [b"hello" * 40]


def test_a_fragmented_message_is_joined_and_pings_between_are_answered() -> None:
    """Control frames may stand between the fragments of one message."""
    peer = Peer()

    peer.data_received(frame(b"ab", final=False) + frame(b"x", opcode=9))
    peer.data_received(frame(b"cd", opcode=0, final=False) + frame(b"e", opcode=0))

    assert peer.messages == [b"abcde"]
    assert peer.wire.written == b"\x8a\x01x"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(b"a", masked=False), 1002, id="not-masked"),
        pytest.param(bytes([0xC2]) + frame(b"a")[1:], 1002, id="reserved-bit"),
        pytest.param(frame(b"a", opcode=3), 1002, id="unknown-opcode"),
        pytest.param(frame(b"a", opcode=0), 1002, id="continuation-of-nothing"),
        pytest.param(frame(b"a", final=False) + frame(b"b"), 1002, id="message-in-message"),
        pytest.param(frame(b"a" * 126, opcode=9), 1002, id="long-ping"),
        pytest.param(frame(b"", opcode=9, final=False), 1002, id="fragmented-ping"),
        pytest.param(frame(b"\x03", opcode=8), 1002, id="one-byte-close"),
        pytest.param(frame(b"\x00\x01", opcode=8), 1002, id="close-code-1"),
        pytest.param(frame(b"text", opcode=1), 1003, id="text"),
        pytest.param(frame(b"a" * 100_001), 1009, id="too-big"),
    ],
)
async def test_what_a_client_may_not_send_closes_with_its_code(data: bytes, code: int) -> None:
    """Each kind of bad frame is answered with the close code that RFC 6455 gives it."""
    peer = Peer()

    peer.data_received(data)

    assert peer.messages == []
    assert close_code(peer.wire.written) == code
    assert peer.wire.closed


async def test_a_huge_announced_length_is_refused_before_its_bytes_come() -> None:
    """Ten bytes of head are enough to refuse a frame of 2^62 bytes."""
    peer = Peer()

    peer.data_received(b"\x82\xff" + (1 << 62).to_bytes(8, "big") + MASK)

    assert close_code(peer.wire.written) == 1009


async def test_many_small_fragments_are_bounded_like_one_message() -> None:
    """A message in endless empty fragments is cut off too."""
    peer = Peer(frame_bytes_max=1000)

    peer.data_received(frame(b"", final=False))
    for _ in range(200):
        peer.data_received(frame(b"", opcode=0, final=False))

    assert close_code(peer.wire.written) == 1009


def test_a_close_frame_is_answered_with_the_same_code() -> None:
    """The closing handshake is completed."""
    peer = Peer()

    peer.data_received(frame((4001).to_bytes(2, "big") + b"bye", opcode=8))

    assert close_code(peer.wire.written) == 4001
    assert peer.wire.closed


def test_a_stalled_connection_keeps_the_order_of_its_messages() -> None:
    """While one message is looked at, the later ones wait, whole and in order."""

    class Careful(Peer):
        """Stalls at each message that says so."""

        __slots__ = ()

        def message(self, payload: bytes) -> None:
            """Stop behind the first."""
            super().message(payload)
            self.stalled = payload == b"wait"

    peer = Careful()

    peer.data_received(frame(b"wait") + frame(b"second") + frame(b"third")[:4])
    peer.data_received(frame(b"third")[4:])
    waiting = list(peer.messages)
    peer.go_on()

    assert waiting == [b"wait"]
    assert peer.messages == [b"wait", b"second", b"third"]


async def test_nothing_is_handled_after_a_close() -> None:
    """What a peer sends behind its offence is ignored."""
    peer = Peer()

    peer.data_received(frame(b"text", opcode=1) + frame(b"later"))
    peer.data_received(frame(b"and more"))

    assert peer.messages == []


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 200_000])
def test_encoded_frames_have_the_shortest_head(size: int) -> None:
    """A frame from the server is unmasked and its length is in the shortest form."""
    data = websocket.encode(b"x" * size)

    head = 2 if size < 126 else 4 if size < 65536 else 10
    assert len(data) == head + size
    assert data[0] == 0x82
    assert not data[1] & 128


def test_a_long_close_reason_is_cut_to_what_a_control_frame_holds() -> None:
    """A close frame never exceeds 125 bytes of payload."""
    assert len(websocket.encode_close(4400, "x" * 500)) == 127
