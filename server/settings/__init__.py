"""The one settings object: made once at start, checked, never changed.

Nothing else reads the environment. The settings themselves stand in `topics`, and in `crdt.bounds`
what peers may send; `options` reads them from the command line and the environment.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal
from urllib.parse import urlsplit

from crdt.bounds import Bounds
from server.settings.apis import Apis, Ascently, Difflog, Pinakes
from server.settings.files import Files
from server.settings.media import Media, Scanning
from server.settings.nodes import Nodes
from server.settings.operating import Breaking, Guarding
from server.settings.people import Identity
from server.settings.showing import Showing
from server.settings.sites import Sites
from server.settings.topics import (
    Address,
    Connections,
    Database,
    Operation,
    Rooms,
    Sync,
)

__all__ = ["Mode", "Settings", "SettingsError"]

Mode = Literal["open", "approval", "closed"]


class SettingsError(ValueError):
    """Settings that cannot be: one sentence for the operator."""


@dataclass(frozen=True, kw_only=True)
class Settings(
    Address,
    Operation,
    Database,
    Nodes,
    Identity,
    Connections,
    Guarding,
    Rooms,
    Breaking,
    Sync,
    Files,
    Media,
    Scanning,
    Apis,
    Difflog,
    Ascently,
    Sites,
    Showing,
    Pinakes,
    Bounds,
):
    """All settings of one server."""

    def __post_init__(self) -> None:
        """Check how the settings relate. Raises SettingsError with the first complaint."""
        for complaint in self._complaints():
            raise SettingsError(complaint)

    @classmethod
    def load(cls, argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
        """Settings from the command line, then `PLAIT_…`, then the defaults.

        `--help` prints all of them and exits 0; a bad one is named in one line and exits 2.
        """
        from server.settings.options import parse  # noqa: PLC0415  only a program's start needs it

        return parse(cls, argv, environ)

    def bounds(self) -> Bounds:
        """The bounds of what peers send, for `crdt`."""
        return Bounds(**{each.name: getattr(self, each.name) for each in fields(Bounds)})

    def is_loopback(self) -> bool:
        """Whether the server can be reached from this machine only, as far as settings tell."""
        host = urlsplit(self.public_url).hostname if self.public_url else self.host
        return _is_loopback(self.host) and _is_loopback(host or "")

    def registration_mode(self) -> Mode:
        """Who may make an account, the empty setting resolved."""
        return self.registration or ("open" if self.is_loopback() else "approval")

    def commit_apart_s(self) -> float:
        """Seconds between commits while many write: readers at other nodes wait for each."""
        return self.commit_apart_ms / (2000 if self.bus else 1000)

    def _complaints(self) -> list[str]:
        found = self.site_complaints() + [
            f"{each.name} must be more than 0"
            for each in fields(self)
            if each.name not in _MAY_BE_ZERO
            and isinstance(value := getattr(self, each.name), int | float)
            and not isinstance(value, bool)
            and value <= 0
        ]
        found += [
            f"{name} must be between 0 and 65535"
            for name in ("port", "metrics_port")
            if not 0 <= (getattr(self, name) or 0) <= 65_535
        ]
        found += [
            f"{less} must not be more than {more}"
            for less, more in _ORDER
            if getattr(self, less) > getattr(self, more)
        ]
        found += [
            f"{name} must not be negative"
            for name in ("shutdown_grace_s", "shutdown_delay_s", "commit_apart_ms")
            if getattr(self, name) < 0
        ]
        found += self._bad_urls()
        found += [
            f"adapters_off: there is no adapter {name!r}"
            for name in self.adapters_off
            if name not in _APIS
        ]
        if not all("=" in text for text in self.blobs_options):
            found.append("blobs_options must look like aws_region=eu-1,aws_endpoint=https://…")
        return found + [
            f"trusted_proxies: {text!r} is neither an address nor a network"
            for text in self.trusted_proxies
            if not _is_network(text)
        ]

    def _bad_urls(self) -> list[str]:
        found = self.bus_complaints()
        parts = urlsplit(self.public_url)
        if self.public_url and (
            parts.scheme not in {"http", "https"} or not parts.netloc or parts.query
        ):
            found.append("public_url must look like https://plait.example")
        if self.database_url and not self.database_url.startswith(("postgres://", "postgresql://")):
            found.append("database_url must look like postgresql://user@host/database")
        if self.blobs_url and "://" not in self.blobs_url:
            found.append("blobs_url must look like s3://bucket/prefix")
        if self.tracing_url and not self.tracing_url.startswith(("http://", "https://")):
            found.append("tracing_url must look like http://collector:4318")
        return found


_APIS = frozenset({"heaps", "difflog", "ascently", "pinakes", "flowershow", "media"})
"""Names of adapters, as `server.adapters` has them."""

_MAY_BE_ZERO = frozenset(
    ("port", "metrics_port", "shutdown_grace_s", "shutdown_delay_s", "commit_apart_ms")
)

_ORDER = (
    ("update_bytes_max", "frame_bytes_max"),
    ("update_bytes_max", "document_bytes_max"),
    ("unsaved_bytes_room_soft", "unsaved_bytes_room_max"),
    ("unsaved_bytes_process_soft", "unsaved_bytes_process_max"),
    ("unsaved_bytes_room_max", "unsaved_bytes_process_max"),
    ("update_bytes_max", "unsaved_bytes_room_max"),
    ("document_token_s", "document_token_s_max"),
    ("history_full_s", "history_hourly_s"),
    ("sweep_s", "keepalive_s"),
    ("keepalive_s", "idle_s"),
    ("node_beat_s", "node_silence_s"),
    ("file_bytes_max", "account_bytes_max"),
    ("upload_chunk_bytes", "upload_chunk_bytes_max"),
    ("upload_chunk_bytes_max", "file_bytes_max"),
)
"""Pairs of settings of which the first may not be more than the second."""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
