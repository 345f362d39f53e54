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

    assert document.look(read_all) == {"a.md": FILE}
    assert document.look(lambda doc: (find(doc, "a.md"), find(doc, "b.png"))) == (FILE, None)
    assert document.look(plaintext.version) != first


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
