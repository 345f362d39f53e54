"""The bounds of everything a peer can make grow, as one value.

`server/settings.py` fills it from the settings of the same names; the defaults here are the
defaults there. Sizes are bytes before any compression.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What one peer may send and what one document may hold. Every field must be positive."""

    frame_bytes_max: int = 16 * MIB
    """Bytes of one WebSocket message, its address included."""

    update_bytes_max: int = 16 * MIB
    """Bytes of one update (a step 2 frame, an update frame, one pushed update)."""

    document_bytes_max: int = 16 * MIB
    """Bytes of one document, encoded as one update."""

    state_vector_bytes_max: int = 1 * MIB
    """Bytes of one state vector; a client takes up to 13 of them."""

    update_structs_max: int = 4_000_000
    """Structs, and likewise delete ranges, that one update may declare."""

    update_clients_max: int = 200_000
    """Clients that one update, one delete set or one state vector may declare."""

    nesting_max: int = 512
    """Levels of arrays and objects inside one plain value; 13,000 would overflow the stack."""

    pending_bytes_max: int = 1 * MIB
    """Bytes of updates that one document keeps while their predecessors are missing."""

    pending_updates_max: int = 1_000
    """Updates that one document keeps while their predecessors are missing."""

    waiting_bytes_max: int = 64 * MIB
    """Bytes that wait for one document while it is loaded; who sends more is closed with 1013."""

    awareness_state_bytes_max: int = 16 * KIB
    """Bytes of the JSON text of one awareness state."""

    awareness_clients_per_session_max: int = 32
    """Client ids whose awareness one session may own at a time."""

    awareness_clients_max: int = 20_000
    """Client ids with an awareness state in one room."""

    awareness_entries_per_frame_max: int = 20_000
    """Entries in one awareness frame; y-websocket clients send back every state they receive."""

    name_bytes_max: int = 512
    """Bytes of a document's name, in UTF-8."""

    address_bytes_max: int = 1 * KIB
    """Bytes of the address of a Hocuspocus frame: a name, a NUL and a session id."""

    token_bytes_max: int = 8 * KIB
    """Bytes of the token of a Hocuspocus authentication frame."""

    stateless_bytes_max: int = 64 * KIB
    """Bytes of one Hocuspocus stateless message."""

    reason_bytes_max: int = 1 * KIB
    """Bytes of a reason, a scope or a provider version inside a frame."""

    version_bytes_max: int = 64
    """Bytes of the body of a Y-Sweet version frame, which is echoed as it is."""

    diff_cache_max: int = 16
    """Encoded first syncs kept per room, one for each state vector that asked since a change."""

    merge_from: int = 8
    """Updates of one turn above which members get the turn's merged update instead of each."""

    recent_updates_max: int = 64
    """Accepted updates a room remembers, so that an exact repeat is not stored twice."""

    recent_update_bytes_max: int = 4 * KIB
    """Bytes up to which an update is remembered for that."""

    asks_max: int = 16
    """Step 1 messages to one session that may be unanswered at a time."""

    presence_tick_s: float = 0.03
    """Seconds for which presence is gathered in a room where many move their cursors."""

    presence_tick_from: int = 24
    """Sessions from which on a room gathers presence instead of sending it at once."""

    def __post_init__(self) -> None:
        """Refuse a bound that is zero or negative: it would refuse everything, or nothing."""
        for name in self.__dataclass_fields__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")


BOUNDS = Bounds()
"""The defaults, for callers that have no settings (tests, scripts, clients)."""
