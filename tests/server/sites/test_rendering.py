"""Notes as HTML: all that readers of published notes expect, and nothing that can harm them."""

from pathlib import Path
from time import process_time

import pytest

from server.sites.rendering import feeds, page, siteconfig, slugs
from server.sites.rendering.facts import examine
from server.sites.rendering.frontmatter import BadFrontMatter, parse
from server.sites.rendering.note import Found, Link, fill, render
from server.sites.rendering.place import Place
from server.sites.rendering.sanitising import clean
from server.sites.rendering.tree import Tree
from server.sites.rendering.vault import File, Vault

DEMO = Path(__file__).parent / "vault"


def html_of(text: str, path: str = "note.md") -> str:
    """A note as HTML, each link into the site leading to what it names below `/s`."""

    def find(link: Link) -> Found:
        anchor = f"#{link.anchor}" if link.anchor else ""
        return Found(f"/s/{link.target}{anchor}", is_there=link.target != "missing")

    return fill(render(path, text), find)


def demo() -> page.Site:
    """The demo vault as a site at `/@ada/notes`."""
    config = siteconfig.parse((DEMO / "config.json").read_bytes())
    vault = Vault()
    for file in sorted(DEMO.rglob("*")):
        name = file.relative_to(DEMO).as_posix()
        if file.is_file() and config.is_published(name):
            facts = examine(name, file.read_text()) if slugs.is_note(name) else None
            vault.put(File(path=name, facts=facts, modified="2025-06-15T12:00:00Z"))
    place = Place(origin="http://sites.localhost:8080", path="/@ada/notes")
    return page.Site(
        name="notes", place=place, config=config, vault=vault, tree=Tree(vault, place, config)
    )


def demo_page(site: page.Site, path: str) -> str:
    """The page of a note of the demo vault."""
    note = render(path, (DEMO / path).read_text())
    return page.note_page(site, site.vault.files[path], note, edit="http://main/w/1")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("[[Target]]", '<a class="internal" href="/s/Target">Target</a>'),
        ("[[Target|words]]", '<a class="internal" href="/s/Target">words</a>'),
        ("[[Target#A Head]]", '<a class="internal" href="/s/Target#a-head">Target#A Head</a>'),
        ("[[missing]]", '<a class="internal new" href="/s/missing">missing</a>'),
        ("[x](../a%20b.md#Some%20Head)", '<a class="internal" href="/s/a b.md#some-head">x</a>'),
        ("[x](sub/)", '<a class="internal" href="/s/sub">x</a>'),
        ("[x](#Some Head)", "[x](#Some Head)"),
        ("[x](<#Some Head>)", '<a href="#some-head">x</a>'),
        ("![[a.png|200]]", 'loading="lazy" class="internal" src="/s/a.png" width="200">'),
        ("![[a.png|200]]", 'data-fs-width="200"'),
        ("![[a.png|200x100]]", 'src="/s/a.png" width="200" height="100">'),
        ("![300x200](a.png)", 'src="/s/a.png" width="300" height="200">'),
        ("![alt|30](a.png)", '<img alt="alt" data-fs-width="30" loading="lazy"'),
        ("![[a.pdf]]", 'class="document internal" src="/s/a.pdf"></iframe>'),
        ("![[a.webm]]", '<video controls="" preload="metadata" class="internal" src="/s/a.webm">'),
        ("![[a.flac]]", '<audio controls="" preload="metadata" class="internal" src="/s/a.flac">'),
        ("![[Note]]", '<a class="transclusion internal" href="/s/Note">Note</a>'),
        ("![[a.canvas]]", '<a class="unsupported internal" href="/s/a.canvas">a.canvas</a>'),
        ("![](https://youtu.be/aqz-KE-bpKQ)", "https://www.youtube-nocookie.com/embed/aqz-KE-bpKQ"),
        ("https://x.example", '<a rel="noopener noreferrer" target="_blank" href="https://x'),
        ('a -- b --- c... "q"', 'a \u2013 b \u2014 c\u2026 "q"'),
        ("`a -- b`", "<code>a -- b</code>"),
        ("a ==b *c*== d", "<mark>b <em>c</em></mark>"),
        ("a %%gone%% b", "<p>a  b</p>"),
        ("a thing ^its-name", '<p id="its-name">a thing</p>'),
        ("[[Note#^its-name]]", 'href="/s/Note#its-name"'),
        ("~~x~~", "<s>x</s>"),
        ("It is $5 and $6.", "It is $5 and $6."),
        ("$x^2$", '<math alttext="x^2"'),
        ("$$\nx\n$$", 'display="block"'),
        ("a $$x$$ b", "</math></span> b</p>"),
        ("a[^1]\n\n[^1]: b", '<section class="footnotes">'),
        ("- [x] a", '<input checked="" disabled="" type="checkbox" class="task-list-item'),
        ("|a|\n|-|\n|b|", '<div class="table-scroll"><table>'),
        ("```nope\n<b>\n```", '<pre><code class="language-nope">&lt;b&gt;\n</code></pre>'),
        ("```python\nx = 1\n```", '<code class="language-python"><span class="n">x</span>'),
        ("```mermaid\nA-->B\n```", '<pre class="mermaid">A--&gt;B\n</pre>'),
        ("## A `b`\n## A b", '<h2 id="a-b-1">'),
        ("|a|\n|-|\n|[[x\\|y]]|", '<a class="internal" href="/s/x">y</a>'),
        ("> [!note] Hi\n> body", 'data-callout="note" data-callout-type="note"'),
        ("> [!TLDR]- Hi\n> body", '<details class="callout" data-callout="tldr"'),
        ("> [!tip]+\n> body", 'data-callout-type="tip" open=""><summary class="callout-title"'),
        ("> [!note] *Hi*", "<em>Hi</em>"),
    ],
)  # fmt: skip
def test_each_feature_becomes_its_html(source: str, shown: str) -> None:
    """What notes write is what browsers get."""
    assert shown in html_of(source, "folder/note.md" if ".." in source else "note.md")


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)><script>alert(1)</script></svg>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href=' \tjava\nscript:alert(1)'>x</a>",
        "[x](javascript:alert(1))",
        "[x](<data:text/html,alert(1)>)",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<iframe src='https://evil.example/'></iframe>",
        "<form action='https://evil.example'><button>x</button></form>",
        "<object data='x.swf'></object><embed src='x.swf'><base href='https://evil.example/'>",
        "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
        "<p style='position:fixed;background:url(https://evil.example/)'>x</p>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img onerror=1&gt;'>",
        "<style>body{display:none}</style><link rel=stylesheet href=x>",
        '[[a" onclick="alert(1)]]',
        '![[a.png" onerror="alert(1)]]',
        '> [!a"onclick=alert(1)] x',
        '```"><script>alert(1)</script>\nx\n```',
        "$\\text{<script>alert(1)</script>}$",
        '<a data-wiki="x&quot; onclick=&quot;alert(1)">x</a>',
        "![x](//evil.example/a.pdf)",
        "<iframe src='/\\evil.example/'></iframe>",
    ],
)
def test_nothing_that_could_run_is_left(source: str) -> None:
    """No element, attribute or address of a note can run, frame a stranger or send a form."""
    made = html_of(source).lower()
    tags = [piece.partition(">")[0] for piece in made.split("<")[1:]]

    for bad in (
        "script",
        "svg",
        "form",
        "object",
        "embed",
        "base",
        "meta",
        "style",
        "link",
        "button",
    ):
        assert not any(tag.split()[0].strip("/") == bad for tag in tags if tag)
    for tag in tags:
        outside = "".join(tag.split('"')[::2])
        assert " on" not in outside
        assert "javascript:" not in tag
        assert "evil.example" not in tag or tag.startswith(("a ", "img ")) or "/s/" in tag
        assert "srcdoc" not in outside
    assert clean(made) == clean(clean(made))


def test_a_page_of_the_demo_has_all_its_parts() -> None:
    """Title, description, facts, table of contents, sidebar, backlinks, Open Graph and "Edit"."""
    shown = demo_page(demo(), "guides/Writing.md")

    for part in (
        "<title>Writing - The Lighthouse Notebook</title>",
        '<meta name="description" content="Text and what can be done to it.">',
        '<link rel="canonical" href="http://sites.localhost:8080/@ada/notes/guides/Writing">',
        '<meta property="og:title" content="Writing">',
        '<meta property="og:image" content="http://sites.localhost:8080/@ada/notes/media/lighth',
        "<h1>Writing</h1>",
        "June 15, 2025",
        "Ada Keeper, Grace Warden",
        '<nav class="site-navbar"',
        '<aside class="site-sidebar"',
        '<a href="/@ada/notes/guides/Writing" aria-current="page">Writing</a>',
        '<a href="#tables">Tables</a>',
        "Linked from",
        '<a class="internal" href="/@ada/notes/guides">Guides</a>',
        '<a class="edit-link" href="http://main/w/1" rel="nofollow">Edit</a>',
        'id="mdxpage"',
    ):
        assert part in shown, part
    assert "mermaid" not in shown
    assert "hidden" not in demo().tree.html(None).lower()
    assert "secret" not in shown.lower()


def test_the_demo_shows_what_its_front_matter_says() -> None:
    """A hero, a plain page, one whose front matter is broken, and drawings where there are some."""
    site = demo()

    home = demo_page(site, "README.md")
    plain = demo_page(site, "people/ada.md")
    broken = demo_page(site, "broken.md")
    drawings = demo_page(site, "guides/Drawings.md")

    assert "<title>The Lighthouse Notebook</title>" in home
    assert (
        'class="hero-image" src="http://sites.localhost:8080/@ada/notes/media/lighthouse.png"'
        in home
    )
    assert 'href="/@ada/notes/guides/Writing">Begin' in home
    assert "page-header" not in plain
    assert "site-sidebar" not in plain
    assert "cannot be read: did not find expected" in broken
    assert "mermaid.min.js" in drawings
    for shown in (home, plain, broken, drawings):
        assert "comment is for the keeper" not in shown


def test_links_of_the_demo_lead_to_pages_of_it() -> None:
    """All links of the demo resolve, but those that are meant to lead nowhere."""
    site = demo()
    missing = set()
    for path, file in site.vault.files.items():
        if file.facts is not None and path != "hostile.md":
            note = render(path, (DEMO / path).read_text())
            for link in note.links:
                if not site.place.find(site.vault, path, link).is_there:
                    missing.add(link.target)

    assert missing == {"A page that nobody wrote", "Nowhere", "test"}


@pytest.mark.parametrize("text", ["> " * 10_000 + "x", "[" * 30_000, "*a_ " * 10_000, "- " * 5000])
def test_intricate_notes_end_in_bounded_time(text: str) -> None:
    """What is nested ten thousand deep is rendered or given up, and kills nobody."""
    before = process_time()

    render("hostile.md", text)

    assert process_time() - before < 10


@pytest.mark.parametrize(
    "source",
    ["a: [", "title: x: y", "- a", "[" * 60_000, "- " * 30_000, "a: &a {b: 1}\nc:\n  <<: *a"],
)
def test_front_matter_that_cannot_be_read_is_an_error(source: str) -> None:
    """Neither a crash nor silence: whoever wrote it is told."""
    with pytest.raises(BadFrontMatter):
        parse(source)


def test_front_matter_is_read_with_its_types() -> None:
    """Fields of a wrong type count as not said."""
    front = parse(
        "title: 12\ndate: 2025-06-15\nauthors: a, b\ntags: [x, {y: z}]\npermalink: /p/\n"
        "showToc: maybe"
    )

    assert (front.title, front.date, front.permalink) == ("12", "2025-06-15", "p")
    assert front.authors == ("a", "b")
    assert front.tags == ("x",)
    assert front.toc is None
    assert front.publish


def test_feeds_and_sitemap_are_escaped() -> None:
    """They are XML whatever titles and paths hold; the root comes first, once."""
    site = demo()

    rss = feeds.rss(site.vault, site.place, site.config, "notes")
    atom = feeds.atom(site.vault, site.place, site.config, "notes")
    sitemap = feeds.site_map(site.vault, site.place, "2025-06-15T12:00:00Z")

    assert "<title>Fog &amp; silence</title>" in rss
    assert rss.index("Clear again") < rss.index("Fog &amp; silence")
    assert "<title>Fog &amp; silence</title>" in atom
    assert sitemap.count("<loc>http://sites.localhost:8080/@ada/notes</loc>") == 1
    assert "%C3%9Cn%C3%AFcode+&amp;+s%C3%B6ng" in sitemap
    assert "/tides</loc>" in sitemap
    assert "Tide" not in sitemap


def test_a_large_site_sends_its_folders_when_they_are_opened() -> None:
    """The sidebar of a page does not grow with the site."""
    vault = Vault()
    for number in range(2000):
        path = f"f{number % 40}/note {number}.md"
        vault.put(File(path=path, facts=examine(path, "x")))
    tree = Tree(vault, Place(origin="http://x"), siteconfig.SiteConfig())

    shown = tree.html("f1/note 1.md")

    assert len(shown) < 10_000
    assert 'href="/f1/note+41"' in shown
    assert 'data-folder="f2"' in shown
    assert 'href="/f2/note+42"' in tree.level("f2", None)


def test_facts_agree_with_what_is_rendered() -> None:
    """The quick look at a note finds the links and the heading that rendering finds."""
    for file in sorted(DEMO.rglob("*.md")):
        path, text = file.relative_to(DEMO).as_posix(), file.read_text()
        facts, note = examine(path, text), render(path, text)
        if path in {"hostile.md", "guides/Linking.md"}:
            continue  # Links in raw HTML are not looked for.
        assert facts.heading == note.heading, path
        assert set(facts.links) == {link for link in note.links if link.target}, path
        assert facts.front == note.front


def test_a_configuration_is_read_kindly() -> None:
    """What is no JSON is an empty one, and what has a wrong type is left out."""
    for data in (b"", b"[]", b"nope", b'{"nav": 1, "redirects": [{"from": 2}], "sidebar": "x"}'):
        assert siteconfig.parse(data).redirects == {}
    found = siteconfig.parse(b'{"redirects": [{"from": "/a", "to": "/b", "permanent": false}]}')

    assert not found.redirects["a"].permanent
