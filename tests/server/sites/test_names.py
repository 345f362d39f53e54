"""What sites, people and files may be called."""

import pytest

from server.sites.names import content_type, is_domain, is_path, is_username, lookup_name, site_name


@pytest.mark.parametrize(
    ("text", "name"),
    [("My Notes", "my-notes"), ("a_b-1", "a_b-1"), ("ÄÖ x", "---x"), ("a.b", "a-b")],
)
def test_a_name_is_made_to_fit_and_found_again(text: str, name: str) -> None:
    """The same way."""
    assert (site_name(text), lookup_name(text)) == (name, name)


@pytest.mark.parametrize("text", ["", "---", "x" * 101, "WWW", "_domain", "claim"])
def test_some_names_are_no_sites(text: str) -> None:
    """They say nothing, or something else."""
    assert site_name(text) is None


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("a/b c/d.md", True),
        ("ü.md", True),
        ("", False),
        ("/a", False),
        ("a//b", False),
        ("a/../b", False),
        ("./a", False),
        ("a\\b", False),
        ("a\nb", False),
        ("a/", False),
        ("plait:files", False),
        ("x" * 256, False),
        ("/".join(["x" * 99] * 6), False),
    ],
)
def test_paths_are_relative_and_bounded(path: str, fits: bool) -> None:
    """Whatever a client sends."""
    assert is_path(path) is fits


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("docs.example.com", True),
        ("a-b.co", True),
        ("localhost", False),
        ("-a.com", False),
        ("a..com", False),
        ("1.2.3.4", False),
        (f"{'x' * 64}.com", False),
    ],
)
def test_domains_have_labels_and_a_top(text: str, fits: bool) -> None:
    """An address is none."""
    assert is_domain(text) is fits


def test_types_follow_from_names() -> None:
    """What is unknown is bytes."""
    assert [content_type(path) for path in ("A.MD", "b.svg", "c", "d.xyz")] == [
        "text/markdown",
        "image/svg+xml",
        "application/octet-stream",
        "application/octet-stream",
    ]


@pytest.mark.parametrize(("text", "fits"), [("ada", True), ("a-1-b", True), ("ad", False)])
def test_usernames_have_three_letters(text: str, fits: bool) -> None:
    """At least."""
    assert is_username(text) is fits
