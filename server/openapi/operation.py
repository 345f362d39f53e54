"""One route on the page: who may, what it takes, an example to copy, what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from server.openapi.examples import Examples
from server.openapi.wording import breakable, prose

_DEPTH_MAX = 3
"""Levels of fields within fields that a table shows."""

_BREAK = " \\\n  "
"""A shell command goes on in the next line."""
_BOUNDS = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most"}


@dataclass(frozen=True)
class Operation:
    """A route of the document."""

    method: str
    path: str
    said: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its anchor."""
        return str(self.said["operationId"])

    @property
    def tag(self) -> str:
        """Its API."""
        return str(self.said["tags"][0])

    @property
    def section(self) -> str:
        """Its heading within the API."""
        return str(self.said.get("x-section", ""))

    @property
    def searched(self) -> str:
        """What is searched for words, in small letters."""
        parameters = [each["name"] for each in self.said.get("parameters", ())]
        texts = (self.method, self.path, self.tag, self.section, self.said["summary"])
        return " ".join([*texts, self.said.get("description", ""), *parameters]).casefold()


def article(one: Operation, examples: Examples, url: str) -> str:
    """Everything about one route, folded below its line."""
    old = " <em>deprecated</em>" if one.said.get("deprecated") else ""
    return (
        f'<details class="route" id="{escape(one.id)}">'
        f'<summary><b class="{one.method.lower()}">{one.method}</b> '
        f"<code>{breakable(one.path)}</code> <span>{_inline(one.said['summary'])}{old}</span>"
        "</summary>"
        f"{prose(one.said.get('description', ''))}"
        f'<p class="who">{_who(one)}</p>'
        f"{_parameters(one)}{_body(one, examples)}{_call(one, examples, url)}"
        f"{_replies(one, examples)}"
        "</details>"
    )


def _who(one: Operation) -> str:
    ways = one.said["security"]
    names = [f'<a href="#who"><code>{escape(name)}</code></a>' for way in ways for name in way]
    if not names:
        return "Open to everybody."
    if {} in ways:
        return f"Open to everybody; {' or '.join(names)} may be shown."
    return f"Needs {' or '.join(names)}."


def _parameters(one: Operation) -> str:
    rows = "".join(
        f"<tr><th scope=row><code>{escape(each['name'])}</code></th>"
        f"<td>{_kind(each['schema'])}, in the {each['in']}"
        f"{', required' if each.get('required') else ''}</td>"
        f"<td>{_inline(each.get('description', ''))}</td></tr>"
        for each in one.said.get("parameters", ())
    )
    return f"<h4>Parameters</h4>{_table(('Name', 'Type', 'Meaning'), rows)}" if rows else ""


def _body(one: Operation, examples: Examples) -> str:
    body = one.said.get("requestBody")
    if body is None:
        return ""
    made = "<h4>Body</h4>" + prose(body.get("description", ""))
    for media, content in body["content"].items():
        made += f"<p><code>{escape(media)}</code>{'' if body['required'] else ', may be left out'}"
        made += "</p>" + _fields(content["schema"], examples, mark=", required")
    return made


def _call(one: Operation, examples: Examples, url: str) -> str:
    """A command to copy."""
    if one.said.get("x-websocket"):
        return ""
    words = [f"curl {'' if one.method == 'GET' else f'-X {one.method} '}'{url}{one.path}'"]
    if any(one.said["security"]) and {} not in one.said["security"]:
        words.append('-H "Authorization: Bearer $TOKEN"')
    for media, content in one.said.get("requestBody", {"content": {}})["content"].items():
        words += [f"-H 'Content-Type: {media}'", _data(media, content["schema"], examples)]
        break
    return f"<h4>Example</h4><pre tabindex=0><code>{escape(_BREAK.join(words))}</code></pre>"


def _data(media: str, schema: Mapping[str, Any], examples: Examples) -> str:
    if media.startswith("multipart/"):
        return "-F " + " -F ".join(f"{name}=…" for name in schema.get("properties", {}))
    if "json" in media:
        said = json.dumps(examples.body(schema), ensure_ascii=False, indent=2)
        return "-d '" + said.replace("'", "'\\''") + "'"
    return "--data-binary @file"


def _replies(one: Operation, examples: Examples) -> str:
    good = {code: said for code, said in one.said["responses"].items() if code < "400"}
    bad = {code: said for code, said in one.said["responses"].items() if code >= "400"}
    made = ""
    for code, said in good.items():
        made += f"<h4>Reply {code}</h4>{prose(said['description'])}{_headers(said)}"
        for media, content in said.get("content", {}).items():
            made += f"<p><code>{escape(media)}</code></p>"
            if "json" in media:
                made += _fields(content["schema"], examples)
                made += _shown(examples.reply(content["schema"]))
    rows = "".join(
        f"<tr><th scope=row>{code}</th><td>{_inline(said['description'])}</td></tr>"
        for code, said in bad.items()
    )
    return made + f"<h4>Errors</h4>{_table(('Status', 'When'), rows)}{_error(bad, examples)}"


def _headers(said: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th scope=row><code>{escape(name)}</code></th>"
        f"<td>{_inline(header['description'])}</td></tr>"
        for name, header in said.get("headers", {}).items()
    )
    return _table(("Header", "Meaning"), rows) if rows else ""


def _error(bad: Mapping[str, Any], examples: Examples) -> str:
    """What the body of an error looks like."""
    for said in bad.values():
        for media, content in said.get("content", {}).items():
            if "json" in media:
                made = examples.reply(content["schema"])
                return _shown(made)
    return ""


def _shown(value: object) -> str:
    said = escape(json.dumps(value, ensure_ascii=False, indent=2))
    return f"<pre tabindex=0><code>{said}</code></pre>"


def _table(heads: tuple[str, ...], rows: str) -> str:
    head = "".join(f"<th scope=col>{each}</th>" for each in heads)
    return f'<div class="wide" tabindex=0><table><tr>{head}</tr>{rows}</table></div>'


def _inline(text: str) -> str:
    return prose(text).removeprefix("<p>").removesuffix("</p>")


def _fields(schema: Mapping[str, Any], examples: Examples, *, mark: str = "") -> str:
    """A table of an object's fields, those of its parts below them; `mark` on required ones."""
    rows = "".join(
        f"<tr><th scope=row><code>{escape(name)}</code></th>"
        f"<td>{_kind(field)}{mark if required else ''}</td><td>{_inline(about)}</td></tr>"
        for name, field, required, about in _walk(schema, examples, "", 0)
    )
    return _table(("Field", "Type", "Meaning"), rows) if rows else ""


def _walk(
    given: Mapping[str, Any], examples: Examples, prefix: str, depth: int
) -> Iterator[tuple[str, Mapping[str, Any], bool, str]]:
    schema = examples.resolve(given)
    for member in schema.get("anyOf", ()):
        yield from _walk(member, examples, prefix, depth)
    if "items" in schema:
        yield from _walk(schema["items"], examples, f"{prefix}[]", depth)
    if depth >= _DEPTH_MAX:
        return
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        whole = f"{prefix}.{name}" if prefix else name
        yield whole, field, name in required, field.get("description", "")
        yield from _walk(field, examples, whole, depth + 1)


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema's type in a few words."""
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if choices:
        return " or ".join(escape(json.dumps(each)) for each in choices)
    several = schema.get("anyOf") or schema.get("oneOf")
    if several:
        return " or ".join(dict.fromkeys(_kind(each) for each in several))
    if schema.get("type") == "array":
        return f"array of {_kind(schema.get('items', {}))}"
    if schema.get("contentEncoding") == "base64":
        return "base64"
    kind = "object" if "$ref" in schema else str(schema.get("type", "any"))
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return escape(" ".join([kind, *bounds]))
