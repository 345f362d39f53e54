"""The bounds: each is explained, and none may be empty."""

import ast
import inspect
from dataclasses import fields
from itertools import pairwise

import pytest

from crdt import bounds
from crdt.bounds import BOUNDS, Bounds


def test_every_bound_has_its_sentence() -> None:
    """What it bounds and in which unit; the settings print these."""
    tree = ast.parse(inspect.getsource(bounds))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    explained = {
        node.target.id
        for node, following in pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(following, ast.Expr)
    }

    assert explained == {field.name for field in fields(Bounds)}


@pytest.mark.parametrize("name", [field.name for field in fields(Bounds)])
@pytest.mark.parametrize("value", [0, -1])
def test_a_bound_is_positive(name: str, value: int) -> None:
    """Zero would refuse everything."""
    with pytest.raises(ValueError, match=name):
        Bounds(**{name: value})


def test_bounds_are_frozen() -> None:
    """The defaults are shared by all who have no settings."""
    with pytest.raises(AttributeError):
        BOUNDS.frame_bytes_max = 1  # type: ignore[misc]
