"""Tells a compiler what it must know of a class; nobody else hears of it."""

from typing import TYPE_CHECKING

__all__ = ["mypyc_attr"]

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:

    def mypyc_attr(**_: object):  # noqa: ANN201 - its type is the other one's
        """`@mypyc_attr(allow_interpreted_subclasses=True)`: not all that derive are compiled."""
        return lambda cls: cls
