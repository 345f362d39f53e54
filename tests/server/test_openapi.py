"""The OpenAPI document says what is served, all of it and nothing else; the page shows it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args

import aiohttp
import msgspec
import pytest
from aiohttp import web
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from server.adapter import ACCOUNT, ANYONE, TABLE, Adapter, Mounted, Route, Routes
from server.describe import UNSAID, Binary, Form, Json, Reply, Text
from server.openapi.contents import schema_types
from server.openapi.document import Document, described, is_declared, plain_path
from server.openapi.examples import ULID, Examples
from server.openapi.schemas import Schemas, sentences
from server.openapi.wording import prose
from tests.inside import Inside
from tests.server.realtime.conftest import inside
from tests.server.test_pages import Outline

ASYNC = pytest.mark.asyncio(loop_scope="module")

__all__ = ["inside"]

READ_BY_PARTS = {"/api/sync/push", "/api/sync/pull"}
"""Routes that read one struct and describe another, because one bad part fails alone."""


async def fetch(inside: Inside, path: str, **more: Any) -> tuple[int, str, Mapping[str, str]]:
    """Status, text and headers of a page."""
    async with aiohttp.ClientSession(inside.url) as session, session.get(path, **more) as answer:
        return answer.status, await answer.text(), answer.headers


async def document(inside: Inside) -> dict[str, Any]:
    """The document as a client gets it."""
    status, text, _ = await fetch(inside, "/api/openapi.json")
    assert status == 200
    made: dict[str, Any] = msgspec.json.decode(text)
    return made


@ASYNC
async def test_what_is_served_is_described_and_the_other_way_round(inside: Inside) -> None:
    """Every method and path of the router, HEAD and preflights apart, and not one more."""
    served = {
        (route.method, route.resource.canonical)
        for route in inside.app.router.routes()
        if route.resource is not None and route.method not in {"HEAD", "OPTIONS"}
    }
    made = await document(inside)
    said = {(method.upper(), path) for path, item in made["paths"].items() for method in item}

    assert served - said == set()
    assert said - served == set()


@ASYNC
async def test_every_route_declares_what_it_takes_and_gives(inside: Inside) -> None:
    """Body and replies are said for each; an error in the adapter's shape comes with the rest."""
    bare = [
        f"{one.adapter.name}: {one.route.method} {one.route.path}"
        for one in described(inside.app[TABLE].values())
        if not is_declared(one)
    ]

    assert not bare, "declare body= and reply= (server/README.md):\n" + "\n".join(bare)


@ASYNC
async def test_bodies_are_described_by_what_reads_them(inside: Inside) -> None:
    """A handler that reads a struct declares that struct as its body."""
    wrong = []
    for one in described(inside.app[TABLE].values()):
        read = _read_by(one.route)
        body = one.route.body.schema if isinstance(one.route.body, Json) else one.route.body
        if read is not None and read is not body and one.route.path not in READ_BY_PARTS:
            wrong.append(f"{one.route.method} {one.route.path}: reads {read}, says {body}")

    assert not wrong, "\n".join(wrong)


def _read_by(route: Route) -> Any:
    """The struct that a handler itself gives to `read_body`; None where it calls none."""
    found = re.search(r"read_body\(\s*request,\s*([\w.]+)", inspect.getsource(route.handler))
    if found is None:
        return None
    value: Any = inspect.getmodule(route.handler)
    for name in found.group(1).split("."):
        value = getattr(value, name, None)
    return value if isinstance(value, type) else None


@ASYNC
async def test_every_example_is_what_its_route_takes_or_gives(inside: Inside) -> None:
    """The examples on the page are read by the structs that they were made from."""
    mounts = described(inside.app[TABLE].values())
    schemas = Schemas(
        [kind for one in mounts for content in _contents(one) for kind in schema_types(content)]
    )
    examples = Examples(schemas.components)
    wrong = []
    for one in mounts:
        for content in _contents(one):
            make = examples.body if content is one.route.body else examples.reply
            for kind in [] if isinstance(content, Form) else schema_types(content):
                try:
                    _convert(make(schemas.of(kind)), kind)
                except msgspec.ValidationError as error:
                    wrong.append(f"{one.route.method} {one.route.path}: {error}")

    assert not wrong, "\n".join(wrong)


def _contents(one: Mounted) -> list[Any]:
    return [one.route.body, *one.route.replies.values(), one.adapter.error]


def _convert(example: Any, kind: Any) -> None:
    """Read an example as its type; of a union of structs, which msgspec cannot, as its first."""
    members = get_args(kind)
    if members and all(isinstance(member, type) for member in members):
        structs = [member for member in members if issubclass(member, msgspec.Struct)]
        kind = structs[0] if len(structs) > 1 else kind
    msgspec.json.decode(msgspec.json.encode(example), type=kind)


@ASYNC
async def test_it_is_openapi(inside: Inside) -> None:
    """The document fits the schema of OpenAPI 3.1, its references lead somewhere, names are one."""
    made = await document(inside)
    problems = [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(made)]
    names = [each["operationId"] for item in made["paths"].values() for each in item.values()]
    schemas = made["components"]["schemas"]
    used = set(made["components"]["securitySchemes"])

    assert not problems
    assert len(names) == len(set(names))
    for reference in _references(made):
        assert reference.removeprefix("#/components/schemas/") in schemas
    for item in made["paths"].values():
        for operation in item.values():
            assert {name for way in operation["security"] for name in way} <= used


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


@ASYNC
async def test_every_route_lists_its_errors(inside: Inside) -> None:
    """413, 421, 429 and 503 everywhere, with Retry-After; 401 and 403 where a token is needed."""
    made = await document(inside)
    for path, item in made["paths"].items():
        for method, operation in item.items():
            responses = operation["responses"]
            assert {"413", "421", "429", "503"} <= set(responses), (method, path)
            assert "Retry-After" in responses["429"]["headers"]
            if {} not in operation["security"]:
                assert "401" in responses, (method, path)
    push = made["paths"]["/api/sync/push"]["post"]
    assert set(push["responses"]) == {
        *("200", "400", "401", "403"),
        *("413", "421", "429", "503"),
    }
    error = push["responses"]["400"]["content"]["application/json"]["schema"]
    assert error == {"$ref": "#/components/schemas/Problem"}


@ASYNC
async def test_what_stands_under_a_field_is_its_description(inside: Inside) -> None:
    """Docstrings of structs and fields are read, inherited ones too."""
    made = await document(inside)
    schemas = made["components"]["schemas"]

    assert "client" in schemas["PullResult"]["properties"]["full_state"]["description"]
    assert schemas["Stats"]["description"].startswith("Reply of GET")
    delta = made["paths"]["/api/sync/delta"]["get"]["parameters"]
    since = next(each for each in delta if each["name"] == "since")
    assert since["in"] == "query"
    assert "Unix milliseconds" in since["description"]


@ASYNC
async def test_it_is_kept_by_its_tag(inside: Inside) -> None:
    """A client that has the document gets 304; another origin may read it."""
    _, _, headers = await fetch(
        inside, "/api/openapi.json", headers={"Origin": "https://x.example"}
    )
    again, text, _ = await fetch(
        inside, "/api/openapi.json", headers={"If-None-Match": headers["ETag"]}
    )

    assert (again, text) == (304, "")
    assert headers["Access-Control-Allow-Origin"] == "https://x.example"


@ASYNC
async def test_the_page_has_every_route_with_its_parameters_and_errors(inside: Inside) -> None:
    """Whole HTML without scripts; what the document says of a route is on the page."""
    status, text, headers = await fetch(inside, "/docs")
    made = await document(inside)
    outline = Outline()
    outline.feed(text)

    assert status == 200
    assert not outline.open
    assert "script" not in outline.tags
    assert set(outline.ids) >= {
        each["operationId"] for item in made["paths"].values() for each in item.values()
    }
    assert {link[1:] for link in outline.links if link.startswith("#")} <= set(outline.ids)
    for wanted in ("state_vector", "default workspace stays", "Retry-After", "curl -X POST", ULID):
        assert wanted in text
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "script-src" not in policy


@ASYNC
async def test_the_page_finds_routes(inside: Inside) -> None:
    """By words of path and description, all of them; what is asked for is shown as text."""
    _, text, _ = await fetch(inside, "/docs", params={"q": "TRASH restore"})
    _, none, _ = await fetch(inside, "/docs", params={"q": '"><script>x'})

    assert 'id="heaps_restore' in text
    assert "/api/sync/push" not in text
    assert "<script" not in none
    assert "No route has all of these words" in none


class Sheet(msgspec.Struct, kw_only=True, rename="camel"):
    """A form."""

    the_file: bytes
    """The file itself."""
    size: Annotated[int, msgspec.Meta(ge=1)] = 1


class Ask(msgspec.Struct, kw_only=True):
    """A query."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=9)] = 5
    """So many."""


class Ours(msgspec.Struct):
    """An error in words of its own."""

    detail: str


ZOO = Routes("Animals")


@ZOO.post(
    "/zoo/{animal:.+}",
    access=ACCOUNT,
    body=Form(Sheet),
    query=Ask,
    replies={
        201: Reply(dict[str, int], also=(Text(media="text/csv"),), headers={"Location": "Where."}),
        409: None,
    },
    errors={410: "It ran away."},
)
async def feed(_request: web.Request) -> web.Response:
    """Feed an animal.

    It may bite.
    """
    return web.Response()


@ZOO.get("/zoo", access=ANYONE, reply=Binary(media="image/png", about="A picture."), body=None)
@ZOO.post("/zoo", access=ANYONE)
async def look(_request: web.Request) -> web.Response:
    """Look."""
    return web.Response()


def zoo() -> list[Mounted]:
    """The routes of an adapter with everything out of the ordinary."""
    adapter = Adapter(name="zoo", routes=ZOO, error=Json(Ours, media="application/problem+json"))
    return [Mounted(adapter=adapter, route=route) for route in ZOO]


def test_whatever_an_api_takes_can_be_declared() -> None:
    """Forms with files, patterns in paths, bounds of a query, headers, several media types."""
    made = Document(zoo()).make({"title": "Zoo"}, [])
    said = made["paths"]["/zoo/{animal}"]["post"]

    assert (said["summary"], said["description"]) == ("Feed an animal.", "It may bite.")
    assert said["x-section"] == "Animals"
    form = said["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["theFile"] == {
        "type": "string",
        "format": "binary",
        "description": "The file itself.",
    }
    assert [(each["name"], each["in"]) for each in said["parameters"]] == [
        ("animal", "path"),
        ("limit", "query"),
    ]
    assert said["parameters"][1]["schema"]["maximum"] == 9
    assert set(said["responses"]["201"]["content"]) == {"application/json", "text/csv"}
    assert "Location" in said["responses"]["201"]["headers"]
    assert said["responses"]["410"]["description"] == "It ran away."
    assert set(said["responses"]["409"]["content"]) == {"application/problem+json"}
    picture = made["paths"]["/zoo"]["get"]["responses"]["200"]
    assert picture["description"] == "A picture."
    assert set(picture["content"]) == {"image/png"}


def test_a_route_that_says_nothing_is_found() -> None:
    """A POST without body= or reply= is not declared, and its neighbours are."""
    assert [one.route.method for one in zoo() if not is_declared(one)] == ["POST"]
    assert next(one for one in zoo() if not is_declared(one)).route.body is UNSAID


def test_paths_lose_their_patterns() -> None:
    """Also where a pattern has braces."""
    assert plain_path("/a/{b:.+}/{c}") == "/a/{b}/{c}"
    assert plain_path("/a/{b:[0-9]{2}}.x") == "/a/{b}.x"


def test_structs_of_one_name_are_kept_apart() -> None:
    """Two adapters may both have a `Sheet`."""
    other = msgspec.defstruct("Sheet", [("x", int)], module="server.adapters.other.schema")
    schemas = Schemas([Sheet, other])

    assert schemas.of(Sheet) != schemas.of(other)
    assert "other.Sheet" in schemas.components
    assert sentences(Sheet) == {"the_file": "The file itself."}


def test_examples_have_the_types_of_their_fields() -> None:
    """An example of each schema converts to the type that it was made from."""
    schemas = Schemas([Sheet, Ask, Ours, dict[str, list[Ask]]])
    examples = Examples(schemas.components)
    for kind in (Ask, Ours):
        assert msgspec.convert(examples.reply(schemas.of(kind)), kind)
    assert examples.body(schemas.of(Sheet)).keys() == {"theFile"}


def test_prose_is_text() -> None:
    """Docstrings become paragraphs; what looks like HTML stays what it looks like."""
    assert prose("a <b>\n\n`c`") == "<p>a &lt;b&gt;</p><p><code>c</code></p>"
