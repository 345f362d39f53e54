"""The list of a site's pages beside each of them: folders that fold, open where the reader is.

A site of thousands of notes would weigh more in its sidebar than in its pages, so folders of a
large one come when they are opened.
"""

from __future__ import annotations

import html
from posixpath import basename

from server.sites.rendering.place import Place
from server.sites.rendering.siteconfig import SiteConfig, within
from server.sites.rendering.slugs import is_folded, natural
from server.sites.rendering.vault import Vault

WHOLE_MAX = 300
"""Pages of a site whose whole tree is in each page."""
FOLDER_MAX = 1000
"""Entries of one folder that are shown."""


class Tree:
    """The sidebar of one site, for as long as its vault does not change."""

    def __init__(self, vault: Vault, place: Place, config: SiteConfig) -> None:
        self._vault = vault
        self._place = place
        self.config = config
        self._is_whole = sum(map(len, vault.folders.values())) <= WHOLE_MAX
        self._roots = tuple(path.strip("/") for path in config.sidebar_paths)
        home = vault.page("")
        self._home = home.path if home else None
        self._levels: dict[str, list[tuple[str, str, str]]] = {}

    def html(self, current: str | None) -> str:
        """The tree, with the folders open that lead to the note at `current`."""
        return self.level("", current)

    def level(self, folder: str, current: str | None) -> str:
        """What is in a folder, as a list."""
        rows = []
        for title, entry, address in self._known(folder):
            if not address:
                rows.append(self._folder(f"{folder}/{entry}".strip("/"), title, current))
            else:
                here = ' aria-current="page"' if entry == current else ""
                rows.append(f'<li><a href="{address}"{here}>{title}</a></li>')
        return f"<ul>{''.join(rows)}</ul>" if rows else ""

    def _folder(self, folder: str, title: str, current: str | None) -> str:
        is_open = bool(current and current.startswith(f"{folder}/"))
        summary = f"<summary>{title}</summary>"
        if is_open or self._is_whole:
            inside = self.level(folder, current)
            if not inside:
                return ""
            return f"<li><details{' open' if is_open else ''}>{summary}{inside}</details></li>"
        return f'<li><details data-folder="{html.escape(folder)}">{summary}</details></li>'

    def _known(self, folder: str) -> list[tuple[str, str, str]]:
        """Title, path and address of what is in a folder, escaped; folders have no address."""
        found = self._levels.get(folder)
        if found is None:
            files, address = self._vault.files, self._place.of
            found = self._levels[folder] = [
                (
                    html.escape(title),
                    entry,
                    "" if entry.endswith("/") else html.escape(address(files[entry])),
                )
                for title, entry in self._entries(folder)[:FOLDER_MAX]
            ]
        return found

    def _entries(self, folder: str) -> list[tuple[str, str]]:
        """Title and path of the notes in a folder, title and name of its folders, in order."""
        found = []
        for entry in self._vault.folders.get(folder, ()):
            path = f"{folder}/{entry}".strip("/") if entry.endswith("/") else entry
            if not self.config.is_listed(path) or not _leads(path, self._roots):
                continue
            if entry.endswith("/"):
                found.append((entry[:-1].replace("-", " "), entry))
            elif path != self._home:
                found.append((self._vault.files[path].title, path))
        by_title = self.config.order_by == "title"
        return sorted(
            found,
            key=lambda each: (
                not each[1].endswith("/") and not is_folded(each[1]),
                natural(each[0] if by_title else basename(each[1].rstrip("/"))),
                each[1],
            ),
        )


def _leads(path: str, roots: tuple[str, ...]) -> bool:
    """Whether a path is one that is to be shown, lies in one or leads to one."""
    return not roots or any(within(path, root) or within(root, path) for root in roots)
