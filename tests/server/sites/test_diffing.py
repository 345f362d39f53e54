"""What a manifest asks for."""

import hashlib

from server.sites.diffing import Declared, Digests, contradicts, diff, names, of_text
from server.sites.listing import SUCCESS, UPLOADING, File


def declared(path: str, sha: str) -> Declared:
    """A file that a client has."""
    return Declared(path=path, size=1, sha=sha)


def test_all_hashes_of_a_text_are_known() -> None:
    """As git, the plugins and browsers compute them."""
    data = b"hello\n"
    assert of_text("hello\n") == {
        hashlib.sha256(data).hexdigest(),
        hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "ce013625030ba8dba906f756967f9e9ca394464a",
    }


def test_gits_hash_needs_the_size_before() -> None:
    """Without it there is none yet."""
    digests = Digests(None)
    digests.update(b"x")

    assert digests.git == ""
    assert digests.sha1


def test_what_is_there_new_other_and_gone() -> None:
    """A text that was typed in is unchanged for whoever has it as it is now."""
    file = File(id="f", status=SUCCESS, created_at=1, hash="aa", sha="said", sha1="bb", git="cc")
    empty = File(id="e", status=UPLOADING, created_at=1)
    files = {"a": file, "b": file, "c": file, "typed": file, "gone": file, "empty": empty}
    found = diff(
        files,
        [
            declared("a", "said"),
            declared("b", "CC"),
            declared("c", "other"),
            declared("typed", "aa"),
            declared("new", "aa"),
            declared("empty", "aa"),
        ],
        {"typed": {"dd"}},
    )

    assert found.unchanged == ["a", "b"]
    assert [one.path for one in found.update] == ["c", "typed"]
    assert [one.path for one in found.upload] == ["new", "empty"]
    assert found.deleted == ["gone"]
    assert diff(files, [declared("typed", "DD")], {"typed": {"dd"}}).unchanged == ["typed"]


def test_a_hash_contradicts_only_where_it_is_one() -> None:
    """Whatever else a client calls bytes is its own affair."""
    file = File(id="e", status=UPLOADING, created_at=1)

    assert contradicts("a" * 40, ["b" * 40])
    assert not contradicts("B" * 64, ["b" * 64])
    assert not contradicts("v1", ["b" * 40])
    assert not names(file, "")
