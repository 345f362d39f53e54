"""What a block's document shows: title, plain text, Markdown, JSON, relations, apps and files.

    title_v0, content_v0        XmlFragment (or Text)   ProseMirror's nodes and marks
    relations_v1, relations_v0  Map                     tag block -> {"type": "tag"}
    files_v0                    Map                     "<sha256>:<size>", or the bare hash
    apps_v0                     Map                     saved views
    meta_v0                     Map                     attributes, and the state of the trash

Any other root is shown as well, so a document of another editor has its text too. Everything is
read and nothing is an error; what is over the bounds of `shapes` is left out and `truncated` set.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pycrdt

from crdt.blocks import TITLE_CHARACTERS_MAX, Change
from crdt.document import Document
from crdt.markdown import markdown_of
from crdt.shapes import Reader
from crdt.wording import links_in, words_of

TITLE: Final = "title_v0"
CONTENT: Final = "content_v0"
META: Final = "meta_v0"
FILES: Final = "files_v0"
APPS: Final = "apps_v0"
RELATIONS: Final = ("relations_v1", "relations_v0")

TAG: Final = "tag"
RELATIONS_MAX: Final = 1_000
TARGET_BYTES_MAX: Final = 512
LABEL_CHARACTERS_MAX: Final = 200

_FILE: Final = re.compile(r"([0-9a-fA-F]{64})(?::(\d{1,15}))?")


class Relation(msgspec.Struct, frozen=True):
    """A block that this one names: `kind` is `tag` for its tags, else the inline node's type."""

    kind: str
    target: str
    label: str = ""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a block: the hash and size that its key says, and what stands under it."""

    key: str
    hash: str
    size: int
    """Bytes; 0 where nothing says how many."""
    about: Any


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """A block as people and programs see it, at one moment."""

    title: str
    text: str
    markdown: str
    content: dict[str, Any]
    """Every root by its name, as JSON."""
    relations: list[Relation]
    files: list[File]
    apps: dict[str, Any]
    attributes: dict[str, Any]
    truncated: bool
    """Something was left out because it is over a bound."""


def project(document: Document) -> Projection:
    """The projection of a document. Raises DocumentBroken."""
    reader, roots = document.look(_read)
    texts = {name: value for name, value in roots.items() if reader.kinds[name] in ("xml", "text")}
    maps = {name: value for name, value in roots.items() if reader.kinds[name] == "map"}
    relations = _relations(roots, texts)
    prose = [words_of(value) for value in _prose(texts)]
    marked = [markdown_of(value) for value in _prose(texts)]
    return Projection(
        title=" ".join(words_of(texts.get(TITLE)).split())[:TITLE_CHARACTERS_MAX],
        text="\n\n".join(text for text in prose if text),
        markdown="\n\n".join(text for text in marked if text),
        content=roots,
        relations=relations[:RELATIONS_MAX],
        files=list(_files(maps.get(FILES, {}))),
        apps=maps.get(APPS, {}),
        attributes=maps.get(META, {}),
        truncated=reader.truncated or len(relations) > RELATIONS_MAX,
    )


def project_rows(rows: list[bytes]) -> Projection:
    """The projection of a document's stored rows, for a helper process. Raises DocumentBroken."""
    return project(Document.rebuild(rows))


def entitle(title: str) -> Change:
    """The change that gives a block a title, if it has none."""

    def write(doc: "pycrdt.Doc[Any]") -> None:
        fragment = doc.get(TITLE, type=pycrdt.XmlFragment)
        if len(fragment.children) == 0:
            words = pycrdt.XmlText(title)
            fragment.children.append(pycrdt.XmlElement("paragraph", {}, [words]))

    return write


def _read(doc: "pycrdt.Doc[Any]") -> tuple[Reader, dict[str, Any]]:
    transaction: Any = doc._txn  # noqa: SLF001  (the names for people cost ten times as much)
    reader = Reader(doc._doc, transaction._txn)  # noqa: SLF001
    return reader, reader.roots()


def _prose(texts: dict[str, Any]) -> Iterator[Any]:
    """What is to be read in order: the content, then every other root that is text."""
    yield texts.get(CONTENT)
    for name, value in texts.items():
        if name not in (TITLE, CONTENT):
            yield value


def _relations(roots: dict[str, Any], texts: dict[str, Any]) -> list[Relation]:
    """All that the document names, each once: its tags, then the links in its text."""
    found: dict[tuple[str, str], Relation] = {}
    for relation in [*_tags(roots), *_links(texts)]:
        if 0 < len(relation.target.encode("utf-8", "replace")) <= TARGET_BYTES_MAX:
            found.setdefault((relation.kind, relation.target), relation)
    return list(found.values())


def _tags(roots: dict[str, Any]) -> Iterator[Relation]:
    for name in RELATIONS:
        value = roots.get(name)
        if isinstance(value, dict):
            for target, about in value.items():
                if about is not None and about is not False:
                    yield Relation(_kind(about), target)
        elif isinstance(value, list):
            for item in value:
                target = item.get("id") if isinstance(item, dict) else item
                if isinstance(target, str):
                    yield Relation(_kind(item), target)


def _kind(about: Any) -> str:  # noqa: ANN401  (any value of JSON)
    kind = about.get("type") if isinstance(about, dict) else None
    return kind[:64] if isinstance(kind, str) and kind else TAG


def _links(texts: dict[str, Any]) -> Iterator[Relation]:
    for value in texts.values():
        for kind, target, label in links_in(value):
            yield Relation(kind[:64], target, label[:LABEL_CHARACTERS_MAX])


def _files(files: dict[str, Any]) -> Iterator[File]:
    """Each file once: the long key wins over the bare hash."""
    seen: set[str] = set()
    for key in sorted(files, key=len, reverse=True):
        match = _FILE.fullmatch(key)
        if match is None or match[1].lower() in seen:
            continue
        seen.add(match[1].lower())
        about = files[key]
        said = about.get("file_size", about.get("size")) if isinstance(about, dict) else None
        size = int(match[2]) if match[2] else said if type(said) is int and said > 0 else 0
        yield File(key=key, hash=match[1].lower(), size=size, about=about)
