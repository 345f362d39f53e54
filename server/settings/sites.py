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

    site_password_s: int = 7 * 86_400
    """Seconds for which a visitor who gave a site's password is let in."""

    site_logins_per_minute: int = 20
    """Passwords of sites that one address may try in a minute."""

    site_hashes_at_once: int = 2
    """Passwords of sites hashed at a time; each takes a core and 64 MiB for about 80 ms."""

    site_hashes_waiting_max: int = 100
    """Requests that wait for that; more are answered with 503."""

    def site_complaints(self) -> list[str]:
        """What is wrong with them, a sentence each."""
        found = []
        if self.sites_url and not self.sites_url.startswith(("http://", "https://")):
            found.append("sites_url must look like https://sites.example")
        if self.sites_wildcard_url and not _WILDCARD.fullmatch(self.sites_wildcard_url):
            found.append("sites_wildcard_url must look like https://*.sites.example")
        return found
