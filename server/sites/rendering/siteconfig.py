"""A site's `config.json`: read kindly, because its owner may still be writing it.

What is of a wrong type counts as not said; a file that is no JSON is an empty one.
"""

from __future__ import annotations

import msgspec

BYTES_MAX = 256 * 1024
_LIST_MAX = 200
_TEXT_MAX = 1000


class Item(msgspec.Struct, frozen=True):
    """A named address: of the navigation bar, the footer, a button."""

    label: str
    href: str


class Redirect(msgspec.Struct, frozen=True):
    """Who asks for one path is sent to another."""

    to: str
    permanent: bool


class SiteConfig(msgspec.Struct, frozen=True):
    """What a site says about itself."""

    title: str | None = None
    description: str | None = None
    nav_title: str | None = None
    logo: str | None = None
    links: tuple[Item, ...] = ()
    cta: Item | None = None
    footer: tuple[Item, ...] = ()
    social: tuple[Item, ...] = ()
    show_sidebar: bool = True
    show_toc: bool = True
    order_by: str = "path"
    sidebar_paths: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    redirects: dict[str, Redirect] = {}
    image: str | None = None
    favicon: str | None = None
    feed: bool = True

    def is_published(self, path: str) -> bool:
        """Whether a file belongs to what is shown at all."""
        if self.include and not any(within(path, each) for each in self.include):
            return False
        return not any(within(path, each) for each in self.exclude)

    def is_listed(self, path: str) -> bool:
        """Whether a page appears in the sidebar and in search."""
        return not any(within(path, each) for each in self.hide)


def parse(data: bytes) -> SiteConfig:
    """The configuration; the defaults where it cannot be read."""
    if len(data) > BYTES_MAX:
        return SiteConfig()
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return SiteConfig()
    return _config(value) if isinstance(value, dict) else SiteConfig()


def within(path: str, prefix: str) -> bool:
    """Whether a path is a given one or lies below it; case is not looked at."""
    path, prefix = path.lower(), prefix.strip("/").lower()
    return path == prefix or path.startswith(f"{prefix}/") or path == f"{prefix}.md"


def _config(value: dict[str, object]) -> SiteConfig:
    nav, sidebar = _fields(value.get("nav")), _fields(value.get("sidebar"))
    footer = value.get("footer")
    groups = _fields(footer).get("navigation", _fields(footer).get("links", footer))
    order = _text(sidebar.get("orderBy"))
    return SiteConfig(
        title=_text(value.get("siteName")) or _text(value.get("title")),
        description=_text(value.get("description")),
        nav_title=_text(nav.get("title")),
        logo=_text(nav.get("logo")) or _text(value.get("logo")),
        links=_items(nav.get("links")),
        cta=next(iter(_items([nav.get("cta")])), None),
        footer=_items(groups),
        social=_items(value.get("social", nav.get("social"))),
        show_sidebar=value.get("showSidebar") is not False,
        show_toc=value.get("showToc") is not False,
        order_by=order if order in {"path", "title"} else "path",
        sidebar_paths=_texts(sidebar.get("paths")),
        include=_texts(value.get("contentInclude")),
        exclude=_texts(value.get("contentExclude")),
        hide=_texts(value.get("contentHide")),
        redirects=_redirects(value.get("redirects")),
        image=_text(value.get("image")),
        favicon=_text(value.get("favicon")),
        feed=value.get("rss", value.get("enableRss")) is not False,
    )


def _fields(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return " ".join(value.split())[:_TEXT_MAX] or None if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(text for each in value[:_LIST_MAX] if (text := _text(each)))


def _items(value: object) -> tuple[Item, ...]:
    """Named addresses; groups of them are taken one after the other."""
    found: list[Item] = []
    for each in value[:_LIST_MAX] if isinstance(value, list) else ():
        fields = _fields(each)
        label = (
            _text(fields.get("name")) or _text(fields.get("label")) or _text(fields.get("title"))
        )
        href = _text(fields.get("href")) or _text(fields.get("url"))
        if href:
            found.append(Item(label or href, href))
        elif isinstance(fields.get("links"), list):
            found += _items(fields["links"])
    return tuple(found[:_LIST_MAX])


def _redirects(value: object) -> dict[str, Redirect]:
    found = {}
    for each in value[: 10 * _LIST_MAX] if isinstance(value, list) else ():
        fields = _fields(each)
        source, to = _text(fields.get("from")), _text(fields.get("to"))
        if source and to:
            found[source.strip("/")] = Redirect(to, fields.get("permanent") is not False)
    return found
