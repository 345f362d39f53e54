"""Settings of published sites; see `server.settings.topics` for how a setting is written."""

import re
from dataclasses import dataclass, field

from crdt.bounds import MIB

_WILDCARD = re.compile(r"https?://\*\.[^/*?#]+/?")


@dataclass(frozen=True, kw_only=True)
class Sites:
    """Published sites (Flowershow)."""

    sites_url: str = ""
    """Origin of published sites; empty: http://sites.localhost at the server's port."""

    sites_wildcard_url: str = ""
    """Origin with a host for each user, as https://*.sites.example; empty: /@user/site paths."""

    site_file_bytes_max: int = 100 * MIB
    """Bytes of one file of a site."""

    site_request_bytes_max: int = 500 * MIB
    """Bytes that the files of one request may declare together."""

    site_request_files_max: int = 1000
    """Files that one request names, to upload or to delete."""

    site_files_max: int = 20_000
    """Files of one site."""

    site_markdown_bytes_max: int = 5 * MIB
    """Bytes of a Markdown file that is processed; a larger one is an error of that file."""

    site_upload_s: int = 3600
    """Seconds for which an upload URL is good."""

    sites_per_account_max: int = 1000
    """Sites of one account."""

    site_password_s: int = 7 * 86_400
    """Seconds for which a visitor who gave a site's password is let in."""

    site_logins_per_minute: int = 20
    """Passwords of sites that one address may try in a minute."""

    site_hashes_at_once: int = 2
    """Passwords of sites that are hashed at a time; each takes a core and 64 MiB."""

    site_hashes_waiting_max: int = 100
    """Requests that wait for that; more are answered with 503."""

    anonymous_files_max: int = 5
    """Files of a site that is published without an account."""

    anonymous_site_s: int = 7 * 86_400
    """Seconds for which such a site stays unless somebody claims it."""

    anonymous_claim_s: int = 30 * 86_400
    """Seconds for which its ownership token is good."""

    anonymous_sites_per_hour: int = 10
    """Such sites that one address may publish in an hour."""

    device_code_s: int = 900
    """Seconds for which a device's code waits to be approved."""

    device_interval_s: int = 5
    """Seconds that a device is told to wait between two questions."""

    device_codes_per_minute: int = 60
    """Device codes that one address may ask for, or try to approve, in a minute."""

    device_codes_max: int = 10_000
    """Device codes that wait at a time."""

    cli_token_idle_s: int = 90 * 86_400
    """Seconds without use after which a token of the command line ends."""

    domain_checks_per_minute: int = 60
    """Domain checks that one address may ask for in a minute."""

    dns_servers: tuple[str, ...] = ()
    """Addresses (with :port) of the DNS servers that are asked; empty: those of the system."""

    dns_timeout_s: float = 3.0
    """Seconds after which a DNS question is given up."""

    domain_target: str = ""
    """Host that domains of sites point to by CNAME; empty: the host of `sites_url`."""

    domain_addresses: tuple[str, ...] = ()
    """Addresses that an apex domain may point to instead."""

    github_url: str = "https://github.com"
    """Where people install the GitHub App."""

    github_api_url: str = "https://api.github.com"
    """The REST API of GitHub."""

    github_app_id: str = ""
    """The id of the GitHub App; empty: sites cannot follow repositories."""

    github_app_slug: str = ""
    """Its name in URLs."""

    github_app_key: str = field(default="", repr=False)
    """Its private key (PEM), or the path of a file with it."""

    github_webhook_secret: str = field(default="", repr=False)
    """The secret that GitHub signs its webhooks with."""

    def site_complaints(self) -> list[str]:
        """What is wrong with them, a sentence each."""
        found = []
        if self.sites_url and not self.sites_url.startswith(("http://", "https://")):
            found.append("sites_url must look like https://sites.example")
        if self.sites_wildcard_url and not _WILDCARD.fullmatch(self.sites_wildcard_url):
            found.append("sites_wildcard_url must look like https://*.sites.example")
        return found
