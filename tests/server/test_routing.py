"""Routes as they are written down; tests/server/test_openapi.py sees what is made of them."""

import pytest
from aiohttp import web

from server.adapter import ANYONE, Routes


async def hear(_request: web.Request) -> web.Response:
    """Hear.

    And say more.
    """
    return web.Response()


def test_a_handler_stands_under_all_its_paths() -> None:
    """With one declaration; the first line of its docstring is the summary."""
    routes = Routes("Ears")
    routes.get("/a", "/b", access=ANYONE, reply=None)(hear)

    assert [(one.method, one.path, one.section) for one in routes] == [
        ("GET", "/a", "Ears"),
        ("GET", "/b", "Ears"),
    ]
    assert {(one.summary, one.about) for one in routes} == {("Hear.", "And say more.")}


def test_each_method_has_its_word() -> None:
    """Five methods, five decorators."""
    routes = Routes()
    for declare in (routes.get, routes.post, routes.put, routes.patch, routes.delete):
        declare("/x", access=ANYONE)(hear)

    assert [one.method for one in routes] == ["GET", "POST", "PUT", "PATCH", "DELETE"]


def test_what_no_route_has_fails_where_it_is_written() -> None:
    """A misspelt declaration does not vanish."""
    with pytest.raises(TypeError, match="querry"):
        Routes().get("/x", access=ANYONE, querry=dict)(hear)
