"""Load, replay and measuring for any Yjs server: what scripts/load, scripts/replay and bench use.

Nothing here imports the server's packages: the codec is written a second time on purpose, so that
a mistake in one is seen by the other.
"""
