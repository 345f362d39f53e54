"""The codec of frames: golden bytes of the real providers, and everything malformed refused.

The golden bytes were recorded from y-websocket 1.5 to 3.1, `@hocuspocus/provider` 4.8 with server
4.7, and the Y-Sweet client 0.9.1.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crdt import wire
from crdt.bounds import Bounds
from crdt.errors import WireError
from crdt.wire import AuthToken
from tests.crdt.samples import examples

UPDATE = bytes.fromhex("010101000401017402686900")
"""Insert "hi" into the text "t" by client 1."""
DOC = bytes.fromhex("03646f63")
"""The Hocuspocus address "doc"."""

Y_FRAMES = {
    "step 1 of an empty document": ("00000100", wire.STEP1, b"\x00"),
    "step 1 after two clocks of client 1": ("000003010102", wire.STEP1, b"\x01\x01\x02"),
    "step 2, empty": ("0001020000", wire.STEP2, b"\x00\x00"),
    "update": ("00020c" + UPDATE.hex(), wire.UPDATE, UPDATE),
    "awareness, not ASCII": (
        "011a01010116" + '{"user":{"name":"é"}}'.encode().hex(),
        wire.AWARENESS,
        b"\x01\x01\x01\x16" + '{"user":{"name":"é"}}'.encode(),
    ),
    "awareness, leaving": (
        "010801010204" + b"null".hex(),
        wire.AWARENESS,
        b"\x01\x01\x02\x04null",
    ),
    "denied": ("0200026e6f", wire.AUTH_DENIED, b"no"),
    "query awareness": ("03", wire.QUERY_AWARENESS, b""),
    "Y-Sweet version": ("660105", wire.VERSION, b"\x05"),
    "unknown type": ("650105", wire.UNKNOWN, b"\x65\x01\x05"),
}
HOCUSPOCUS_FRAMES: dict[str, tuple[str, int, Any]] = {
    "token with version": (
        "020003746f6b05342e382e30",
        wire.AUTH_TOKEN,
        AuthToken("tok", "4.8.0"),
    ),
    "token of providers before 4": ("020003746f6b", wire.AUTH_TOKEN, AuthToken("tok", None)),
    "empty token": ("020000", wire.AUTH_TOKEN, AuthToken("", None)),
    "step 1": ("00000100", wire.STEP1, b"\x00"),
    "step 2": ("0001020000", wire.STEP2, b"\x00\x00"),
    "update": ("00020c" + UPDATE.hex(), wire.UPDATE, UPDATE),
    "awareness": ("01020100", wire.AWARENESS, b"\x01\x00"),
    "query awareness": ("03", wire.QUERY_AWARENESS, b""),
    "sync reply": ("04020c" + UPDATE.hex(), wire.SYNC_REPLY, UPDATE),
    "stateless": ("05027b7d", wire.STATELESS, "{}"),
    "broadcast stateless": ("06027b7d", wire.BROADCAST_STATELESS, "{}"),
    "close": ("07", wire.CLOSE, b""),
    "sync status": ("0801", wire.SYNC_STATUS, b""),
    "unknown type": ("0c0102", wire.UNKNOWN, b"\x01\x02"),
}
HOCUSPOCUS_REPLIES: dict[str, tuple[str, int, Any]] = {
    "authenticated": ("02020a" + b"read-write".hex(), wire.AUTHENTICATED, "read-write"),
    "denied": ("020111" + b"permission-denied".hex(), wire.AUTH_DENIED, "permission-denied"),
    "token request": ("0200", wire.TOKEN_REQUEST, ""),
    "applied": ("0801", wire.SYNC_STATUS, True),
    "refused": ("0800", wire.SYNC_STATUS, False),
    "close": ("0703627965", wire.CLOSE, "bye"),
    "update": ("00020c" + UPDATE.hex(), wire.UPDATE, UPDATE),
    "stateless": ("05027b7d", wire.STATELESS, "{}"),
}
BODIES: dict[str, tuple[bytes, str]] = {
    "step 1": (wire.step1(b"\x00"), "00000100"),
    "step 2": (wire.step2(b"\x00\x00"), "0001020000"),
    "update": (wire.update(UPDATE), "00020c" + UPDATE.hex()),
    "awareness": (wire.awareness(b"\x01\x01\x02\x04null"), "010801010204" + b"null".hex()),
    "query awareness": (wire.query_awareness(), "03"),
    "denied": (wire.denied_y("no"), "0200026e6f"),
    "version": (wire.version(b"\x05"), "660105"),
    "token": (wire.auth_token("tok", "4.8.0"), "020003746f6b05342e382e30"),
    "token of providers before 4": (wire.auth_token("tok"), "020003746f6b"),
    "token request": (wire.token_request(), "0200"),
    "Hocuspocus denied": (wire.denied("permission-denied"), "020111" + b"permission-denied".hex()),
    "authenticated": (wire.authenticated("read-write"), "02020a" + b"read-write".hex()),
    "stateless": (wire.stateless("{}"), "05027b7d"),
    "close of a server": (wire.close("bye"), "0703627965"),
    "close of a client": (wire.close(None), "07"),
    "applied": (wire.sync_status(True), "0801"),
    "refused": (wire.sync_status(False), "0800"),
    "address": (wire.address_prefix("doc"), "03646f63"),
    "address with session": (wire.address_prefix("doc\0abc"), "07646f6300616263"),
    "address, not ASCII": (wire.address_prefix("Zoé"), "045a6fc3a9"),
    "ping": (wire.PING_FRAME, "09"),
    "pong": (wire.PONG_FRAME, "0a"),
}


def _table(cases: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("case", cases.values(), ids=list(cases))


@_table(Y_FRAMES)
def test_y_frames_decode_to_their_golden_values(case: tuple[str, int, bytes]) -> None:
    """What the y-websocket and Y-Sweet clients send is read as what it means."""
    frame, kind, payload = case

    assert wire.decode_y(bytes.fromhex(frame)) == (kind, payload)
    assert wire.decode_y_all(bytes.fromhex(frame)) == [(kind, payload)]


@_table(HOCUSPOCUS_FRAMES)
def test_hocuspocus_frames_decode_to_their_golden_values(case: tuple[str, int, Any]) -> None:
    """What Hocuspocus providers 2 to 4 send is read as what it means, behind any address."""
    frame, kind, payload = case

    for address in ("doc", "doc\0abc", "Zoé", "x" * 200):
        whole = wire.address_prefix(address) + bytes.fromhex(frame)
        read, at = wire.read_address(whole)
        assert read == address
        assert wire.decode_hocuspocus(whole, at) == (kind, payload)


@_table(HOCUSPOCUS_REPLIES)
def test_hocuspocus_replies_decode_to_their_golden_values(case: tuple[str, int, Any]) -> None:
    """What a Hocuspocus server sends is read as what it means: clients stand on the same codec."""
    frame, kind, payload = case

    assert wire.decode_hocuspocus_reply(DOC + bytes.fromhex(frame), 4) == (kind, payload)


@_table(BODIES)
def test_bodies_are_the_golden_bytes(case: tuple[bytes, str]) -> None:
    """What we send is byte for byte what the reference servers send."""
    body, golden = case

    assert body.hex() == golden


def test_a_long_message_has_its_length_in_several_bytes() -> None:
    """The hot path reads lengths of one, two and more bytes alike."""
    for size in (0, 1, 126, 127, 128, 129, 16383, 16384, 70000):
        payload = bytes(size)
        frame = wire.update(payload)
        assert wire.decode_y(frame) == (wire.UPDATE, payload)
        assert wire.decode_hocuspocus(DOC + frame, 4) == (wire.UPDATE, payload)


def test_a_length_in_a_longer_form_is_taken_as_lib0_takes_it() -> None:
    """`82 00` is two; so is `82 80 00`."""
    assert wire.decode_y(b"\x00\x01\x82\x00\x00\x00") == (wire.STEP2, b"\x00\x00")
    assert wire.decode_y(b"\x00\x01\x82\x80\x00\x00\x00") == (wire.STEP2, b"\x00\x00")


def test_several_messages_in_a_frame_are_read_in_order() -> None:
    """`@y/websocket` 4 may put several messages into one frame."""
    frame = wire.step1(b"\x00") + wire.awareness(b"\x00") + wire.query_awareness() + b"\x70rest"

    assert wire.decode_y_all(frame) == [
        (wire.STEP1, b"\x00"),
        (wire.AWARENESS, b"\x00"),
        (wire.QUERY_AWARENESS, b""),
        (wire.UNKNOWN, b"\x70rest"),
    ]


Y_MALFORMED = {
    "nothing": ("", "truncated"),
    "only a type": ("00", "truncated"),
    "only a sub-type": ("0002", "truncated"),
    "shorter than its length": ("00020c0101", "truncated"),
    "longer than its length": ("000102000000", "trailing"),
    "two messages": ("0000010003", "trailing"),
    "unknown sync sub-type": ("000300", "unknown-type"),
    "unknown auth sub-type": ("020100", "unknown-type"),
    "reason is not UTF-8": ("020002c328", "bad-utf8"),
    "half a character": ("020001c3", "bad-utf8"),
    "length of 2^53": ("0001" + "80808080808080" + "10", "bad-varint"),
    "length without an end": ("0001" + "ff" * 30, "bad-varint"),
    "length that ends early": ("0001ff", "truncated"),
    "type without an end": ("ff" * 12, "bad-varint"),
    "version of 65 bytes": ("6641" + "00" * 65, "too-large"),
    "awareness shorter than its length": ("010500", "truncated"),
}
HOCUSPOCUS_MALFORMED = {
    "nothing behind the address": ("", "truncated"),
    "token shorter than its length": ("02000574", "truncated"),
    "token not UTF-8": ("020001ff", "bad-utf8"),
    "something behind the version": ("0200017401760000", "trailing"),
    "unknown auth sub-type": ("020300", "unknown-type"),
    "stateless not UTF-8": ("0502c328", "bad-utf8"),
    "close with something behind": ("070100", "trailing"),
    "query with something behind": ("0300", "trailing"),
    "update with something behind": ("000202000000", "trailing"),
    "unknown sync sub-type": ("000500", "unknown-type"),
}


@_table(Y_MALFORMED)
def test_malformed_y_frames_are_typed_errors(case: tuple[str, str]) -> None:
    """Each kind of malformed frame is refused with its own stable reason."""
    frame, reason = case

    with pytest.raises(WireError) as caught:
        wire.decode_y(bytes.fromhex(frame))
    assert caught.value.reason == reason


@_table(HOCUSPOCUS_MALFORMED)
def test_malformed_hocuspocus_frames_are_typed_errors(case: tuple[str, str]) -> None:
    """Each kind of malformed message is refused with its own stable reason."""
    frame, reason = case

    with pytest.raises(WireError) as caught:
        wire.decode_hocuspocus(DOC + bytes.fromhex(frame), 4)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("", "truncated"),
        ("00", "empty"),
        ("05646f63", "truncated"),
        ("02c328", "bad-utf8"),
        ("ff" * 12, "bad-varint"),
        ("81" + "08" + "61" * 1025, "too-large"),
    ],
)
def test_malformed_addresses_are_typed_errors(frame: str, reason: str) -> None:
    """An address is a non-empty text within its bound."""
    with pytest.raises(WireError) as caught:
        wire.read_address(bytes.fromhex(frame))
    assert caught.value.reason == reason


BOUNDS = Bounds(
    frame_bytes_max=100,
    address_bytes_max=10,
    token_bytes_max=10,
    stateless_bytes_max=10,
    reason_bytes_max=10,
    version_bytes_max=10,
)
BOUNDED: dict[str, tuple[Callable[[bytes], object], Callable[[int], bytes]]] = {
    "y frame": (lambda f: wire.decode_y(f, BOUNDS), lambda n: wire.update(bytes(n + 87))),
    "y frame of several": (
        lambda f: wire.decode_y_all(f, BOUNDS),
        lambda n: wire.update(bytes(n + 87)),
    ),
    "Hocuspocus frame": (
        lambda f: wire.read_address(f, BOUNDS),
        lambda n: DOC + bytes(n + 86),
    ),
    "address": (
        lambda f: wire.read_address(f, BOUNDS),
        lambda n: wire.address_prefix("x" * n),
    ),
    "token": (
        lambda f: wire.decode_hocuspocus(f, 0, BOUNDS),
        lambda n: wire.auth_token("x" * n),
    ),
    "provider version": (
        lambda f: wire.decode_hocuspocus(f, 0, BOUNDS),
        lambda n: wire.auth_token("", "x" * n),
    ),
    "stateless": (
        lambda f: wire.decode_hocuspocus(f, 0, BOUNDS),
        lambda n: wire.stateless("é" * (n // 2) + "x" * (n % 2)),
    ),
    "close reason": (
        lambda f: wire.decode_hocuspocus_reply(f, 0, BOUNDS),
        lambda n: wire.close("x" * n),
    ),
    "y denial": (lambda f: wire.decode_y(f, BOUNDS), lambda n: wire.denied_y("x" * n)),
    "version": (lambda f: wire.decode_y(f, BOUNDS), lambda n: wire.version(bytes(n))),
}


@_table(BOUNDED)
def test_each_bound_holds_on_both_of_its_sides(case: tuple[Any, Any]) -> None:
    """Ten bytes pass, eleven are too large (frames: 100 and 101)."""
    decode, make = case

    decode(make(10))
    with pytest.raises(WireError) as caught:
        decode(make(11))
    assert caught.value.reason == "too-large"


@pytest.mark.parametrize(
    ("frame", "answer"), [("00000100", False), ("03646f6302", True), ("", False), ("01", True)]
)
def test_the_first_byte_tells_the_dialect(frame: str, answer: bool) -> None:
    """y-websocket begins with step 1, a Hocuspocus address is never empty."""
    assert wire.is_hocuspocus(bytes.fromhex(frame)) is answer


def test_an_address_is_a_name_and_perhaps_a_session() -> None:
    """The session stands behind the first NUL; names hold none."""
    assert wire.split_address("doc") == ("doc", None)
    assert wire.split_address("doc\0abc") == ("doc", "abc")
    assert wire.split_address("doc\0") == ("doc", "")


@given(st.integers(0, (1 << 53) - 1))
@example(127)
@example(128)
@example((1 << 53) - 1)
def test_numbers_survive_encoding(number: int) -> None:
    """Every number of 53 bits is read back, and nothing of what follows it."""
    assert wire.read_var_uint(wire.var_uint(number) + b"\xff", 0) == (
        number,
        len(wire.var_uint(number)),
    )


@given(st.text(), st.binary(max_size=5))
def test_text_survives_encoding(text: str, behind: bytes) -> None:
    """The length of text counts bytes, not characters."""
    encoded = wire.var_string(text)

    assert wire.read_var_string(encoded + behind, 0, 1 << 20) == (text, len(encoded))


_payload = st.binary(max_size=300)
_text = st.text(max_size=100)


@given(_payload, _text)
def test_messages_survive_encoding(payload: bytes, text: str) -> None:
    """Decode after encode is the same, in every dialect and direction."""
    for kind, frame in (
        (wire.STEP1, wire.step1(payload)),
        (wire.STEP2, wire.step2(payload)),
        (wire.UPDATE, wire.update(payload)),
        (wire.AWARENESS, wire.awareness(payload)),
    ):
        assert wire.decode_y(frame) == (kind, payload)
        assert wire.decode_y_all(frame + frame) == [(kind, payload)] * 2
        assert wire.decode_hocuspocus(b"..." + frame, 3) == (kind, payload)
        assert wire.decode_hocuspocus_reply(b"..." + frame, 3) == (kind, payload)
    token = wire.auth_token(text, text)
    assert wire.decode_hocuspocus(token, 0) == (wire.AUTH_TOKEN, AuthToken(text, text))
    for kind, frame in (
        (wire.AUTH_DENIED, wire.denied(text)),
        (wire.AUTHENTICATED, wire.authenticated(text)),
        (wire.CLOSE, wire.close(text)),
        (wire.STATELESS, wire.stateless(text)),
    ):
        assert wire.decode_hocuspocus_reply(frame, 0) == (kind, text)


_GOLDEN = [
    bytes.fromhex(frame)
    for table in (Y_FRAMES, HOCUSPOCUS_FRAMES, HOCUSPOCUS_REPLIES)
    for frame, _, _ in table.values()
]


@st.composite
def _broken_frames(draw: st.DrawFn) -> bytes:
    frame = bytearray(draw(st.sampled_from(_GOLDEN)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(frame)))
        frame[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(frame)


@examples(500, 20_000)
@given(st.one_of(_broken_frames(), st.binary(max_size=40)))
def test_no_other_error_leaves_the_decoders(frame: bytes) -> None:
    """Whatever the bytes are: messages, or a WireError; one message is one for both readers."""
    decoders: list[Callable[[], object]] = [
        lambda: wire.decode_y(frame),
        lambda: wire.decode_y_all(frame),
        lambda: wire.decode_hocuspocus(frame, min(4, len(frame))),
        lambda: wire.decode_hocuspocus_reply(frame, min(4, len(frame))),
        lambda: wire.read_address(frame),
    ]
    answers = []
    for decode in decoders:
        try:
            answers.append(decode())
        except WireError as error:
            answers.append(error)
    if not isinstance(answers[0], WireError):
        assert answers[1] == [answers[0]]
