"""The list of adapters."""

from server.adapters import ADAPTERS


def test_every_route_stands_once() -> None:
    """No method and path is declared twice, by one adapter or by two."""
    declared = [(route.method, route.path) for a in ADAPTERS for route in a.routes]

    assert len(declared) == len(set(declared))


def test_adapters_have_names_of_their_own() -> None:
    """Each is found by its name."""
    names = [adapter.name for adapter in ADAPTERS]

    assert len(names) == len(set(names))
