"""Routes written down beside their handlers: who may, what they take, what they give.

The same declaration puts the route into the router, behind its policy (`server.adapter`), and into
the OpenAPI document (`server.openapi`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from server.describe import UNSAID, Content, Reply
from server.errors import Handler

if TYPE_CHECKING:
    from server.adapter import Access


@dataclass(frozen=True, kw_only=True)
class Route:
    """One endpoint, and what the OpenAPI document says of it (see adapters/README.md)."""

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    """The first line of the handler's docstring."""
    about: str = ""
    """The rest of it."""
    section: str = ""
    """The heading under which the page of its API has it."""
    body: Content = UNSAID
    """None: it reads none."""
    query: type | None = None
    """A struct, one field for each parameter."""
    path_types: type | None = None
    """A struct for the path's parameters, where they are more than text."""
    headers: type | None = None
    """A struct for request headers that count, each with its name as `msgspec.field(name=...)`."""
    replies: Mapping[int, Content | Reply] = field(default_factory=dict)
    """None at 400 and above: an error in the adapter's shape."""
    errors: Mapping[int, str] = field(default_factory=dict)
    """Status → when; an empty sentence: the usual one. Common ones need not be named."""
    deprecated: bool = False


Decorator: TypeAlias = Callable[[Handler], Handler]


class Routes:
    """Collects an adapter's routes: `@ROUTES.post("/api/me", access=ACCOUNT, reply=Me)`."""

    def __init__(self, section: str = "") -> None:
        self._routes: list[Route] = []
        self._section = section

    def __iter__(self) -> Iterator[Route]:
        """The routes in the order in which they were written down."""
        return iter(self._routes)

    def add(
        self,
        method: str,
        *paths: str,
        access: Access,
        body: Content = UNSAID,
        reply: Content | Reply = UNSAID,
        replies: Mapping[int, Content | Reply] | None = None,
        errors: Iterable[int] | Mapping[int, str] = (),
        **described: Any,  # noqa: ANN401 (the other fields of Route)
    ) -> Decorator:
        """Declare a handler under one or more paths; its docstring is the description."""
        said = errors if isinstance(errors, Mapping) else dict.fromkeys(errors, "")

        def declare(handler: Handler) -> Handler:
            summary, _, about = inspect.cleandoc(handler.__doc__ or "").partition("\n")
            assert summary, f"{handler} needs a docstring: it is the route's summary"
            for path in paths:
                route = Route(
                    method=method,
                    path=path,
                    handler=handler,
                    access=access,
                    summary=summary,
                    about=about.strip(),
                    section=self._section,
                    body=body,
                    replies=replies or {200: reply},
                    errors=said,
                    **described,
                )
                self._routes.append(route)
            return handler

        return declare

    def get(self, *paths: str, access: Access, **described: Any) -> Decorator:  # noqa: ANN401
        """Declare a GET route; HEAD comes with it."""
        return self.add("GET", *paths, access=access, **described)

    def post(self, *paths: str, access: Access, **described: Any) -> Decorator:  # noqa: ANN401
        """Declare a POST route."""
        return self.add("POST", *paths, access=access, **described)

    def put(self, *paths: str, access: Access, **described: Any) -> Decorator:  # noqa: ANN401
        """Declare a PUT route."""
        return self.add("PUT", *paths, access=access, **described)

    def patch(self, *paths: str, access: Access, **described: Any) -> Decorator:  # noqa: ANN401
        """Declare a PATCH route."""
        return self.add("PATCH", *paths, access=access, **described)

    def delete(self, *paths: str, access: Access, **described: Any) -> Decorator:  # noqa: ANN401
        """Declare a DELETE route."""
        return self.add("DELETE", *paths, access=access, **described)
