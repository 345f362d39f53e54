"""Markdown as a PDF, set by Typst. Runs in a helper process: see `server.workers`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import typst

from server.exporting.trees import Node, tree_of

NODES_MAX = 60_000
"""Nodes of a document that is set; the rest of it is left out, and the last line says so."""


def pdf(title: str, markdown: str, pictures: Mapping[str, bytes]) -> bytes | None:
    """The PDF of a text, with the pictures at hand by their addresses; None: it cannot be set."""
    made = _set(title, markdown, pictures)
    # A picture that is broken must not keep the text back.
    return _set(title, markdown, {}) if made is None and pictures else made


def _set(title: str, markdown: str, pictures: Mapping[str, bytes]) -> bytes | None:
    nodes = tree_of(markdown)
    with tempfile.TemporaryDirectory(prefix="plait-paper-") as name:
        folder = Path(name)
        template = folder / "paper.typ"
        template.write_bytes(files(__package__).joinpath("paper.typ").read_bytes())
        _place(nodes, pictures, folder)
        given = json.dumps({"title": title, "nodes": nodes})
        try:
            made = typst.compile(str(template), root=name, sys_inputs={"document": given})
        except typst.TypstError:
            return None
    assert isinstance(made, bytes)
    return made


def _place(nodes: list[Node], pictures: Mapping[str, bytes], folder: Path) -> None:
    """Put the pictures where the template finds them; cut what is over the bound."""
    for count, node in enumerate(_walk(nodes)):
        if count > NODES_MAX:
            node.pop("c", None)
            node.update(k="text", t="…")
        content = pictures.get(node["src"]) if node["k"] == "image" else None
        ending = None if content is None else _ending(content)
        if content is not None and ending is not None:
            place = folder / f"{count}.{ending}"
            place.write_bytes(content)
            node |= {"file": place.name, "width": 100}


def _walk(nodes: list[Node]) -> Iterator[Node]:
    rest = nodes[::-1]
    while rest:
        node = rest.pop()
        yield node
        rest += node.get("c", [])[::-1]


def _ending(content: bytes) -> str | None:
    """What kind of picture it is, of those that Typst reads."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return None
