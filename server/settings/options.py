"""Turns the command line and the environment into a settings object, and the object into --help.

Works on any dataclass whose fields have a default and a sentence under them: the field `port` is
`--port` on the command line and `PLAIT_PORT` in the environment. Sizes may be written `16MiB`.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import re
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

PREFIX = "PLAIT_"
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_T = TypeVar("_T")


class _Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and nothing else, and exit 2."""
        print(f"{self.prog}: {message}", file=sys.stderr)  # noqa: T201  there is no log yet
        sys.exit(2)


def parse(kind: type[_T], argv: Sequence[str], environ: Mapping[str, str]) -> _T:
    """Make a `kind` from `argv`, then `environ`, then its defaults; exits 2 on a bad value."""
    parser = _Parser(
        prog="plait",
        usage="scripts/serve [--SETTING VALUE]...",
        description="Serve documents to Yjs editors and REST clients.",
        epilog="Each setting can be given in the environment too; the command line wins.",
        formatter_class=argparse.RawTextHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("--help", "-h", action="store_true")
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    for name in known:
        parser.add_argument(_option(name), dest=name, metavar="VALUE")
    given = vars(parser.parse_args(list(argv)))
    if given.pop("help"):
        _show(explain(kind))
        sys.exit(0)
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name in known:
        source, text = _option(name), given[name]
        if text is None:
            source, text = _variable(name), environ.get(_variable(name))
        if text is not None:
            try:
                values[name] = convert(hints[name], text)
            except ValueError as error:
                parser.error(f"{source}: {error}")
    for name in environ:
        if name.startswith(PREFIX) and not _is_known(name, known):
            print(f"plait: {name}: there is no such setting (see --help)", file=sys.stderr)  # noqa: T201
    try:
        return kind(**values)
    except ValueError as error:
        parser.error(str(error))


def _show(text: str) -> None:
    """Print; whoever reads may stop half way (`--help | head`)."""
    try:
        print(text, flush=True)  # noqa: T201  this is what was asked for
    except BrokenPipeError:
        # Else Python complains again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _is_known(variable: str, known: Mapping[str, object]) -> bool:
    """Settings, and the few names that scripts read before Python runs."""
    name = variable.removeprefix(PREFIX)
    return name.lower() in known or name in {"PYTHON", "VENV"} or name.startswith("TEST_")


def convert(hint: Any, text: str) -> Any:  # noqa: ANN401  the type is the answer
    """The value that `text` stands for in a field of type `hint`; ValueError names the mistake."""
    origin = get_origin(hint)
    if origin is Literal:
        if text not in get_args(hint):
            words = ", ".join(word or "(empty)" for word in get_args(hint))
            raise ValueError(f"{text!r} is none of {words}")
        return text
    if origin in {Union, types.UnionType}:  # The only union is with None: empty means none.
        return convert(get_args(hint)[0], text) if text else None
    if origin is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return _CONVERTERS[hint](text)


def _whole(text: str) -> int:
    match = re.fullmatch(r"(-?\d[\d_]*) ?(KiB|MiB|GiB)?", text)
    if not match:
        raise ValueError(f"{text!r} is not a whole number")
    return int(match[1]) * _UNITS.get(match[2], 1)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -1e18 < value < 1e18:
        raise ValueError(f"{text!r} is not a number")
    return value


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false", "yes", "no", "on", "off", "1", "0"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in {"true", "yes", "on", "1"}


_CONVERTERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: _whole,
    float: _number,
    bool: _truth,
    Path: lambda text: Path(text).expanduser(),
}


def sentences(kind: type) -> dict[str, str]:
    """The sentence under each field, from the source of the class and of those it is made of."""
    found: dict[str, str] = {}
    for part in reversed(kind.__mro__[:-1]):
        (tree,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(part))).body
        assert isinstance(tree, ast.ClassDef)
        for line, below in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                text = below.value if isinstance(below, ast.Expr) else None
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    found[line.target.id] = " ".join(text.value.split())
    return found


def explain(kind: type) -> str:
    """The text of --help: each topic, each setting with its name in both places and its default."""
    text = [
        "usage: scripts/serve [--SETTING VALUE]...",
        "",
        "Serves documents to Yjs editors and REST clients. Every setting below can be given on the",
        "command line or, under the name in brackets, in the environment; the command line wins.",
        "Sizes may be written 64KiB, 16MiB or 1GiB. Names that end in _s are seconds.",
    ]
    says, seen = sentences(kind), set[str]()
    for part in kind.__mro__[1:-1]:
        heading = (part.__doc__ or "").strip().split(".")[0]
        text += ["", f"{heading}:"]
        for each in fields(part):
            if each.name not in seen:
                seen.add(each.name)
                text.append(f"  {_option(each.name)}  [{_variable(each.name)}]{_default(each)}")
                text.append(f"      {says.get(each.name, '')}")
    return "\n".join(text)


def _default(each: Field[Any]) -> str:
    value = each.default
    if value is MISSING or value in {None, ""} or value == ():
        return ""
    if isinstance(value, int) and "bytes" in each.name:
        for unit, size in reversed(_UNITS.items()):
            if value % size == 0 and value:
                return f"  default {value // size}{unit}"
    return f"  default {value:.10g}" if isinstance(value, float) else f"  default {value}"
