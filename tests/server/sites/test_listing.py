"""The list of a site's files, as its document holds it."""

import pytest

from crdt import plaintext
from crdt.document import Document
from server.sites.listing import (
    ERROR,
    SUCCESS,
    UPLOADING,
    File,
    extension,
    find,
    is_markdown,
    read_all,
    write,
)

FILE = File(id="f", status=SUCCESS, created_at=1, hash="ab", size=2)


def test_what_is_written_is_read_and_every_change_is_told() -> None:
    """Deletions too."""
    document = Document()
    document.edit(lambda doc: write(doc, {"a.md": FILE, "b.png": FILE}))
    first = document.look(plaintext.version)
    document.edit(lambda doc: write(doc, {}, ["b.png"]))

    assert document.look(read_all).files == {"a.md": FILE}
    assert document.look(lambda doc: (find(doc, "a.md"), find(doc, "b.png"))) == (FILE, None)
    assert document.look(plaintext.version) != first


def test_what_is_told_of_all_files_follows_each_change() -> None:
    """Their bytes and those that are not done, without looking at the others again."""
    document = Document()
    late = File(id="l", status=UPLOADING, created_at=1, until=10, size=5)
    broken = File(id="b", status=ERROR, created_at=1, hash="cd", size=7)
    document.edit(lambda doc: write(doc, {"a.md": FILE, "b.md": broken, "c.md": late}))
    first = document.look(read_all)
    document.edit(lambda doc: write(doc, {"a.md": late}, ["b.md"]))
    second = document.look(read_all)

    assert (first.size, first.unsettled) == (14, {"b.md": broken, "c.md": late})
    assert (second.size, second.unsettled) == (10, {"a.md": late, "c.md": late})
    assert second.files == second.unsettled
    assert second.files["c.md"] is first.files["c.md"]


def test_only_uploads_that_never_came_are_looked_at_again() -> None:
    """Nothing else is counted anew, and what was told before stays."""
    document = Document()
    late = File(id="l", status=UPLOADING, created_at=1, until=10, size=5)
    again = File(id="g", status=UPLOADING, created_at=1, until=10, hash="cd", size=7)
    document.edit(lambda doc: write(doc, {"a.md": FILE, "b.md": late, "c.md": again}))
    known = document.look(read_all)
    now = known.as_of(11)

    assert known.as_of(10) is known
    assert (now.size, sorted(now.files), dict(now.unsettled)) == (9, ["a.md", "c.md"], {})
    assert now.files["c.md"].status == SUCCESS
    assert len(known.files) == 3


@pytest.mark.parametrize(
    ("file", "status"),
    [
        (File(id="f", status=UPLOADING, created_at=1, until=10), None),
        (File(id="f", status=UPLOADING, created_at=1, until=10, hash="ab"), SUCCESS),
        (File(id="f", status=UPLOADING, created_at=1, until=10, hash="ab", error="e"), ERROR),
        (File(id="f", status=UPLOADING, created_at=1, until=11), UPLOADING),
    ],
    ids=["never came", "older bytes", "older error", "still expected"],
)
def test_an_upload_that_never_came_leaves_things_as_they_were(
    file: File, status: str | None
) -> None:
    """Once its URL is worth nothing any more."""
    found = file.as_of(11)

    assert (found and found.status) == status


@pytest.mark.parametrize(
    ("path", "found"),
    [("a/b.MD", "md"), ("a.b/c", ""), (".gitignore", "gitignore"), ("x.tar.gz", "gz")],
)
def test_extensions_are_those_of_the_name(path: str, found: str) -> None:
    """Not of a folder."""
    assert extension(path) == found
    assert is_markdown(path) == (found == "md")
