"""Documents, rooms and the sync protocols. Pure: no socket, no clock, no database."""
