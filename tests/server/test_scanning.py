"""What a walk sees, reads and leaves out, and which folders it may see at all."""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from auth.errors import Forbidden
from server.errors import BadBody, NotFound
from server.scanning import ignoring, reading, rooted
from server.scanning.walking import BATCH, DEPTH_MAX, Walk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder beside which there is another one."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    folder = tmp_path / "root"
    folder.mkdir()
    return folder.resolve()


def paths(walk: Walk) -> list[str]:
    """What a walk sees, in its order."""
    return [seen.path for batch in walk.batches() for seen in batch]


def test_a_walk_comes_in_batches_and_in_order(root: Path) -> None:
    """However many files there are, so many at a time."""
    for number in range(BATCH + 7):
        (root / f"{number:04}").write_bytes(b"x")
    walk = Walk(str(root), str(root))
    sizes = [len(batch) for batch in walk.batches()]

    assert sizes == [BATCH, 7]
    assert paths(Walk(str(root), str(root))) == sorted(str(path) for path in root.iterdir())


def test_a_folder_that_becomes_a_link_is_not_entered(root: Path) -> None:
    """Between the listing and the opening somebody puts a link to elsewhere in its place."""
    (root / "a").write_text("x")
    (root / "folder").mkdir()
    (root / "folder" / "b").write_text("x")
    walk = Walk(str(root), str(root))
    seen = walk._walk(rooted.open_folder(str(root), str(root)), str(root), (), [])
    first = next(seen)
    (root / "folder" / "b").unlink()
    (root / "folder").rmdir()
    (root / "folder").symlink_to(root.parent / "outside")

    assert [first.path, *(one.path for one in seen)] == [str(root / "a")]
    assert walk.unread == [str(root / "folder")]


def test_a_file_that_becomes_a_link_is_not_read(root: Path) -> None:
    """Nor one below a folder that became a link."""
    (root / "a").symlink_to(root.parent / "outside" / "secret")
    (root / "folder").symlink_to(root.parent / "outside")
    for name in ("a", "folder/secret", "missing", "../outside/secret"):
        with pytest.raises(reading.Unreadable):
            reading.read(str(root), str(root / name), 1 << 20, lambda: False)
        assert not reading.is_there(str(root), str(root / name))


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    """A reader would hang on it for ever."""
    os.mkfifo(root / "pipe")

    with pytest.raises(reading.Unreadable):
        reading.read(str(root), str(root / "pipe"), 1 << 20, lambda: False)


def test_a_file_is_read_and_hashed(root: Path) -> None:
    """Its bytes whole where they are few."""
    data = os.urandom(3_000_000)
    (root / "large").write_bytes(data)
    (root / "small").write_bytes(b"words")
    large = reading.read(str(root), str(root / "large"), 1 << 30, lambda: False)
    small = reading.read(str(root), str(root / "small"), 1 << 30, lambda: False)

    assert (large.digest, large.size, large.whole) == (sha256(data).digest(), len(data), None)
    assert (small.head, small.whole) == (b"words", b"words")
    with pytest.raises(reading.Unreadable):
        reading.read(str(root), str(root / "large"), 1000, lambda: False)
    with pytest.raises(reading.Unreadable):
        reading.read(str(root), str(root / "large"), 1 << 30, lambda: True)


def test_a_file_that_grows_is_left_for_later(root: Path) -> None:
    """Its hash would be that of no file that ever was."""
    path = root / "log"
    path.write_bytes(b"x" * (2 << 20))
    grown = threading.Event()

    def grow() -> bool:
        if not grown.is_set():
            grown.set()
            with path.open("ab") as file:
                file.write(b"more")
        return False

    with pytest.raises(reading.Unreadable):
        reading.read(str(root), str(path), 1 << 30, grow)


def test_the_depth_of_a_walk_is_bounded(root: Path) -> None:
    """What lies deeper is not known, rather than gone."""
    deep = root
    for _ in range(DEPTH_MAX + 3):
        deep /= "d"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    walk = Walk(str(root), str(root))

    assert paths(walk) == []
    assert len(walk.unread) == 1


@pytest.mark.parametrize("path", ["relative", "/", "/etc/passwd", "/nowhere", "a\0b", "/\udcff"])
def test_what_is_no_root(path: str) -> None:
    """Relative paths, the whole machine, files, what is not there."""
    with pytest.raises(BadBody):
        rooted.check_root(path)


def test_a_root_is_kept_without_links(root: Path) -> None:
    """So that replacing a link on the way to it moves nothing."""
    (root.parent / "link").symlink_to(root)

    assert rooted.check_root(f"{root.parent}/link/") == str(root)


def test_a_link_inside_to_inside_is_the_folder_that_it_names(root: Path) -> None:
    """Outside it is forbidden, also for a link in the middle and for what is not there."""
    (root / "a" / "b").mkdir(parents=True)
    (root / "in").symlink_to(root / "a")
    (root / "out").symlink_to("../outside")

    assert rooted.resolve(str(root), "in/b") == str(root / "a" / "b")
    for path in ("out", "out/x", "out/../../outside", str(root) + "x", "in/../../outside"):
        with pytest.raises(Forbidden):
            rooted.resolve(str(root), path)
    with pytest.raises(NotFound):
        rooted.resolve(str(root), "a/missing")


RULES = "# comment\n*.tmp\n!keep.tmp\n/top\nbuild/\ndoc/**/*.pdf\n[ab].txt\n\\!bang\n"


@pytest.mark.parametrize(
    ("path", "is_folder", "ignored"),
    [
        ("x.tmp", False, True),
        ("deep/x.tmp", False, True),
        ("keep.tmp", False, False),
        ("top", False, True),
        ("deep/top", False, False),
        ("build", True, True),
        ("build", False, False),
        ("doc/a/b/c.pdf", False, True),
        ("a.txt", False, True),
        ("c.txt", False, False),
        ("!bang", False, True),
        ("# comment", False, False),
    ],
)
def test_patterns_are_those_of_git(path: str, is_folder: bool, ignored: bool) -> None:
    """Negation, anchors, folders, stars, classes, escapes, comments."""
    rules = ignoring.parse(RULES)
    assert rules is not None

    assert ignoring.is_ignored([rules], tuple(path.split("/")), is_folder=is_folder) is ignored


def test_patterns_that_would_take_for_ever_are_left_out() -> None:
    """Ten thousand lines, lines without end, stars without end."""
    assert ignoring.parse("a" * 500 + "\n" + "*a" * 50 + "\n") is None
    rules = ignoring.parse("x\n" * 10_000)
    assert rules is not None
    assert len(rules.spec.patterns) == 1000
