"""One server for the tests of a module."""

from tests.server.realtime.conftest import ada, bob, inside, serve

__all__ = ["ada", "bob", "inside", "serve"]
