"""scripts/compile: extension modules of the hot path, made by mypyc into the environment.

What is compiled and when it is used stands in `server/operating/compiled.py`. A build replaces the
last one whole, when it is done; a server that runs keeps what it has.
"""

import argparse
import json
import os
import shlex
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from server.operating import compiled

CONFIG = "[mypy]\nignore_missing_imports = True\nfollow_imports = normal\n"
NO_COMPILER = 3
"""Exit code where this machine cannot compile; nothing is changed then."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="scripts/compile",
        description="Compile the hot path into the environment. scripts/serve uses what it finds "
        "there if it was made from these very sources; after an update of Plait run this again. "
        "Takes a minute.",
    )
    out.add_argument("--status", action="store_true", help="say whether there is a fresh build")
    out.add_argument("--remove", action="store_true", help="remove the build")
    out.add_argument(
        "--folder", type=Path, default=compiled.FOLDER, help="where it is put (the environment's)"
    )
    out.add_argument(
        "--module", action="append", help="only this one of them, and others named so (all)"
    )
    out.add_argument("--optimize", choices=("0", "2", "3"), default="3", help="as for gcc (3)")
    return out


def missing() -> str:
    """What this machine lacks to compile anything; empty where it lacks nothing."""
    command = shlex.split(os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc"))
    if shutil.which(command[0]) is None:
        return f"there is no C compiler ({command[0]}; Debian: apt install gcc)"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "the headers of Python are missing (Debian: apt install python3-dev)"
    return ""


def build(folder: Path, modules: Sequence[str], optimize: str) -> None:
    """Compile modules into `folder`, replacing what is there."""
    from mypyc.build import mypycify  # noqa: PLC0415 - takes a while, and --help does not need it
    from setuptools import Distribution  # noqa: PLC0415

    digest = compiled.digest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="plait-compile-", dir=folder.parent) as made:
        config = Path(made, "mypy.ini")
        config.write_text(CONFIG)
        options = ["--config-file", str(config), "--cache-dir", f"{made}/cache"]
        os.chdir(compiled.ROOT)
        files = [f"{module.replace('.', '/')}.py" for module in modules]
        extensions = mypycify(
            [*options, *files], opt_level=optimize, debug_level="0", target_dir=f"{made}/c"
        )
        distribution = Distribution({"name": "plait-compiled", "ext_modules": extensions})
        command = distribution.get_command_obj("build_ext")
        command.build_lib, command.build_temp = f"{made}/new", f"{made}/objects"
        command.ensure_finalized()
        command.run()
        manifest = {"digest": digest, "files": _named(Path(made, "new"))}
        Path(made, "new", compiled.MANIFEST).write_text(json.dumps(manifest, indent=1))
        if folder.exists():
            folder.rename(Path(made, "old"))
        Path(made, "new").rename(folder)


def _named(built: Path) -> dict[str, str]:
    """Each file of a build by the module that it is."""
    suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
    names = sorted(path.relative_to(built).as_posix() for path in built.rglob(f"*{suffix}"))
    return {name.removesuffix(suffix).replace("/", "."): name for name in names}


def main() -> int:
    """Do what the command line asks for."""
    options = parser().parse_args()
    folder = options.folder.resolve()
    if options.status:
        fresh = compiled.present(folder) is not None
        print("compiled" if fresh else "interpreted")
        return int(not fresh)
    if options.remove:
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    if lack := missing():
        print(f"scripts/compile: {lack}; Plait serves without", file=sys.stderr)
        return NO_COMPILER
    started = time.monotonic()
    build(folder, options.module or compiled.MODULES, options.optimize)
    print(f"compiled in {time.monotonic() - started:.0f} s: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
