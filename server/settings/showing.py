"""Settings of how published sites are shown; see `server.settings.topics` for the form."""

from dataclasses import dataclass

from crdt.bounds import MIB


@dataclass(frozen=True, kw_only=True)
class Showing:
    """Pages of published sites."""

    sites_note_bytes_max: int = 2 * MIB
    """Letters of a note that is rendered; a longer one is shown as its source."""

    sites_render_s: float = 10.0
    """Seconds of processor time that a note may take; then it is shown as its source."""

    sites_render_processes: int = 2
    """Helper processes that render; one site uses one of them at a time."""

    sites_render_memory_bytes: int = 1024 * MIB
    """Memory that one of them may use."""

    sites_renders_waiting_max: int = 200
    """Pages that wait to be rendered at a time; more are answered with 503."""

    sites_cache_bytes: int = 64 * MIB
    """Bytes of rendered notes and pages that are kept in memory, half of it for each."""

    sites_files_in_memory_max: int = 100_000
    """Files of sites whose names, titles and words are kept in memory."""

    sites_searches_per_minute: int = 120
    """Searches in published sites that one address may make in a minute."""
