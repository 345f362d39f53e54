# Read by the other scripts (`. scripts/_environment.sh`): finds Python, keeps the environment at
# its lock. Sets $root, $venv and $python. Everything is said on stderr: stdout belongs to the caller.
#
# PLAIT_PYTHON  the Python to make the environment with, instead of the newest one found
# PLAIT_VENV    where the environment is, instead of .venv in the project

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)
venv=${PLAIT_VENV:-$root/.venv}
python=$venv/bin/python

fail() {
    echo "plait: $*" >&2
    exit 1
}

# The first Python that is new enough; shims of version managers may stand for nothing, so each is run.
find_python() {
    for candidate in ${PLAIT_PYTHON:-python3.13 python3.12 python3.11 python3 python3.14}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer found${PLAIT_PYTHON:+ under $PLAIT_PYTHON}; set PLAIT_PYTHON to one"
}

# prepare NAME...: install requirements/NAME.lock unless exactly that is installed already. A copy of
# the lock, written last, is the mark; comparing it costs a millisecond at every later start. What
# the one package without wheels is built with comes first.
prepare() {
    for lock in build "$@"; do
        if ! { [ -x "$python" ] && cmp -s "$root/requirements/$lock.lock" "$venv/.plait-$lock.lock"; }; then
            base=$(find_python) || exit 1
            "$base" "$root/scripts/_environment.py" "$root" "$venv" "$lock" >&2 || exit 1
        fi
    done
}

# pycrdt walks nested values and types by native recursion, up to 260 bytes of stack a level: 1 GiB
# outlasts the worst that fits into a document of 16 MiB (2.6 million levels, 680 MB), where the
# usual 8 MB let 26 kB kill the process.
raise_stack() {
    # shellcheck disable=SC3045  # dash, bash, busybox and zsh all have ulimit -s
    ulimit -S -s 1048576 2>/dev/null || ulimit -S -s "$(ulimit -H -s)" 2>/dev/null || :
}
