"""Examples from schemas: what a request may look like, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ULID = "01JZ8Y4C4Y0Q6S7T8V9WABCDEF"
AT_MS = 1_760_000_000_000

BY_NAME: dict[str, Any] = {
    "access_token": "eyJhbGciOiJFZERTQSJ9.…",
    "accessToken": "eyJhbGciOiJFZERTQSJ9.…",
    "refresh_token": "eyJhbGciOiJFZERTQSJ9.…",
    "refreshToken": "eyJhbGciOiJFZERTQSJ9.…",
    "challenge": "plait login …",
    "message": "plait login …",
    "public_key": "8ZxhVd3…base58",
    "signature": "4wBqpZM…base58",
    "signed_message": "4wBqpZM…base58",
    "server_public_key": "8ZxhVd3…base58",
    "public_url": "https://plait.example",
    "server_url": "https://plait.example",
    "version": "1.0.0",
    "title": "Shopping list",
    "name": "Shopping list",
    "text": "Bread, coffee, two lemons",
    "query": "coffee",
    "role": "editor",
    "status": "ok",
    "success": True,
    "error": "",
    "state_vector": "AQGZ4K8CAA==",
    "update": "AQGZ4K8CAAQBBXRpdGxlBUhlbGxvAA==",
    "ydoc": "AQGZ4K8CAAQBBXRpdGxlBUhlbGxvAA==",
    "sync_version": 1,
    "server_time": AT_MS,
    "since": 0,
    "limit": 100,
    "offset": 0,
}
"""Values for fields of these names, where the schema's type allows them."""

ALWAYS = frozenset({"heap_id", "block_id", "title", "workspace_id", "state_vector", "update"})
"""Fields that an example body shows although they may be left out: a request without is rare."""

_DEPTH_MAX = 8
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


class Examples:
    """Makes examples of the schemas of one document."""

    def __init__(self, components: Mapping[str, Mapping[str, Any]]) -> None:
        self._components = components

    def body(self, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """A small request: what must be said, and what nearly everybody says."""
        return self._make(schema, "", brief=True, depth=0)

    def reply(self, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """A whole reply."""
        return self._make(schema, "", brief=False, depth=0)

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema itself, where another is named."""
        while "$ref" in schema:
            schema = self._components[schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def _make(self, given: Mapping[str, Any], name: str, *, brief: bool, depth: int) -> Any:  # noqa: ANN401
        schema = self.resolve(given)
        said = given.get("examples") or schema.get("examples") or _fixed(schema)
        if said:
            return said[0]
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self._make(schema[several][0], name, brief=brief, depth=depth)
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, brief=brief, depth=depth)
        if kind != "array":
            return _plain(schema, name)
        if depth >= _DEPTH_MAX or "items" not in schema:
            return []
        one = name.removesuffix("s")
        return [self._make(schema["items"], one, brief=brief, depth=depth + 1)]

    def _object(self, schema: Mapping[str, Any], *, brief: bool, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {}) if depth < _DEPTH_MAX else {}
        shown = set(properties)
        if brief:
            shown &= ALWAYS | set(schema.get("required", ()))
            if "heap_id" in shown:
                shown.discard("workspace_id")  # The same thing under its other name.
        return {
            name: self._make(field, name, brief=brief, depth=depth + 1)
            for name, field in properties.items()
            if name in shown
        }


def _fixed(schema: Mapping[str, Any]) -> list[Any]:
    """The values that a schema spells out, the empty ones last."""
    if "const" in schema:
        return [schema["const"]]
    return sorted(schema.get("enum", ()), key=lambda value: not value)


def _plain(schema: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401
    """A text, a number or the like: by the field's name if its type allows, else a usual one."""
    for value in (_likely(schema, name), schema.get("default")):
        if value is not None and _fits(value, schema):
            return value
    if schema.get("type") == "string":
        return "2026-01-31T12:00:00Z" if name.endswith("_at") else "text"
    if schema.get("type") in {"integer", "number"}:
        return schema.get("minimum", 1)
    return False if schema.get("type") == "boolean" else None


def _likely(schema: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401
    if name in BY_NAME:
        return BY_NAME[name]
    if schema.get("contentEncoding") == "base64":
        return BY_NAME["update"]
    if name == "id" or name.endswith("_id"):
        return ULID
    return AT_MS if name.endswith("_at") else None


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:  # noqa: ANN401
    """Whether a value is of a schema's type and within its bounds."""
    kind = schema.get("type")
    if kind is None:
        return True
    if not isinstance(value, _TYPES.get(kind, ())) or isinstance(value, bool) != (
        kind == "boolean"
    ):
        return False
    if isinstance(value, str):
        return bool(len(value) <= schema.get("maxLength", len(value)))
    least, most = schema.get("minimum", value), schema.get("maximum", value)
    return bool(least <= value <= most)
