"""Times as the routes about people and their credentials spell them."""

from datetime import UTC, datetime
from typing import overload


@overload
def spelled(at: float) -> str: ...
@overload
def spelled(at: None) -> None: ...
def spelled(at: float | None) -> str | None:
    """Epoch seconds in ISO 8601, to the second."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
