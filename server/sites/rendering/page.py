"""A page: a note's HTML with everything that stands around it."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from server.sites.rendering.facts import Facts, description_of
from server.sites.rendering.note import Note, fill
from server.sites.rendering.place import Place
from server.sites.rendering.search import Hit
from server.sites.rendering.siteconfig import SiteConfig
from server.sites.rendering.tree import Tree
from server.sites.rendering.vault import File, Vault

_TOC_MIN = 2
"""Headings from which on a page has a table of contents."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a site that its pages show."""

    name: str
    place: Place
    config: SiteConfig = SiteConfig()
    vault: Vault
    tree: Tree
    assets: str = "/_plait"
    """Where our own style sheet and scripts are."""
    custom_css: str = ""
    """The address of the site's own style sheet, if it has one."""
    has_search: bool = True
    has_feed: bool = True
    is_private: bool = False
    """Whether a password is asked for: then crawlers are told to keep out."""

    @property
    def title(self) -> str:
        """What the site is called."""
        return self.config.title or self.name


def note_page(site: Site, file: File, note: Note, edit: str = "") -> str:
    """The page of a note; `edit` is the address of its editor."""
    facts = file.facts or Facts()
    front, place, config = note.front, site.place, site.config
    title = _title(site, file)
    body = fill(note, lambda link: place.find(site.vault, file.path, link))
    headings = [each for each in note.headings if each[0] in {2, 3}]
    image = place.picture(site.vault, file.path, front.image or facts.picture or config.image)
    has_toc = config.show_toc if front.toc is None else front.toc
    has_sidebar = config.show_sidebar if front.sidebar is None else front.sidebar
    is_plain = front.layout == "plain"
    return _template(
        "note.html"
    ).render(
        _around(site),
        title=title,
        is_home=not file.slug,
        description=description_of(facts) or config.description or "",
        canonical=place.canonical(file.slug),
        image=image,
        hero_image=place.picture(site.vault, file.path, front.image) if front.hero else None,
        cta=[(label, place.link(href)) for label, href in front.cta],
        front=front,
        date=shown_date(front.date),
        is_plain=is_plain,
        body=Markup(body),  # noqa: S704 (cleaned in `note`; only escaped addresses were put in)
        toc=headings if has_toc and len(headings) >= _TOC_MIN and not is_plain else [],
        tree=Markup(site.tree.html(file.path)) if has_sidebar and not is_plain else "",  # noqa: S704
        backlinks=[(each.title, place.of(each)) for each in site.vault.backlinks(file.path)[:200]],
        error=note.error,
        edit=edit,
        has_mermaid=note.has_mermaid,
    )


def source_page(site: Site, file: File, text: str, edit: str = "") -> str:
    """The page of a note that cannot be rendered within its bounds: its source."""
    return _template("source.html").render(
        _around(site),
        title=_title(site, file),
        canonical=site.place.canonical(file.slug),
        text=text,
        raw=site.place.of_file(file.path),
        tree=Markup(site.tree.html(file.path)),  # noqa: S704 (escaped where it is made)
        edit=edit,
    )


def search_page(site: Site, query: str, hits: list[Hit]) -> str:
    """What was found."""
    files = site.vault.files
    return _template("search.html").render(
        _around(site),
        title=f"Search: {query}" if query else "Search",
        query=query,
        hits=[(hit, site.place.of(files[hit.path])) for hit in hits if hit.path in files],
    )


def missing_page(site: Site | None, assets: str = "/_plait", problem: str = "") -> str:
    """The page of what is not there, or of what keeps a whole site from being shown."""
    if site is None:
        return _template("nowhere.html").render(assets=assets, problem=problem)
    return _template("missing.html").render(_around(site), title="Page not found")


def login_page(
    *, action: str, name: str, back: str, assets: str = "/_plait", problem: str = ""
) -> str:
    """Asks a visitor for a site's password; says nothing of what is in the site."""
    return _template("login.html").render(
        action=action, name=name, back=back, assets=assets, problem=problem
    )


def shown_date(text: str | None) -> str:
    """A date as readers write it: June 15, 2025."""
    if not text:
        return ""
    try:
        day: date = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _title(site: Site, file: File) -> str:
    facts = file.facts
    if facts and (facts.front.title or facts.heading):
        return file.title
    return file.title if file.slug else site.title


def _around(site: Site) -> dict[str, object]:
    place, config = site.place, site.config
    return {
        "site": site,
        "home": place.of_slug(""),
        "base": place.path,
        "nav_title": config.nav_title or site.title,
        "links": [(item.label, place.link(item.href)) for item in config.links],
        "nav_cta": (config.cta.label, place.link(config.cta.href)) if config.cta else None,
        "logo": place.picture(site.vault, "", config.logo),
        "favicon": place.picture(site.vault, "", config.favicon),
        "footer": [(item.label, place.link(item.href)) for item in config.footer],
        "social": [(item.label, place.link(item.href)) for item in config.social],
        "assets": site.assets,
    }


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
