"""Bodies as OpenAPI writes them: a media type and a schema for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server.describe import UNSAID, Binary, Content, Form, Json, Reply, Text

if TYPE_CHECKING:
    from server.openapi.schemas import Schemas


def schema_types(content: Content) -> list[Any]:
    """The msgspec types that a declared body or reply needs schemas for."""
    if isinstance(content, Reply):
        return [kind for one in (content.content, *content.also) for kind in schema_types(one)]
    if content is None or content is UNSAID or isinstance(content, Binary | Text):
        return []
    if isinstance(content, Json):
        return [content.schema]
    if isinstance(content, Form):
        return [content.fields]
    return [content]


def media_of(content: Content, schemas: Schemas) -> tuple[str, dict[str, Any]]:
    """The sentence about a body and its `content` object."""
    if isinstance(content, Binary):
        return content.about, {content.media: {"schema": {"type": "string", "format": "binary"}}}
    if isinstance(content, Text):
        return content.about, {content.media: {"schema": {"type": "string"}}}
    if isinstance(content, Form):
        return content.about, {content.media: {"schema": _form(schemas.struct(content.fields))}}
    if isinstance(content, Json):
        return content.about, {content.media: {"schema": schemas.of(content.schema)}}
    return "", {"application/json": {"schema": schemas.of(content)}}


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    """Fields of bytes are files in a form, not base64."""
    properties = {
        name: {"type": "string", "format": "binary"}
        | {key: value for key, value in field.items() if key == "description"}
        if field.get("contentEncoding") == "base64"
        else field
        for name, field in schema.get("properties", {}).items()
    }
    return schema | {"properties": properties}
