"""Machine code is used only where it is of these very sources, and only of what may be compiled."""

import ast
import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from server.operating import compiled

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
SAYS = """
import sys
from pathlib import Path
from server.operating import compiled
used = compiled.use(wanted=sys.argv[2] == "wanted", folder=Path(sys.argv[1]))
import crdt.overlaps
print(used, compiled.engine(), crdt.overlaps.__file__.endswith(".py"))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Sources, and a build that was made of them."""
    for package in ("auth", "crdt", "server", "storage"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "room.py").write_text("x = 1\n")
    build = tmp_path / "build"
    build.mkdir()
    files = {"crdt.room": f"crdt/room{SUFFIX}"}
    manifest = {"digest": compiled.digest(tmp_path), "files": files}
    (build / compiled.MANIFEST).write_text(json.dumps(manifest))
    return tmp_path


def test_a_fresh_build_is_found_by_the_names_of_its_modules(tree: Path) -> None:
    """Each module with its file, wherever the build lies."""
    found = compiled.present(tree / "build", tree)

    assert found == {"crdt.room": str(tree / "build" / "crdt" / f"room{SUFFIX}")}


@pytest.mark.parametrize("package", ["auth", "crdt", "server", "storage"])
def test_a_build_of_other_sources_is_not_used(tree: Path, package: str) -> None:
    """One byte of any source is enough, of one that is not compiled too."""
    (tree / package / "room.py").write_text("x = 2\n")

    assert compiled.present(tree / "build", tree) is None


def test_a_source_more_or_less_makes_a_build_stale(tree: Path) -> None:
    """It may be imported by what is compiled."""
    (tree / "crdt" / "more.py").write_text("")
    more = compiled.present(tree / "build", tree)
    (tree / "crdt" / "more.py").unlink()
    (tree / "auth" / "room.py").unlink()

    assert (more, compiled.present(tree / "build", tree)) == (None, None)


def test_without_a_build_nothing_is_found(tree: Path) -> None:
    """Nor where what is there is no build."""
    (tree / "build" / compiled.MANIFEST).write_text("{")

    assert compiled.present(tree / "nowhere", tree) is None
    assert compiled.present(tree / "build", tree) is None


@pytest.mark.parametrize("wanted", ["wanted", "unwanted"])
def test_a_build_that_cannot_be_loaded_leaves_the_sources_in_use(
    tmp_path: Path, wanted: str
) -> None:
    """A file for another machine, say: the server starts all the same, as without one."""
    files = {"crdt.overlaps": f"overlaps{SUFFIX}", "shared__mypyc": f"shared__mypyc{SUFFIX}"}
    manifest = {"digest": compiled.digest(), "files": files}
    (tmp_path / compiled.MANIFEST).write_text(json.dumps(manifest))
    for name in files.values():
        (tmp_path / name).write_bytes(b"no machine code")

    said = subprocess.run(
        [sys.executable, "-P", "-c", SAYS, str(tmp_path), wanted],
        cwd=compiled.ROOT,
        env={"PYTHONPATH": str(compiled.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.stdout == "False interpreted True\n", said.stderr


def _tree(module: str) -> ast.Module:
    return ast.parse((compiled.ROOT / f"{module.replace('.', '/')}.py").read_text())


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def test_no_compiled_module_declares_structs() -> None:
    """Mypyc would drop what the class is told: frozen structs could be changed."""
    classes = [node for module in compiled.MODULES for node in _classes(_tree(module))]

    assert [node.name for node in classes if node.keywords] == []


def test_what_others_derive_from_says_so() -> None:
    """An interpreted class cannot derive from a compiled one that does not allow for it."""
    closed = {
        (module, node.name)
        for module in compiled.MODULES
        for node in _classes(_tree(module))
        if not node.decorator_list
    }
    names = (path.relative_to(compiled.ROOT).with_suffix("") for path in compiled.sources())
    wrong = []
    for name in {".".join(path.parts) for path in names} - set(compiled.MODULES):
        tree = _tree(name)
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        known = {
            each.name for one in imports for each in one.names if (one.module, each.name) in closed
        }
        bases = {e.id for node in _classes(tree) for e in node.bases if isinstance(e, ast.Name)}
        wrong += [f"{name}: {base}" for base in bases & known]

    assert wrong == []
