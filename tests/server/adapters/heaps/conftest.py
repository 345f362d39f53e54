"""One server for the tests of a module, and people on it for each test."""

from tests.server.realtime.conftest import ada, bob, inside, serve

__all__ = ["ada", "bob", "inside", "serve"]
