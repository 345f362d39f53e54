"""What a published page may hold: the last thing that a note's HTML passes.

Everything that can run, load a frame of anybody's, or send a form is left out, whatever the note
says. MathML that we make passes; SVG does not.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import nh3

_PLAIN = (
    "a abbr address article aside audio b bdi bdo blockquote br caption center cite code col "
    "colgroup dd del details dfn div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6 header "
    "hgroup hr i "
    "iframe img input ins kbd li main mark ol p picture pre q rp rt ruby s samp section small "
    "source span strike strong sub summary sup table tbody td tfoot th thead time tr track tt u "
    "ul var video wbr"
)
_MATH = (
    "math mi mn mo ms mtext mspace mrow mfrac msqrt mroot mstyle merror mpadded mphantom "
    "menclose msub msup msubsup munder mover munderover mmultiscripts mprescripts mtable mtr mtd"
)
_MATH_ATTRIBUTES = (
    "display displaystyle scriptlevel mathvariant stretchy fence separator lspace rspace width "
    "height depth voffset minsize maxsize largeop movablelimits symmetric form accent "
    "accentunder notation "
    "linethickness columnalign columnspacing columnlines rowalign rowspacing rowlines columnspan "
    "rowspan linebreak mathcolor mathbackground mathsize alttext xmlns frame rowspan"
)
_EVERYWHERE = {"id", "class", "title", "lang", "dir", "align", "style", "aria-label", "aria-hidden"}
_FRAMES = frozenset(
    {"www.youtube.com", "www.youtube-nocookie.com", "player.vimeo.com", "open.spotify.com"}
)
"""Hosts whose players may be shown in a frame."""
FRAME_HOSTS = tuple(sorted(_FRAMES))

_ATTRIBUTES: dict[str, set[str]] = {
    "*": _EVERYWHERE,
    "a": {"href", "target", "rel", "data-wiki", "hreflang"},
    "img": {"src", "alt", "width", "height", "loading", "data-wiki", "data-fs-width"}
    | {"data-fs-height"},
    "video": {"src", "controls", "width", "height", "poster", "loop", "muted", "preload"}
    | {"data-wiki"},
    "audio": {"src", "controls", "loop", "preload", "data-wiki"},
    "source": {"src", "type", "media"},
    "track": {"src", "kind", "srclang", "label", "default"},
    "iframe": {"src", "width", "height", "allowfullscreen", "loading", "data-wiki"},
    "ol": {"start", "type", "reversed"},
    "li": {"value"},
    "td": {"colspan", "rowspan", "headers"},
    "th": {"colspan", "rowspan", "headers", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open", "data-callout", "data-callout-type"},
    "div": {"data-callout", "data-callout-type", "data-callout-title", "data-callout-body"},
    "summary": {"data-callout-title"},
    "input": {"checked"},
    "time": {"datetime"},
    "del": {"cite", "datetime"},
    "ins": {"cite", "datetime"},
    "q": {"cite"},
    "blockquote": {"cite"},
    "abbr": set(),
} | {tag: set(_MATH_ATTRIBUTES.split()) for tag in _MATH.split()}

_STYLES = {
    "background-color",
    "border",
    "border-radius",
    "clear",
    "color",
    "float",
    "font-size",
    "font-style",
    "font-weight",
    "height",
    "margin",
    "margin-bottom",
    "margin-left",
    "margin-right",
    "margin-top",
    "max-height",
    "max-width",
    "padding",
    "text-align",
    "text-decoration",
    "vertical-align",
    "white-space",
    "width",
}
_IN_FRAMES = "allow-scripts allow-same-origin allow-popups allow-presentation"


def _filter(tag: str, attribute: str, value: str) -> str | None:
    if tag == "iframe" and attribute == "src":
        try:
            parts = urlsplit(value)
        except ValueError:
            return None
        is_own = not parts.scheme and not parts.netloc
        is_player = parts.scheme == "https" and parts.hostname in _FRAMES
        return value if is_own or is_player else None
    if attribute == "target":
        return value if value in {"_blank", "_self"} else None
    return value


_CLEANER = nh3.Cleaner(
    tags={*_PLAIN.split(), *_MATH.split()},
    clean_content_tags={"script", "style", "template", "noscript", "title", "textarea", "svg"}
    | {"object", "select", "xmp", "noembed", "noframes"},
    attributes=_ATTRIBUTES,
    attribute_filter=_filter,
    set_tag_attribute_values={
        "input": {"type": "checkbox", "disabled": ""},
        "iframe": {"sandbox": _IN_FRAMES, "referrerpolicy": "strict-origin-when-cross-origin"},
        "video": {"controls": ""},
        "audio": {"controls": ""},
    },
    filter_style_properties=_STYLES,
    link_rel=None,
    url_schemes={"http", "https", "mailto", "tel", "xmpp", "irc", "ircs", "sms", "geo", "magnet"}
    | {"obsidian", "zotero"},
)


def clean(html: str) -> str:
    """The same page without anything that could harm its reader."""
    return _CLEANER.clean(html)
