"""Which file of a site a link means, and which notes link to one.

It is kept as files come and go, never made anew: a file that changes costs what it says itself, and
a search for each note that links to its name.
"""

from __future__ import annotations

from collections import defaultdict
from posixpath import basename, dirname, join, normpath

import msgspec

from server.sites.rendering import slugs
from server.sites.rendering.facts import Facts
from server.sites.rendering.note import Link


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a site."""

    path: str
    digest: str = ""
    size: int = 0
    modified: str = ""
    """In ISO form."""
    facts: Facts | None = None
    """Of notes only."""
    width: int | None = None
    height: int | None = None

    @property
    def slug(self) -> str:
        """Where its page is: what its front matter says, else where it lies."""
        permalink = self.facts.front.permalink if self.facts else None
        return permalink or slugs.slug_of(self.path)

    @property
    def title(self) -> str:
        """What it is called."""
        if self.facts is None:
            return basename(self.path)
        found = self.facts.front.title or self.facts.heading
        return (
            found or basename(slugs.slug_of(self.path)) or basename(slugs.without_suffix(self.path))
        )


class Vault:
    """The files of one site."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.version = 0
        """Counts what can change other pages than a file's own."""
        self.folders: dict[str, set[str]] = defaultdict(set)
        """For each folder the paths of the notes and the names of the folders in it; the latter end
        with a slash."""
        self._named: dict[str, set[str]] = defaultdict(set)
        self._slugs: dict[str, set[str]] = defaultdict(set)
        self._wanted: dict[str, set[str]] = defaultdict(set)
        """From the last part of a link's target to the notes that have such a link."""
        self._leads_to: dict[str, set[str]] = {}
        self._linked_from: dict[str, set[str]] = defaultdict(set)

    # -- files come and go ---------------------------------------------------------------

    def put(self, file: File) -> None:
        """A file came or changed; a note that is not published goes."""
        if file.facts is not None and not file.facts.front.publish:
            self.remove(file.path)
            return
        known = self.files.get(file.path)
        if known is not None and _is_alike(known, file):
            self.files[file.path] = file
            return
        if known is not None:
            self._take_out(known)
        self.version += 1
        self.files[file.path] = file
        self._put_in(file)
        self._look_again(_keys(file) | (_keys(known) if known else set()), file.path)

    def remove(self, path: str) -> None:
        """A file went."""
        known = self.files.pop(path, None)
        if known is not None:
            self.version += 1
            self._take_out(known)
            self._look_again(_keys(known), None)

    def _put_in(self, file: File) -> None:
        for key in _names(file.path):
            self._named[key].add(file.path)
        if file.facts is not None:
            for slug in {file.slug, slugs.slug_of(file.path)}:
                self._slugs[slug].add(file.path)
            for key in {_key(link) for link in file.facts.links}:
                self._wanted[key].add(file.path)
            self._plant(file.path)

    def _take_out(self, file: File) -> None:
        for key in _names(file.path):
            _discard(self._named, key, file.path)
        if file.facts is not None:
            for slug in {file.slug, slugs.slug_of(file.path)}:
                _discard(self._slugs, slug, file.path)
            for key in {_key(link) for link in file.facts.links}:
                _discard(self._wanted, key, file.path)
            self._uproot(file.path)
        for target in self._leads_to.pop(file.path, ()):
            _discard(self._linked_from, target, file.path)

    def _plant(self, path: str) -> None:
        """Put a note into the tree of folders."""
        self.folders[dirname(path)].add(path)
        folder = dirname(path)
        while folder:
            above, name = dirname(folder), basename(folder) + "/"
            if name in self.folders[above]:
                break
            self.folders[above].add(name)
            folder = above

    def _uproot(self, path: str) -> None:
        folder, name = dirname(path), path
        while True:
            _discard(self.folders, folder, name)
            if folder in self.folders or not folder:
                break
            folder, name = dirname(folder), basename(folder) + "/"

    def _look_again(self, keys: set[str], path: str | None) -> None:
        """Find anew where links lead whose names are among `keys`, and all links of `path`."""
        sources = {source for key in keys for source in self._wanted.get(key, ())}
        if path is not None and self.files[path].facts is not None:
            sources.add(path)
        for source in sources:
            facts = self.files[source].facts
            assert facts is not None
            found = {self.find(source, link) for link in facts.links} - {None, source}
            for target in self._leads_to.get(source, set()) - found:
                _discard(self._linked_from, target, source)
            leads_to = {target for target in found if target is not None}
            for target in leads_to:
                self._linked_from[target].add(source)
            self._leads_to[source] = leads_to

    # -- questions -----------------------------------------------------------------------

    def find(self, source: str, link: Link) -> str | None:
        """The path of the file that a link in the note `source` means."""
        target = link.target
        if not target:
            return source
        if link.is_wiki:
            if target.startswith(("./", "../")):
                target = normpath(join("/", dirname(source), target))
            return self._wiki(target.strip("/"))
        return self._path(target)

    def page(self, slug: str) -> File | None:
        """The note whose page is at a slug, by permalink or by where it lies."""
        paths = self._slugs.get(slug)
        return self.files[min(paths, key=lambda path: self._rank(path, slug))] if paths else None

    def home(self) -> File | None:
        """What the root of the site shows: a note, else a file of HTML."""
        found = self.page("")
        if found is not None:
            return found
        if "index.html" in self.files:
            return self.files["index.html"]
        notes = [path for path, file in self.files.items() if file.facts is not None]
        pages = [path for path in self.files if path.lower().endswith((".html", ".htm"))]
        return self.files[min(notes or pages)] if notes or pages else None

    def backlinks(self, path: str) -> list[File]:
        """The notes that link to a file, by title."""
        found = [self.files[source] for source in self._linked_from.get(path, ())]
        return sorted(found, key=lambda file: (file.title.lower(), file.path))

    def _rank(self, path: str, slug: str) -> tuple[bool, bool, bool, str]:
        """A permalink goes before a place, a note before a folder's, index before README."""
        named = self.files[path].slug == slug
        name = basename(slugs.without_suffix(path)).lower()
        return (not named, slugs.is_folded(path), name != "index", path)

    def _wiki(self, target: str) -> str | None:
        """The shortest path that is the target or ends with it; case and `.md` do not count."""
        wanted = target.lower()
        stem = slugs.without_suffix(wanted)
        fitting = [
            path
            for path in self._named.get(basename(wanted), ())
            if _ends(path.lower(), wanted) or _ends(slugs.without_suffix(path.lower()), stem)
        ]
        if fitting:
            return min(fitting, key=lambda path: (path.lower() != wanted, len(path), path))
        found = self.page(target)
        return found.path if found else None

    def _path(self, target: str) -> str | None:
        for path in (target, f"{target}.md", f"{target}.mdx"):
            if path in self.files:
                return path
        found = self.page(target) or self.page(slugs.slug_of(target))
        return found.path if found else self._wiki(target)


def _ends(path: str, wanted: str) -> bool:
    return path == wanted or path.endswith(f"/{wanted}")


def _names(path: str) -> set[str]:
    """The names under which a wiki link finds a file."""
    name = basename(path).lower()
    return {name, slugs.without_suffix(name)}


def _keys(file: File) -> set[str]:
    """The last parts of the targets that may mean a file."""
    found = _names(file.path)
    if file.facts is not None:
        found |= {basename(slug).lower() for slug in (file.slug, slugs.slug_of(file.path))}
    return found


def _key(link: Link) -> str:
    name = basename(link.target.rstrip("/")).lower()
    return slugs.without_suffix(name)


def _is_alike(one: File, other: File) -> bool:
    """Whether other pages cannot tell the two apart, save by what is searched."""
    if one.facts is None or other.facts is None:
        same = one.facts is other.facts
        return same and (one.width, one.height) == (other.width, other.height)
    return (
        one.facts.front == other.facts.front
        and one.facts.heading == other.facts.heading
        and one.facts.links == other.facts.links
    )


def _discard(sets: dict[str, set[str]], key: str, value: str | None) -> None:
    """Take a value out of a set, and the set away when it is empty."""
    found = sets.get(key)
    if found is not None and value is not None:
        found.discard(value)
        if not found:
            del sets[key]
