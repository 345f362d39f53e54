"""Which file a link means: Obsidian's matching, kept as files come and go."""

from server.sites.rendering import slugs
from server.sites.rendering.facts import examine
from server.sites.rendering.note import path_link, wiki_link
from server.sites.rendering.vault import File, Vault


def vault_of(**texts: str) -> Vault:
    """A vault of files by name; `__` stands for a slash, `_` for a space and a dot is added."""
    vault = Vault()
    for name, text in texts.items():
        put(vault, name.replace("__", "/") + ".md", text)
    return vault


def put(vault: Vault, path: str, text: str = "") -> None:
    """Put a file into a vault."""
    facts = examine(path, text) if slugs.is_note(path) else None
    vault.put(File(path=path, facts=facts))


def test_wiki_links_match_as_in_obsidian() -> None:
    """Case and suffix do not count, a part of the path does, the shortest path wins."""
    vault = vault_of(latest="", deep__x__test="", deep__Test="", a__Note="", Note="")
    put(vault, "media/Pic.PNG")

    def find(target: str) -> str | None:
        return vault.find("deep/x/test.md", wiki_link(target))

    assert find("test") == "deep/Test.md"
    assert find("x/TEST.md") == "deep/x/test.md"
    assert find("Note") == "Note.md"
    assert find("a/note") == "a/Note.md"
    assert find("pic.png") == "media/Pic.PNG"
    assert find("pic") is None
    assert find("est") is None
    assert find("#Head") == "deep/x/test.md"
    assert find("../Test") == "deep/Test.md"


def test_markdown_links_are_relative_to_their_file() -> None:
    """They find the file, the note without its suffix, and the folder's README or index."""
    vault = vault_of(a__b="", a__README="", c__index="", d="---\npermalink: /p/q/\n---")

    def find(address: str) -> str | None:
        return vault.find("a/b.md", path_link("a/b.md", address))

    assert find("b.md") == "a/b.md"
    assert find("./b") == "a/b.md"
    assert find(".") == "a/README.md"
    assert find("../c/") == "c/index.md"
    assert find("/c/index.md") == "c/index.md"
    assert find("/p/q") == "d.md"
    assert find("../../../d.md") == "d.md"
    assert find("nope.md") is None


def test_backlinks_follow_files_that_come_and_go() -> None:
    """A file that takes a name over gets the links to it, and gives them back."""
    vault = vault_of(home="[[test]] and again [[test]]", deep__test="[[home]]")
    assert [file.path for file in vault.backlinks("deep/test.md")] == ["home.md"]

    put(vault, "test.md", "nearer")
    assert [file.path for file in vault.backlinks("test.md")] == ["home.md"]
    assert vault.backlinks("deep/test.md") == []

    vault.remove("test.md")
    assert [file.path for file in vault.backlinks("deep/test.md")] == ["home.md"]

    put(vault, "home.md", "no link")
    assert vault.backlinks("deep/test.md") == []
    vault.remove("deep/test.md")
    assert vault.folders == {"": {"home.md"}}


def test_a_note_that_is_not_published_is_not_there() -> None:
    """`publish: false` takes a note out, and its own links with it."""
    vault = vault_of(a="[[b]]", b="")

    put(vault, "a.md", "---\npublish: false\n---\n[[b]]")

    assert "a.md" not in vault.files
    assert vault.backlinks("b.md") == []
    assert vault.page("a") is None


def test_pages_are_at_their_slugs() -> None:
    """Index goes before README, a permalink before both; the root falls back."""
    vault = vault_of(README="", index="", x__index="", y="---\npermalink: z\n---")

    assert (vault.home() or File(path="")).path == "index.md"
    assert vault.page("x").path == "x/index.md"  # type: ignore[union-attr]
    assert vault.page("z").path == "y.md"  # type: ignore[union-attr]
    assert vault.page("y").path == "y.md"  # type: ignore[union-attr]
    for path in ("README.md", "index.md"):
        vault.remove(path)
    put(vault, "index.html")
    assert vault.home().path == "index.html"  # type: ignore[union-attr]
    vault.remove("index.html")
    assert vault.home().path == "x/index.md"  # type: ignore[union-attr]


def test_the_cost_of_a_change_does_not_grow_with_the_site() -> None:
    """Only the notes that link to a changed note's name are looked at again."""
    looked = []

    class Counted(Vault):
        def find(self, source: str, link: object) -> str | None:  # type: ignore[override]
            looked.append(source)
            return super().find(source, link)  # type: ignore[arg-type]

    vault = Counted()
    for number in range(1000):
        put(vault, f"f{number % 10}/n{number}.md", f"[[n{number // 2}]] [[n{(number * 7) % 1000}]]")
    looked.clear()

    put(vault, "f7/n7.md", "# Another title\n\n[[n3]]")

    assert set(looked) == {"f7/n7.md", *(file.path for file in vault.backlinks("f7/n7.md"))}
    assert len(looked) < 12


def test_an_edit_of_words_changes_no_other_page() -> None:
    """The version that other pages hang on stays, and what is searched is new."""
    vault = vault_of(a="# A\n\nold [[b]]", b="")
    before = vault.version

    put(vault, "a.md", "# A\n\nnew [[b]]")

    assert vault.version == before
    assert "new" in vault.files["a.md"].facts.text  # type: ignore[union-attr]


def test_paths_and_addresses_are_turned_into_each_other() -> None:
    """Spaces are `+`, both ways; other letters are encoded piece by piece."""
    assert slugs.encode("a b/C+D é") == "a+b/C%2BD+%C3%A9"
    assert slugs.decodings("a+b/C%2BD+%C3%A9")[0] == "a b/C+D é"
    assert "a+b" in slugs.decodings("a+b")
    assert slugs.decodings("%ff") == []
    assert slugs.slug_of("a/README.md") == "a"
    assert slugs.slug_of("index.mdx") == ""
    assert slugs.anchor_of("A  `b`, c's!") == "a--b-cs"
