"""Make or bring up to date the environment of this checkout: run by scripts/_environment.sh.

    python scripts/_environment.py ROOT VENV LOCK

Runs on the bare Python of the machine, so it uses the standard library alone. Starts that happen at
the same moment take turns; one that was interrupted leaves no mark and is done again.
"""

import compileall
import fcntl
import filecmp
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("crdt", "auth", "storage", "server")
PURE = "pyvips"
VERSION_MARK = ".plait-python"


def main(root: Path, venv: Path, lock: str) -> None:
    """Install `requirements/LOCK.lock` into `venv`, making it first if need be."""
    wanted = root / "requirements" / f"{lock}.lock"
    mark = venv / f".plait-{lock}.lock"
    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        turn = venv.with_name(venv.name + ".turn").open("w")
    except OSError as error:
        sys.exit(f"plait: cannot write to {venv.parent}: {error.strerror}; set PLAIT_VENV")
    with turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        python = venv / "bin" / "python"
        if works(python) and mark.exists() and filecmp.cmp(wanted, mark, shallow=False):
            return  # Somebody else did it while we waited for our turn.
        if not works(python):
            say(f"making the environment {venv} (once; it takes about a minute)")
            make(venv)
        say(f"installing what {wanted.relative_to(root)} names")
        install(venv, wanted)
        for package in PACKAGES:
            compileall.compile_dir(root / package, quiet=2)
        shutil.copyfile(wanted, mark)


def say(text: str) -> None:
    """Tell whoever waits."""
    print(f"plait: {text}", file=sys.stderr, flush=True)


def works(python: Path) -> bool:
    """Whether the environment is whole: its maker marks it last, its base may be gone since."""
    if not (python.exists() and (python.parents[1] / VERSION_MARK).exists()):
        return False
    return subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0


def make(venv: Path) -> None:
    """An empty environment, with pip where this Python can put one in."""
    shutil.rmtree(venv, ignore_errors=True)
    bundled = run([sys.executable, "-m", "venv", str(venv)])
    if bundled.returncode:
        # Debian's Python has no ensurepip; pip may still be there to be used from outside.
        shutil.rmtree(venv, ignore_errors=True)
        bare = run([sys.executable, "-m", "venv", "--without-pip", str(venv)])
        outside = run([sys.executable, "-m", "pip", "--version"])
        if bare.returncode or outside.returncode:
            sys.exit(
                f"plait: {sys.executable} cannot make an environment:\n{bundled.stdout}"
                "plait: install its venv and pip (Debian, Ubuntu: apt install python3-venv), "
                "or set PLAIT_PYTHON to another Python"
            )
    (venv / VERSION_MARK).write_text(sys.version)


def install(venv: Path, wanted: Path) -> None:
    """Install exactly the files whose hashes the lock names.

    Nothing is compiled. The packages of `PURE` have no wheels: they are Python alone, packed by the
    tools that `requirements/build.lock` brought before them, by hash too.
    """
    python = venv / "bin" / "python"
    pip = [str(python), "-m", "pip"]
    if run([*pip, "--version"]).returncode:
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
    options = ["--require-hashes", "--only-binary", ":all:", "--no-deps"]
    options += ["--no-binary", PURE, "--no-build-isolation"]
    options += ["--quiet", "--disable-pip-version-check", "--no-input"]
    done = run([*pip, "install", *options, "-r", str(wanted)])
    if done.returncode:
        sys.exit(f"{done.stdout}plait: the packages could not be installed; pip says why above")


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run quietly, with all that it says in `stdout`."""
    return subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
