"""The rules of the house that a machine can check: sizes, names, pairs of files, promises in pages.

Each test lists every offender at once, so that one run is enough to mend all of them.
"""

import ast
import importlib
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from server.errors import TABLE
from server.settings import Settings
from server.settings.options import sentences
from tests import roll_call

HOME = Path(__file__).parents[1]
PACKAGES = ("crdt", "auth", "storage", "server")

LINES_MAX = 300
TEST_LINES_MAX = 500
FUNCTION_LINES_MAX = 40
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "manager", "base"}

LONG_MODULES: dict[str, str] = {}
"""Modules over the bound, each with the reason why splitting it would be worse."""

ENDS_THE_START = {
    "Aborted": "ends a job in the background",
    "JobFailed": "ends a job in the background",
    "Unanswered": "is shown as what is known of a domain",
    "Unreadable": "leaves a file out of a scan",
    "BadFrontMatter": "is shown in the page, and in the status of its file",
    "BackupError": "ends a command of the operator",
    "BadKeyFile": "a key file that cannot be used ends the start",
    "EmbeddedError": "PostgreSQL that cannot be started ends the start",
    "MigrationError": "a database that does not fit ends the start",
    "SettingsError": "settings that cannot be end the start",
    "StartError": "is what ends the start",
}
"""Errors that no request can meet."""

TESTED_ELSEWHERE = {
    "crdt/extending.py": "tests/server/operating/test_compiled.py",
    "crdt/session.py": "tests/crdt/test_effects.py",
    "server/realtime/register.py": "tests/server/realtime/test_connection.py",
    "storage/flights.py": "tests/storage/test_append.py",
    "crdt/lines.py": "tests/crdt/test_rewriting.py",
    "crdt/pairing.py": "tests/crdt/test_rewriting.py",
    "crdt/units.py": "tests/crdt/test_rewriting.py",
    "server/realtime/codes.py": "tests/server/realtime/test_connection.py",
    "server/__main__.py": "tests/stories/test_serve.py",
    "server/admin/__main__.py": "tests/stories/test_admin.py",
    "server/admin/ascently.py": "tests/stories/test_backups.py",
    "auth/succession.py": "tests/server/test_rotation.py",
    "server/admin/keys.py": "tests/server/test_rotation.py",
    "server/admin/leaving.py": "tests/stories/test_saving.py",
    "server/admin/opened.py": "tests/stories/test_admin.py",
    "server/admin/saving.py": "tests/stories/test_saving.py",
    "server/admin/verifying.py": "tests/stories/test_saving.py",
    "server/app.py": "tests/stories/test_serve.py",
    "server/operating/stack.py": "tests/stories/test_packaging.py",
    "server/bringing.py": "tests/server/test_batches.py",
    "server/caller.py": "tests/server/test_documents.py",
    "server/listening.py": "tests/server/test_notices.py",
    "server/realtime/asking.py": "tests/server/test_notices.py",
    "server/live.py": "tests/server/test_documents.py",
    "server/member.py": "tests/server/test_documents.py",
    "server/opening.py": "tests/server/test_documents.py",
    "storage/closures.py": "tests/server/test_inspecting.py",
    "storage/leaving/columns.py": "tests/server/test_leaving.py",
    "storage/leaving/export.py": "tests/server/test_leaving.py",
    "storage/leaving/removal.py": "tests/server/test_leaving.py",
    "storage/ordering.py": "tests/storage/test_backup.py",
    "storage/derived.py": "tests/server/media/test_gallery.py",
    "storage/inspection.py": "tests/server/test_inspecting.py",
    "storage/scans.py": "tests/server/adapters/heaps/routes/test_scans.py",
    "server/adapters/heaps/mapping_scans.py": "tests/server/adapters/heaps/routes/test_scans.py",
    "server/media/facts.py": "tests/server/media/test_gallery.py",
    "server/media/films.py": "tests/server/media/test_child.py",
    "server/media/heic.py": "tests/server/media/test_child.py",
    "server/media/papers.py": "tests/server/media/test_child.py",
    "server/media/pictures.py": "tests/server/media/test_child.py",
    "server/media/work.py": "tests/server/media/test_child.py",
    "server/adapters/heaps/picturing.py": "tests/server/adapters/heaps/routes/test_media.py",
    "server/realtime/hocuspocus_member.py": "tests/server/realtime/test_hocuspocus.py",
    "server/operating/warden.py": "tests/server/test_hostile.py",
    "server/realtime/crowding.py": "tests/server/test_hostile.py",
    "server/operating/ports.py": "tests/server/test_operating.py",
    "server/sites/domains.py": "tests/server/adapters/flowershow/routes/test_domain.py",
    "server/sites/resolving.py": "tests/server/adapters/flowershow/routes/test_domain.py",
    "server/sites/github/client.py": "tests/server/adapters/flowershow/routes/test_github.py",
    "server/sites/github/following.py": "tests/server/adapters/flowershow/routes/test_github.py",
    "server/adapters/flowershow/routes/webhook.py": (
        "tests/server/adapters/flowershow/routes/test_github.py"
    ),
    "server/sites/publishing.py": "tests/server/adapters/flowershow/routes/test_files.py",
    "server/sites/receiving.py": "tests/server/adapters/flowershow/routes/test_files.py",
    "server/sending.py": "tests/server/adapters/heaps/routes/test_files.py",
    "server/serving.py": "tests/server/adapters/heaps/routes/test_files.py",
    "server/sites/access.py": "tests/server/sites/test_serving.py",
    "server/sharing.py": "tests/server/test_metrics.py",
    "server/supervising/port.py": "tests/stories/test_workers.py",
    "server/supervising/supervisor.py": "tests/stories/test_workers.py",
    "server/supervising/worker.py": "tests/stories/test_workers.py",
}
"""Modules whose tests do not lie at the mirrored path."""


@cache
def _files() -> tuple[Path, ...]:
    """What belongs to the project: tracked, or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=HOME, capture_output=True, check=True).stdout
    paths = [HOME / name for name in names.decode().split("\0") if name]
    return tuple(path for path in paths if path.is_file())


def _name(path: Path) -> str:
    return path.relative_to(HOME).as_posix()


def _list(offenders: list[str]) -> str:
    return "\n".join(sorted(offenders))


def _sources(*folders: str) -> Iterator[Path]:
    for path in _files():
        if path.suffix == ".py" and path.relative_to(HOME).parts[0] in folders:
            yield path


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def test_modules_stay_on_a_few_screens() -> None:
    """No module over 300 lines, no test module over 500, save those named with a reason."""
    long = [
        f"{_name(path)}: {lines} lines"
        for path in _sources(*PACKAGES, "scripts", "tests")
        if (lines := len(path.read_text("utf-8").splitlines()))
        > (TEST_LINES_MAX if _name(path).startswith("tests/") else LINES_MAX)
        and _name(path) not in LONG_MODULES
    ]

    assert not long, _list(long)


def test_functions_fit_on_a_screen() -> None:
    """No function has more than 40 lines under its docstring."""
    long = [
        f"{_name(path)}: {node.name} has {lines} lines"
        for path in _sources(*PACKAGES, "scripts", "tests")
        for node in _nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := _body_lines(node)) > FUNCTION_LINES_MAX
    ]

    assert not long, _list(long)


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1


def test_names_say_what_a_module_is_for() -> None:
    """None of the names that fit everything: utils, helpers, common, misc, manager, base."""
    vague = [
        _name(path)
        for path in _files()
        if {part.strip("_").lower() for part in (path.stem, *path.relative_to(HOME).parts[:-1])}
        & FORBIDDEN_NAMES
    ]

    assert not vague, _list(vague)


def test_every_module_has_its_test_and_every_test_its_module() -> None:
    """`a/b.py` is tested by `tests/a/test_b.py`; a folder's modules may share the folder's test."""
    tests = {_name(path) for path in _sources("tests")}
    wanted = {_name(path): _tests_of(path) for path in _sources(*PACKAGES) if _does_something(path)}
    missing = [name for name, places in wanted.items() if not tests & set(places)]
    known = {place for path in _sources(*PACKAGES) for place in _tests_of(path)}
    orphans = [
        name
        for name in tests - known
        if name.split("/")[1] in PACKAGES and name.rsplit("/", 1)[1].startswith("test_")
    ]

    assert not missing, _list(missing)
    assert not orphans, _list(orphans)


def _does_something(path: Path) -> bool:
    """Values and names alone need no test; what uses them is tested."""
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in _nodes(path))


def _nodes(path: Path) -> Iterator[ast.AST]:
    yield from ast.walk(_tree(path))


def _tests_of(path: Path) -> list[str]:
    """Where a module's tests may be: beside its name, or in the file of its folder."""
    parts = path.relative_to(HOME).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    own = "/".join(("tests", *parts[:-1], f"test_{parts[-1]}.py"))
    folder = "/".join(("tests", *parts[:-2], f"test_{parts[-2]}.py")) if len(parts) > 2 else own
    return [TESTED_ELSEWHERE.get(_name(path), own), folder]


def test_no_statement_answers_rows_without_columns() -> None:
    """Asyncpg (0.32) writes behind the end of such a row when it frees it."""
    empty = re.compile(r"(?<!\()(?<!\(\n    )(?<!UNION ALL )SELECT FROM")
    found = [_name(path) for path in _sources("storage") if empty.search(path.read_text("utf-8"))]

    assert not found, _list(found)


def test_no_test_is_skipped() -> None:
    """A test that is there is run: a page that names it may rely on it."""
    marks = re.compile(r"pytest\.(mark\.)?(skip|xfail|importorskip)")
    skipped = [
        f"{_name(path)}: {line.strip()}"
        for path in _sources("tests")
        for line in path.read_text("utf-8").splitlines()
        if marks.search(line) and "re.compile" not in line
    ]

    assert not skipped, _list(skipped)


def test_every_setting_is_explained() -> None:
    """Each field has a sentence, which is what --help prints."""
    says = sentences(Settings)
    bare = [field.name for field in fields(Settings) if not says.get(field.name, "").endswith(".")]

    assert not bare, _list(bare)


def test_every_setting_has_an_effect() -> None:
    """A setting that nothing reads would be a promise without a keeper."""
    text = "\n".join(
        path.read_text("utf-8")
        for path in _sources(*PACKAGES)
        if _name(path) not in {"server/settings/topics.py", "crdt/bounds.py"}
    )
    dead = [field.name for field in fields(Settings) if not re.search(rf"\.{field.name}\b", text)]

    assert not dead, _list(dead)


def test_every_error_has_its_status() -> None:
    """Whatever a request can raise stands in the table of server/errors.py, itself or its kind."""
    unlisted = [
        f"{kind.__module__}.{kind.__name__}"
        for kind in _errors()
        if not any(parent in TABLE for parent in kind.__mro__)
        and kind.__name__ not in ENDS_THE_START
        and not kind.__name__.startswith("_")  # Caught where it is raised.
        and not kind.__subclasses__()
    ]

    assert not unlisted, _list(unlisted)


def _errors() -> Iterator[type[BaseException]]:
    for package in PACKAGES:
        root = importlib.import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if module.name.endswith("__main__"):
                continue
            for value in vars(importlib.import_module(module.name)).values():
                is_error = isinstance(value, type) and issubclass(value, BaseException)
                if is_error and value.__module__ == module.name:
                    yield value


_PLACES = re.compile(
    r"(?<![\w.-])/(?:work|root|farm|home/\w+)/"  # A folder of somebody's machine.
    # In pieces, so that this file does not name them either.
    r"|python"
    r"hosted\.|pypi"
    r"\.org/simple|registry"
    r"\.(?:npm|yarn)"
    r'|"resolved": *"http|--(?:extra-)?index-url|--find-links|^registry *='
)


@pytest.mark.parametrize(
    "line", ["see /" + "work/x", '"resolved": ' + '"https://x"', "--index-" + "url x"]
)
def test_the_pattern_of_places_finds_them(line: str) -> None:
    """The rule below would notice each kind."""
    assert _PLACES.search(line)


def test_no_file_names_a_machine_or_a_registry() -> None:
    """What is committed works anywhere: no folder of a machine, no address of a registry."""
    named = [
        f"{_name(path)}: {line.strip()[:100]}"
        for path in _files()
        if path != Path(__file__)
        for line in path.read_text("utf-8", errors="replace").splitlines()
        if _PLACES.search(line)
    ]

    assert not named, _list(named)


_FUNCTION = re.compile(r"tests/[\w/]+\.py::test_\w+")
_TEST_ID = re.compile(r"(tests/[\w/.-]+\.(?:py|mjs))(?:::(\w+))?")


def test_pages_name_tests_that_exist() -> None:
    """A threat or a complaint that a page calls covered names a test, and the test is there."""
    wrong = []
    for path in _files():
        if path.suffix != ".md":
            continue
        for line in path.read_text("utf-8").splitlines():
            ids = _TEST_ID.findall(line)
            if re.search(r"\|\s*covered\b", line, re.IGNORECASE) and not ids:
                wrong.append(f"{_name(path)}: covered by no test: {line.strip()[:80]}")
            wrong += [
                f"{_name(path)}: no {file}{'::' + name if name else ''}"
                for file, name in ids
                if not _has_test(HOME / file, name)
            ]

    assert not wrong, _list(wrong)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("tests/COMPLAINTS.md", [str(number) for number in range(1, 42)]),
        ("tests/FAULTS.md", [f"T{number}" for number in range(1, 22)]),
    ],
)
def test_each_complaint_and_each_fault_has_its_tests(page: str, names: list[str]) -> None:
    """No row is left out, and each names the function that covers it (whether it is there: above).

    That they ran and passed is seen to by `tests.roll_call` at the end of a whole run.
    """
    rows = [re.split(r" *\| *", line)[1:-1] for line in (HOME / page).read_text().splitlines()]
    found = {row[0]: row[2] for row in rows if len(row) == 3}
    bare = [name for name in names if not _FUNCTION.search(found.get(name, ""))]
    skipped = [
        file
        for row in found.values()
        for file, _ in _TEST_ID.findall(row)
        if re.search(r"pytest\.(mark\.)?skip|mark\.xfail", (HOME / file).read_text("utf-8"))
    ]

    assert not bare, f"{page}: without a test: {bare}"
    assert not skipped, _list(skipped)


def test_every_threat_names_its_test() -> None:
    """Each row of the threat table ends in a test by its name: a file alone proves nothing."""
    text = (HOME / "auth" / "README.md").read_text("utf-8")
    table = text.partition("## Threats\n")[2]
    rows = [
        line for line in table.splitlines() if line.startswith("| ") and " | test |" not in line
    ]
    bare = [row for row in rows if not re.search(r"tests/[\w/]+\.py::test_\w+ \|$", row)]

    assert len(rows) > 40
    assert not bare, _list(bare)


def _has_test(file: Path, name: str) -> bool:
    """Whether pytest would run it: a function at the top of a test file, defined once."""
    if not file.is_file():
        return False
    if file.suffix != ".py" or not name:
        return True
    found = [
        node
        for node in _tree(file).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    return len(found) == 1 and name.startswith("test_") and file.name.startswith("test_")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("test_modules_stay_on_a_few_screens", True),
        ("test_that_nobody_wrote", False),
        ("_has_test", False),
    ],
)
def test_only_what_runs_is_a_test(name: str, *, is_one: bool) -> None:
    """Neither a name that is not there, nor a function that pytest does not take for a test."""
    assert _has_test(Path(__file__), name) is is_one


def test_a_named_test_that_did_not_pass_is_absent() -> None:
    """A case of it is enough; a test of another file, or with a longer name, is not."""
    wanted = roll_call.named("| 1 | `tests/a.py::test_one`<br>`tests/a.py::test_two` |")
    passed = {"tests/a.py::test_one[x]", "tests/a.py::test_two_more", "tests/b.py::test_two"}

    assert roll_call.absent(wanted, passed) == ["tests/a.py::test_two"]


def test_the_readme_names_every_folder() -> None:
    """The plan in README.md has a line for each folder at the top."""
    text = (HOME / "README.md").read_text("utf-8")
    folders = {path.relative_to(HOME).parts[0] for path in _files() if path.parent != HOME}
    unnamed = [name for name in folders if not name.startswith(".") and f"{name}/" not in text]

    assert not unnamed, _list(unnamed)


@pytest.mark.parametrize(
    ("page", "lines_max"),
    [
        ("README.md", 120),
        ("ARCHITECTURE.md", 300),
        ("crdt/README.md", 100),
        ("auth/README.md", 150),
        ("storage/README.md", 150),
        ("server/README.md", 100),
        ("server/adapters/README.md", 100),
        ("tests/README.md", 60),
    ],
)
def test_pages_are_there_and_short(page: str, lines_max: int) -> None:
    """A page is read before changing what it describes, so it is short enough to be read."""
    lines = (HOME / page).read_text("utf-8").splitlines()

    assert 5 < len(lines) <= lines_max
