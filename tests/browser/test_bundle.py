"""What the pages run is what stands in the source: built anew, it is the same to the byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "server/pages"


def run(*command: str) -> str:
    """Run something in the folder of the pages; what it said."""
    done = subprocess.run(
        command, cwd=PAGES, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_built_files_come_from_the_source(tmp_path: Path) -> None:
    """Each of them, and no other. If not: `npm run build` in server/pages."""
    run("node", "build.mjs", str(tmp_path / "built"))
    fresh = {path.name: path.read_bytes() for path in (tmp_path / "built").iterdir()}
    kept = {path.name: path.read_bytes() for path in (PAGES / "built").iterdir()}

    assert sorted(fresh) == sorted(kept)
    assert [name for name, content in fresh.items() if kept[name] != content] == []


def test_the_types_of_the_scripts_hold() -> None:
    """The strict compiler has nothing to say."""
    assert run("node", "node_modules/typescript/bin/tsc", "--noEmit") == ""


@pytest.mark.parametrize(
    "sign", ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"]
)
def test_no_script_of_ours_makes_html_of_text(sign: str) -> None:
    """What would turn somebody's words into elements or programs is written nowhere."""
    sources = [path for path in (PAGES / "source").rglob("*.ts") if sign in path.read_text("utf-8")]

    assert sources == []
