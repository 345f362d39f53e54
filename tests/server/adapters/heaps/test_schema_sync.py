"""Bodies of the sync routes: spelled as the API page spells them."""

import json

import msgspec
import pytest

from server.adapters.heaps import schema_sync as schema


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            schema.Delta,
            {
                "changed_blocks",
                "deleted_blocks",
                "server_time",
                "has_more",
                "total_changed",
                "total_deleted",
            },
        ),
        (schema.Push, {"blocks"}),
        (schema.PushBlock, {"block_id", "workspace_id", "state_vector", "update", "sync_version"}),
        (schema.Pushed, {"results", "server_time"}),
        (schema.Pull, {"blocks"}),
        (schema.PullBlock, {"block_id", "state_vector", "sync_version"}),
        (schema.Pulled, {"results", "server_time"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_fields_are_those_of_the_page(body: type, fields: set[str]) -> None:
    """All of them, as they are written there."""
    assert fields <= {field.encode_name for field in msgspec.structs.fields(body)}


def test_binary_values_are_sent_as_base64_and_absent_ones_not_at_all() -> None:
    """Standard alphabet, padded."""
    result = schema.PushResult(block_id="b", success=True, status="updated", update=b"\xfb\xff\xfe")

    assert json.loads(msgspec.json.encode(result)) == {
        "block_id": "b",
        "success": True,
        "status": "updated",
        "update": "+//+",
    }


def test_blocks_of_a_request_are_left_as_they_are() -> None:
    """Each is read on its own, so that a bad one is alone in it."""
    body = msgspec.json.decode(b'{"blocks":[1,{"a":[]},"x"]}', type=schema.Blocks)

    assert [bytes(block) for block in body.blocks] == [b"1", b'{"a":[]}', b'"x"']


@pytest.mark.parametrize("body", [b"{}", b'{"blocks":{}}', b'{"blocks":null}', b'{"blocks":7}'])
def test_blocks_must_be_an_array(body: bytes) -> None:
    """Missing, or anything else, is refused as a whole."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=schema.Blocks)
