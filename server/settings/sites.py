"""Settings of published sites; see `server.settings.topics` for how a setting is written."""

import re
from dataclasses import dataclass

_WILDCARD = re.compile(r"https?://\*\.[^/*?#]+/?")


@dataclass(frozen=True, kw_only=True)
class Sites:
    """Published sites (Flowershow)."""

    sites_url: str = ""
    """Origin of published sites; empty: http://sites.localhost at the server's port."""

    sites_wildcard_url: str = ""
    """Origin with a host for each user, as https://*.sites.example; empty: /@user/site paths."""

    def site_complaints(self) -> list[str]:
        """What is wrong with them, a sentence each."""
        found = []
        if self.sites_url and not self.sites_url.startswith(("http://", "https://")):
            found.append("sites_url must look like https://sites.example")
        if self.sites_wildcard_url and not _WILDCARD.fullmatch(self.sites_wildcard_url):
            found.append("sites_wildcard_url must look like https://*.sites.example")
        return found
