"""One OpenAPI 3.1 document from the table of routes.

Everything in it was declared beside a handler or follows from the route's policy; nothing is
written down a second time. Statuses that any route may answer stand at every route.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from server.adapter import Mounted, parameters
from server.describe import UNSAID, Content, Form, Reply
from server.openapi import security
from server.openapi.contents import media_of, schema_types
from server.openapi.schemas import Schemas

EVERYWHERE = (413, 421, 429, 503)
"""What any route may answer, whatever it does."""

SAYINGS = {
    101: "The connection is a WebSocket from here on.",
    200: "Done.",
    201: "Made.",
    202: "Taken; it will be done.",
    204: "Done; there is nothing to say.",
    206: "The part that was asked for.",
    301: "It is elsewhere.",
    302: "It is elsewhere.",
    303: "See elsewhere.",
    304: "The copy that the caller has is still good.",
    307: "It is elsewhere.",
    400: "The request cannot be read: a field is missing, of a wrong type or out of bounds.",
    401: "Who is asking could not be established, or the credential does not hold any more.",
    403: "The caller may not do this.",
    404: "There is no such thing, or none that the caller may know of.",
    409: "It cannot be done as things stand.",
    410: "It was there and is gone.",
    413: "The request is larger than the route takes.",
    416: "There is no such part.",
    421: "This server does not answer for the host of the request.",
    423: "It is locked.",
    426: "This address speaks WebSocket.",
    429: "Too many requests from this address.",
    501: "This server cannot do that.",
    503: "It cannot be done now, most often because the database is away; nothing was changed.",
    507: "There is no more room.",
}

_RETRY = {"Retry-After": "Seconds to wait."}
HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "How to show who is asking."},
    426: {"Upgrade": "websocket"},
    429: _RETRY,
    503: _RETRY,
}


def described(mounts: Iterable[Mounted]) -> list[Mounted]:
    """What belongs into the document: all but preflights, which no person calls."""
    unique = {(each.route.method, each.route.path): each for each in mounts}
    return [each for each in unique.values() if each.route.method != "OPTIONS"]


def is_declared(mounted: Mounted) -> bool:
    """Whether a route says what it takes and what it gives."""
    route = mounted.route
    takes = route.method in {"GET", "DELETE"} or route.body is not UNSAID
    return takes and all(content is not UNSAID for content in route.replies.values())


class Document:
    """Puts the document together: `Document(table.values()).make(info, servers)`."""

    def __init__(self, mounts: Iterable[Mounted]) -> None:
        self._mounts = described(mounts)
        self._schemas = Schemas(self._types())
        self._operations: set[str] = set()

    def make(self, info: Mapping[str, Any], servers: list[dict[str, Any]]) -> dict[str, Any]:
        """The whole document, ready to be encoded."""
        paths: dict[str, dict[str, Any]] = {}
        for mounted in self._mounts:
            path = plain_path(mounted.route.path)
            paths.setdefault(path, {})[mounted.route.method.lower()] = self._operation(mounted)
        adapters = {each.adapter.name: each.adapter for each in self._mounts}
        return {
            "openapi": "3.1.0",
            "info": dict(info),
            "servers": servers,
            "tags": [
                {"name": adapter.name, "description": adapter.about.strip()}
                for adapter in adapters.values()
            ],
            "paths": paths,
            "components": {
                "schemas": self._schemas.components,
                "securitySchemes": security.schemes(self._mounts),
            },
        }

    def _types(self) -> list[Any]:
        found: list[Any] = []
        for mounted in self._mounts:
            route = mounted.route
            for content in (route.body, mounted.adapter.error, *route.replies.values()):
                found += schema_types(content)
            found += [
                each for each in (route.query, route.headers, route.path_types) if each is not None
            ]
        return found

    def _operation(self, mounted: Mounted) -> dict[str, Any]:
        route = mounted.route
        made: dict[str, Any] = {
            "operationId": self._name(mounted),
            "summary": route.summary,
            "tags": [mounted.adapter.name],
            "security": security.of(mounted),
        }
        if route.about:
            made["description"] = route.about
        if route.section:
            made["x-section"] = route.section
        if route.deprecated:
            made["deprecated"] = True
        if route.access.name == "socket":
            made["x-websocket"] = True
        if said := self._parameters(mounted):
            made["parameters"] = said
        if route.body is not None and route.body is not UNSAID:
            made["requestBody"] = self._body(route.body)
        made["responses"] = self._responses(mounted)
        return made

    def _name(self, mounted: Mounted) -> str:
        """An operationId that lasts: the API's and the handler's name, the path where shared."""
        name = getattr(mounted.route.handler, "__name__", "route")
        wanted = f"{mounted.adapter.name}_{name}".replace("-", "_")
        if wanted in self._operations:
            words = plain_path(mounted.route.path).replace("{", "").replace("}", "")
            wanted += "_" + mounted.route.method.lower() + words.replace("/", "_").rstrip("_")
            wanted += "_" if words.endswith("/") else ""
        assert wanted not in self._operations, f"two operations called {wanted}"
        self._operations.add(wanted)
        return wanted

    def _parameters(self, mounted: Mounted) -> list[dict[str, Any]]:
        route = mounted.route
        typed = {each["name"]: each for each in self._fields(route.path_types, "path")}
        made = [
            typed.get(name, {"name": name, "in": "path", "schema": {"type": "string"}})
            | {"required": True}
            for name in parameters(route.path)
        ]
        return made + self._fields(route.query, "query") + self._fields(route.headers, "header")

    def _fields(self, kind: type | None, where: str) -> list[dict[str, Any]]:
        """A struct's fields as parameters."""
        if kind is None:
            return []
        whole = self._schemas.struct(kind)
        required = whole.get("required", ())
        made = []
        for name, schema in whole.get("properties", {}).items():
            one = {"name": name, "in": where, "required": name in required}
            if about := schema.get("description"):
                one["description"] = about
            one["schema"] = {key: value for key, value in schema.items() if key != "description"}
            made.append(one)
        return made

    def _body(self, content: Content) -> dict[str, Any]:
        about, media = media_of(content, self._schemas)
        schema = next(iter(media.values()))["schema"]
        is_needed = bool(self._resolved(schema).get("required")) or isinstance(content, Form)
        made: dict[str, Any] = {"content": media, "required": is_needed}
        return made | ({"description": about} if about else {})

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in schema:
            return schema
        return self._schemas.components[schema["$ref"].rsplit("/", 1)[1]]

    def _responses(self, mounted: Mounted) -> dict[str, Any]:
        statuses: dict[int, Content | Reply] = dict.fromkeys(usual_errors(mounted))
        statuses |= dict.fromkeys(mounted.route.errors)
        statuses |= mounted.route.replies
        return {
            str(status): self._response(mounted, status, statuses[status])
            for status in sorted(statuses)
        }

    def _response(self, mounted: Mounted, status: int, content: Content | Reply) -> dict[str, Any]:
        said = content if isinstance(content, Reply) else Reply(content=content)
        if said.content is None and status >= HTTPStatus.BAD_REQUEST:
            said = Reply(content=mounted.adapter.error, about=said.about, headers=said.headers)
        media: dict[str, Any] = {}
        about = said.about or mounted.route.errors.get(status, "")
        for one in (said.content, *said.also):
            if one is not None and one is not UNSAID:
                sentence, more = media_of(one, self._schemas)
                about, media = about or sentence, media | more
        made: dict[str, Any] = {"description": about or SAYINGS.get(status, "Done.")}
        headers = HEADERS.get(status, {}) | dict(said.headers)
        if headers:
            made["headers"] = {
                name: {"description": sentence, "schema": {"type": "string"}}
                for name, sentence in headers.items()
            }
        if media:
            made["content"] = media
        return made


def usual_errors(mounted: Mounted) -> set[int]:
    """The errors that follow from a route's policy, its path and its body."""
    route = mounted.route
    found = set(EVERYWHERE)
    if route.body not in (None, UNSAID) or route.query or route.headers or route.path_types:
        found.add(400)
    if parameters(route.path):
        found.add(404)
    if route.access.kinds and not route.access.optional:
        found |= {401, 403}
    if route.access.name in {"refresh", "operator", "password"}:
        found.add(401)
    if route.access.name == "operator":
        found.add(404)
    if route.access.name == "socket":
        found |= {400, 401, 403, 404, 426}
    return found


def plain_path(path: str) -> str:
    """A path as OpenAPI writes it: the parameters without their patterns."""
    made = ""
    depth = 0
    is_pattern = False
    for letter in path:
        depth += (letter == "{") - (letter == "}")
        is_pattern = depth > 0 and (is_pattern or letter == ":")
        if not is_pattern:
            made += letter
    return made
