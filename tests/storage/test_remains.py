"""After a kill: strangers' process ids, shells in the folder, and frozen orphans."""

import shutil
import subprocess
from pathlib import Path

from storage.cluster import (
    SOCKET_NAME,
    Binaries,
    Owner,
    choose_owner,
    find_binaries,
    make_cluster,
    open_folder,
    socket_folder,
)
from storage.remains import clear_remains, processes_of


def test_a_process_id_that_is_somebody_elses_by_now_does_not_stop_the_start(
    tmp_path: Path,
) -> None:
    """As after the restart of a container: PostgreSQL alone refuses, after clearing it starts."""
    owner = choose_owner(tmp_path / "none")
    cluster, binaries = tmp_path / "postgres", find_binaries(owner)
    make_cluster(cluster, binaries, owner, fsync=False)
    stranger = subprocess.Popen(["sleep", "60"], **owner.spawn_arguments())
    sockets = socket_folder(tmp_path, owner)
    (cluster / "postmaster.pid").write_text(f"{stranger.pid}\n{cluster}\n1\n5432\n\n\n\n")
    (sockets / f"{SOCKET_NAME}.lock").write_text(f"{stranger.pid}\n{cluster}\n1\n5432\n")

    alone = _try(cluster, binaries, owner, sockets)
    clear_remains(cluster, sockets)
    cleared = _try(cluster, binaries, owner, sockets)
    stranger.kill()
    stranger.wait()

    assert 'lock file "postmaster.pid" already exists' in alone
    assert "ready to accept connections" in cleared
    shutil.rmtree(sockets)


def _try(cluster: Path, binaries: Binaries, owner: Owner, sockets: Path) -> str:
    """What PostgreSQL says until it is ready or has given up."""
    said = ""
    with open_folder(cluster, owner) as (handle, path):
        command = [binaries.folder / "postgres", "-D", path, "-c", "listen_addresses="]
        process = subprocess.Popen(
            [*command, "-c", f"unix_socket_directories={sockets}"],
            cwd="/",
            env={},
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[handle],
            **owner.spawn_arguments(),
        )
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if "ready to accept connections" in line:
            process.terminate()
    process.stderr.close()
    process.wait()
    return said


def test_whoever_else_looks_into_the_folder_is_left_alone(tmp_path: Path) -> None:
    """A person's shell in the cluster's folder neither hinders a start nor is ended by it."""
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as shell:
        assert processes_of(tmp_path) == []
        clear_remains(tmp_path, tmp_path, wait_s=0.05)

        assert shell.poll() is None
        shell.kill()
