"""HTTP and WebSocket. The only package that waits for a network."""

__version__ = "0.1.0"
"""What /api/ and the package say; the only place to change it."""
