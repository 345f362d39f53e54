"""Names in every form, and ids that sort by time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.bounds import Bounds
from crdt.errors import BadName
from crdt.ids import DocumentName, is_global_id, is_ulid, is_uuid, make_ulid

W = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
B = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
U = "123e4567-e89b-12d3-a456-426614174000"

FORMS: dict[str, tuple[str, str | None, str | None, str]] = {
    # text, workspace beside it -> workspace, name
    "block alone": (B, None, None, B),
    "block, workspace beside it": (B, W, W, B),
    "workspace and block": (f"{W}:{B}", None, W, B),
    "workspace, block and version": (f"{W}:{B}:v7", None, W, B),
    "a long version": (f"{W}:{B}:v123456", None, W, B),
    "UUIDs": (f"{U}:{U}", None, U, U),
    "a workspace is spelled in capitals": (f"{W.lower()}:{B.lower()}:v1", None, W, B.lower()),
    "block path": (f"block/{B}", None, None, B),
    "block path, workspace beside it": (f"block/{B}", W, W, B),
    "block path with workspace": (f"block/{B}?workspaceId={W}", None, W, B),
    "block path, other query": (f"block/{B}?x=1&workspaceId={W}&y=2", None, W, B),
    "the workspace inside wins": (f"{W}:{B}", U, W, B),
    "the workspace of the query wins": (f"block/{B}?workspaceId={W}", U, W, B),
    "a name in a workspace": (f"{W}:notes", None, W, "notes"),
    "a name with colons in a workspace": (f"{W}:a:b", None, W, "a:b"),
    "a version of a name": (f"{W}:notes:v3", None, W, "notes"),
    "plain": ("notes", None, None, "notes"),
    "plain, workspace beside it": ("notes", W, W, "notes"),
    "slashes": ("team/notes/2026", None, None, "team/notes/2026"),
    "colons": ("team:notes", None, None, "team:notes"),
    "a version without a workspace": ("notes:v2", None, None, "notes:v2"),
    "block and version without a workspace": (f"{B}:v2", None, B, "v2"),
    "a path that names no block": ("block/notes", None, None, "block/notes"),
    "a path and a query with any block": ("block/x?workspaceId=y", None, "y", "x"),
    "a path with any block, workspace beside it": ("block/x", W, W, "x"),
    "a path and another query": ("block/x?y=z", None, None, "block/x?y=z"),
    "a workspace without a name": (f"{W}:", None, None, f"{W}:"),
    "only a version in a workspace": (f"{W}:v1", None, W, "v1"),
    "not ASCII": ("Zoés Notizen 🙂", None, None, "Zoés Notizen 🙂"),
    "spaces": (" a b ", None, None, " a b "),
    "an empty workspace beside it": ("notes", "", None, "notes"),
    "a long first part": (f"{W}x:{B}", None, None, f"{W}x:{B}"),
}


@pytest.mark.parametrize("case", FORMS.values(), ids=list(FORMS))
def test_names_are_read_in_every_form(case: tuple[str, str | None, str | None, str]) -> None:
    """One document, however it is spelled; and no plain name is taken apart."""
    text, beside, workspace, name = case

    assert DocumentName.parse(text, beside) == DocumentName(workspace, name)


REFUSED = {
    "nothing": ("", None, "empty"),
    "NUL": ("a\0b", None, "control-character"),
    "line end": ("a\nb", None, "control-character"),
    "delete": ("a\x7f", None, "control-character"),
    "C1 control": ("a\x85", None, "control-character"),
    "half a surrogate pair": ("a\ud83d", None, "bad-utf8"),
    "too long": ("x" * 513, None, "too-long"),
    "too long in bytes": ("é" * 257, None, "too-long"),
    "NUL in the workspace beside it": ("a", "w\0", "control-character"),
    "NUL in the query": (f"block/{B}?workspaceId=%00", None, "control-character"),
    "long workspace": ("a", "x" * 513, "too-long"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_a_name_is_refused(case: tuple[str, str | None, str]) -> None:
    """Each kind with its reason."""
    text, beside, reason = case

    with pytest.raises(BadName) as caught:
        DocumentName.parse(text, beside)
    assert caught.value.reason == reason


def test_names_have_a_length_in_bytes() -> None:
    """The bound passes, one more does not."""
    bounds = Bounds(name_bytes_max=4)

    assert DocumentName.parse("éé", bounds=bounds).name == "éé"
    with pytest.raises(BadName):
        DocumentName.parse("éée", bounds=bounds)


@given(st.text(min_size=1, max_size=80), st.one_of(st.none(), st.just(W), st.text(max_size=20)))
def test_any_text_is_a_name_or_refused(text: str, beside: str | None) -> None:
    """No other error; what is read can be stored: no NUL, no empty part."""
    try:
        name = DocumentName.parse(text, beside)
    except BadName:
        return
    assert name.name
    assert name.workspace != ""
    assert "\0" not in name.compose()


def test_names_are_written_as_clients_write_them() -> None:
    """And read again as the same."""
    for name in (DocumentName(W, B), DocumentName(None, "notes"), DocumentName(W, "a:b")):
        assert DocumentName.parse(name.compose()) == name


IDS = {
    W: True,
    W.lower(): True,
    U: True,
    U.upper(): True,
    "7ZZZZZZZZZZZZZZZZZZZZZZZZZ": True,
    "8ZZZZZZZZZZZZZZZZZZZZZZZZZ": False,
    W[:-1]: False,
    W + "0": False,
    W[:-1] + "I": False,
    W[:-1] + "U": False,
    U[:-1]: False,
    U.replace("-", ""): False,
    "": False,
    W[:-1] + "٣": False,
    W + "\n": False,
}


@pytest.mark.parametrize(("text", "answer"), IDS.items(), ids=[repr(text) for text in IDS])
def test_global_ids_are_ulids_and_uuids(text: str, answer: bool) -> None:
    """In either case of letters, and nothing that only resembles them."""
    assert is_global_id(text) is answer
    assert (is_ulid(text) or is_uuid(text)) is answer


def test_a_ulid_is_its_time_and_its_randomness() -> None:
    """As the ULID specification spells them."""
    assert make_ulid(1469918176385, bytes(10)) == "01ARYZ6S410000000000000000"
    assert make_ulid((1 << 48) - 1, b"\xff" * 10) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
    assert make_ulid(0, b"\0" * 9 + b"\x20") == "00000000000000000000000010"


@given(
    st.integers(0, (1 << 48) - 1),
    st.integers(0, (1 << 48) - 1),
    st.binary(min_size=10, max_size=10),
)
def test_ulids_sort_by_time(one: int, other: int, chance: bytes) -> None:
    """And each is recognised."""
    first, second = make_ulid(one, chance), make_ulid(other, chance)

    assert is_ulid(first)
    assert (first < second) is (one < other)
