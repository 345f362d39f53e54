"""Where a site is, and the addresses of what is in it."""

from __future__ import annotations

import re

import msgspec

from server.sites.rendering import slugs
from server.sites.rendering.note import Found, Link
from server.sites.rendering.vault import File, Vault

_SCHEME = re.compile(r"\A(?:https?:|mailto:|tel:|//)", re.IGNORECASE)
_ANY_SCHEME = re.compile(r"\A[a-z][a-z0-9+.-]*:", re.IGNORECASE)
MADE = frozenset({"rss.xml", "atom.xml", "sitemap.xml", "robots.txt"})
"""What every site has below its root without a file."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A site as its visitors reach it."""

    origin: str
    """Scheme and host, without a slash at the end."""
    path: str = ""
    """What its pages' addresses begin with: `/@ada/notes`, or nothing where it has its own host."""
    url: str = ""
    """Its canonical address, where that is another."""

    def of_slug(self, slug: str) -> str:
        """The address of a page on this host."""
        return f"{self.path}/{slugs.encode(slug)}" if slug else self.path or "/"

    def of_file(self, path: str) -> str:
        """The address of a file's bytes on this host."""
        return f"{self.path}/{slugs.encode(path)}"

    def canonical(self, slug: str) -> str:
        """The whole address of a page, for feeds and for those who pass it on."""
        root = self.url or self.origin + self.path
        return f"{root}/{slugs.encode(slug)}" if slug else root or "/"

    def of(self, file: File) -> str:
        """The address at which a file is read: a note's page, else its bytes."""
        return self.of_slug(file.slug) if file.facts is not None else self.of_file(file.path)

    def link(self, href: str) -> str:
        """An address that the site's configuration names: `/x` is below the site."""
        href = href.strip()
        if _SCHEME.match(href) or href.startswith("#"):
            return href
        if _ANY_SCHEME.match(href):
            return "#"
        path, mark, rest = href.partition("#")
        path, question, query = path.partition("?")
        slug = slugs.slug_of(path.strip("/")) if slugs.is_note(path) else path.strip("/")
        known = "/".join(slugs.encode(part) for part in _decoded(slug).split("/"))
        return f"{self.path}/{known}".rstrip("/") + question + query + mark + rest or "/"

    def find(self, vault: Vault, source: str, link: Link) -> Found:
        """Where a link of the note `source` leads on this host."""
        path = vault.find(source, link)
        anchor = f"#{slugs.encode(link.anchor)}" if link.anchor else ""
        if path == source and not link.target:
            return Found(address=anchor or "#")
        query = f"?{link.query}" if link.query else ""
        if path is None:
            stem = slugs.slug_of(link.target) if slugs.is_note(link.target) else link.target
            missing = self.of_slug(stem.strip("/"))
            return Found(address=missing + query + anchor, is_there=link.target in MADE)
        file = vault.files[path]
        return Found(address=self.of(file) + query + anchor, width=file.width, height=file.height)

    def picture(self, vault: Vault, source: str, name: str | None) -> str | None:
        """The whole address of a picture that a note or the configuration names."""
        if not name:
            return None
        if _ANY_SCHEME.match(name) or name.startswith("//"):
            return name if name.lower().startswith(("http://", "https://")) else None
        path = vault.find(source, Link(target=name.strip("/"), is_wiki=True))
        return self.origin + self.of_file(path) if path else None


def _decoded(slug: str) -> str:
    return next(iter(slugs.decodings(slug)), slug)
