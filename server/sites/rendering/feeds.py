"""What machines read of a site: sitemap, robots.txt, RSS and Atom."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape

from server.sites.rendering.facts import description_of
from server.sites.rendering.place import Place
from server.sites.rendering.siteconfig import SiteConfig
from server.sites.rendering.vault import File, Vault

SITEMAP_MAX = 50_000
"""Addresses in one sitemap; its format allows no more."""
ENTRIES_MAX = 50
"""Entries in a feed."""
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sitemap(root: str, root_modified: str, pages: Iterable[tuple[str, str]]) -> str:
    """The addresses of a site's pages, each with when it changed; the root comes first."""
    rows = [(root, root_modified), *pages][:SITEMAP_MAX]
    entries = "".join(
        f"<url><loc>{_xml(address)}</loc>"
        + (f"<lastmod>{_xml(modified)}</lastmod>" if modified else "")
        + "</url>\n"
        for address, modified in rows
    )
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'{_HEAD}<urlset xmlns="{space}">\n{entries}</urlset>\n'


def site_map(vault: Vault, place: Place, modified: str) -> str:
    """The sitemap of a vault."""
    pages = {
        place.canonical(file.slug): file.modified
        for file in vault.files.values()
        if file.facts is not None and file.slug
    }
    return sitemap(place.canonical(""), modified, sorted(pages.items()))


def robots(origin: str) -> str:
    """What crawlers may read of a host: all that it publishes."""
    lines = (f"# {origin}", "User-agent: *", "Allow: /", "Disallow: /api/", "")
    return "\n".join((*lines, f"Sitemap: {origin}/sitemap.xml", ""))


def dated(vault: Vault, config: SiteConfig) -> list[tuple[datetime, File]]:
    """The pages that have a date, the newest first."""
    found = []
    for file in vault.files.values():
        if file.facts is not None and file.facts.front.date and config.is_listed(file.path):
            when = _when(file.facts.front.date)
            if when is not None:
                found.append((when, file))
    return sorted(found, key=lambda each: (each[0], each[1].path), reverse=True)[:ENTRIES_MAX]


def rss(vault: Vault, place: Place, config: SiteConfig, name: str) -> str:
    """RSS 2.0 of the pages that have a date."""
    items = "".join(
        f"<item><title>{_xml(file.title)}</title><link>{_xml(place.canonical(file.slug))}</link>"
        f"<guid>{_xml(place.canonical(file.slug))}</guid>"
        f"<pubDate>{format_datetime(when, usegmt=True)}</pubDate>"
        f"<description>{_xml(description_of(file.facts) if file.facts else '')}</description>"
        "</item>\n"
        for when, file in dated(vault, config)
    )
    return (
        f'{_HEAD}<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>\n'
        f"<title>{_xml(config.title or name)}</title><link>{_xml(place.canonical(''))}</link>\n"
        f'<atom:link href="{_xml(place.canonical("rss.xml"))}" rel="self" '
        'type="application/rss+xml"/>\n'
        f"<description>{_xml(config.description or config.title or name)}</description>\n"
        f"{items}</channel></rss>\n"
    )


def atom(vault: Vault, place: Place, config: SiteConfig, name: str) -> str:
    """Atom of the pages that have a date."""
    entries = dated(vault, config)
    updated = entries[0][0] if entries else datetime(1970, 1, 1, tzinfo=UTC)
    root = _xml(place.canonical(""))
    rows = "".join(
        f"<entry><title>{_xml(file.title)}</title><id>{_xml(place.canonical(file.slug))}</id>"
        f'<link href="{_xml(place.canonical(file.slug))}"/><updated>{when.isoformat()}</updated>'
        f"<summary>{_xml(description_of(file.facts) if file.facts else '')}</summary>"
        f"</entry>\n"
        for when, file in entries
    )
    return (
        f'{_HEAD}<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f'<title>{_xml(config.title or name)}</title><id>{root}</id><link href="{root}"/>\n'
        f'<link rel="self" href="{_xml(place.canonical("atom.xml"))}"/>\n'
        f"<author><name>{_xml(config.title or name)}</name></author>\n"
        f"<updated>{updated.isoformat()}</updated>\n{rows}</feed>\n"
    )


def _when(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        return None


def _xml(text: str) -> str:
    """Text that XML can hold, escaped."""
    return escape(_NOT_XML.sub("", text))
