"""Settings of files; see `server.settings.topics` for how a setting is written."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files of blocks: where their bytes lie, how they come in and how much of them."""

    blob_grace_s: float = 86_400.0
    """Seconds for which bytes that nothing uses any more are kept."""
