"""Settings of what keeps a service in order; see `server.settings.topics` for the form."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Breaking:
    """Documents that cost too much are closed for a while, so that the others go on."""

    document_slow_turn_s: float = 0.1
    """Seconds that a document may keep the server busy at a time before they count."""

    document_slow_s_max: float = 10.0
    """Seconds of such stalls in a minute after which a document is closed for a while."""

    document_failures_max: int = 5
    """Failures of one document (it cannot be read, or a fault of ours) in a minute, likewise."""

    document_closed_s: float = 60.0
    """Seconds for which it is closed; twice as long each time it happens again, an hour at most."""

    closures_poll_s: float = 1.0
    """Seconds between two looks at what other nodes and administrators closed or opened."""
