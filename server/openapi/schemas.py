"""JSON schemas of the structs that validate requests, with what their docstrings say.

msgspec makes the schemas and leaves out what stands under a field; that is read from the source.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

REF = "#/components/schemas/{name}"


class Schemas:
    """The schemas of many types, shared ones by name in `components`."""

    def __init__(self, types: Iterable[Any]) -> None:
        wanted = list(dict.fromkeys(part for each in types for part in _parts(each)))
        made, components = msgspec.json.schema_components(
            wanted, schema_hook=_anything, ref_template=REF
        )
        self._made: dict[Any, dict[str, Any]] = dict(zip(wanted, made, strict=True))
        self.components: dict[str, dict[str, Any]] = components
        structs = {struct for each in wanted for struct in _structs(each, set())}
        for struct in sorted(structs, key=lambda struct: struct.__qualname__):
            self._annotate(struct)
        self._shorten()

    def of(self, kind: Any) -> dict[str, Any]:  # noqa: ANN401 (a type, as msgspec understands them)
        """The schema of one of the types; those of structs are references."""
        parts = _parts(kind)
        if len(parts) == 1:
            return self._made[parts[0]]
        return {"anyOf": [self._made[part] for part in parts]}

    def struct(self, kind: Any) -> dict[str, Any]:  # noqa: ANN401
        """The whole schema of one struct."""
        name = self.of(kind)["$ref"].rsplit("/", 1)[1]
        return self.components[name]

    def _annotate(self, struct: type[msgspec.Struct]) -> None:
        name = struct.__name__
        if name not in self.components:
            name = f"{struct.__module__}.{struct.__qualname__}"
        said = sentences(struct)
        properties = self.components[name].get("properties", {})
        for one in msgspec.structs.fields(struct):
            if one.name in said and one.encode_name in properties:
                properties[one.encode_name].setdefault("description", said[one.name])

    def _shorten(self) -> None:
        """`package.adapters.NAME.schema.Thing`, which two adapters have, becomes `NAME.Thing`."""
        names = {name: _short(name) for name in self.components}
        if len(set(names.values())) < len(names):
            names = {name: name for name in names}
        changed = {
            REF.format(name=old): REF.format(name=new) for old, new in names.items() if old != new
        }
        self.components = {
            names[name]: _renamed(self.components[name], changed) for name in self.components
        }
        self._made = {kind: _renamed(schema, changed) for kind, schema in self._made.items()}


def _short(name: str) -> str:
    parts = name.split(".")
    if len(parts) == 1:
        return name
    place = parts[parts.index("adapters") + 1] if "adapters" in parts[:-2] else parts[-2]
    return f"{place}.{parts[-1]}"


def _renamed(value: Any, changed: dict[str, str]) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {
            key: changed.get(each, each) if key == "$ref" else _renamed(each, changed)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_renamed(each, changed) for each in value]
    return value


def _parts(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """The members of a union of structs, which msgspec takes one by one only; else the type."""
    if get_origin(kind) in (UnionType, Union):
        members = get_args(kind)
        if sum(_is_struct(member) for member in members) > 1:
            return members
    return (kind,)


def _is_struct(kind: Any) -> bool:  # noqa: ANN401
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _structs(kind: Any, seen: set[Any]) -> Iterator[type[msgspec.Struct]]:  # noqa: ANN401
    """A type's structs, those in their fields too."""
    if _is_struct(kind):
        if kind in seen:
            return
        seen.add(kind)
        yield kind
        for hint in get_type_hints(kind, include_extras=True).values():
            yield from _structs(hint, seen)
        return
    for part in get_args(kind):
        yield from _structs(part, seen)


def _anything(kind: type) -> dict[str, Any]:
    """Types that msgspec cannot describe: said to be anything."""
    return {"description": (kind.__doc__ or "").partition("\n")[0]}


@cache
def sentences(struct: type) -> dict[str, str]:
    """What stands as a string under each field of a struct, inherited ones included."""
    found: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if base is msgspec.Struct or not _is_struct(base):
            continue
        try:
            source = textwrap.dedent(inspect.getsource(base))
        except (OSError, TypeError):
            # Made at run time: there is no source to read.
            continue
        found.update(_sentences_in(ast.parse(source)))
    return found


def _sentences_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    declared = tree.body[0]
    assert isinstance(declared, ast.ClassDef)
    for field, under in zip(declared.body, declared.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(under, ast.Expr)
            and isinstance(under.value, ast.Constant)
            and isinstance(under.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(under.value.value)
