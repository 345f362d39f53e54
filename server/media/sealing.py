"""Take files, network and other processes from a helper, and bound what is left to it.

Decoders are large and their input is anybody's. Before the first job a helper closes every door it
does not need, by means that hold for all its threads and cannot be undone: Landlock for files (only
fonts can still be read), a seccomp filter for sockets, programs and other processes, limits for
memory, time and written files. What it works on comes as an open file.
The folders of Python's own code stay readable as well: its packages load parts of themselves late.

Numbers are Linux's own (`linux/landlock.h`, `linux/seccomp.h`, `linux/audit.h`). Where the kernel
lacks one of the two the seal is not complete; then SVG, which may name other files, is refused.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
import sysconfig
from typing import Final

FONT_FOLDERS: Final = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "/etc/fonts",
    "/usr/share/fontconfig",
    "/var/cache/fontconfig",
)

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_FILTER: Final = 2

_LANDLOCK: Final = (444, 445, 446)
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS: Final = (13, 14, 15, 15, 16)
"""How many kinds of access each version of Landlock knows, from the first to the fifth."""
_PATH_BENEATH: Final = 1

_ARCHES: Final = {
    # The audit number, and the system calls that are refused by their numbers on it: socket,
    # connect, bind, socketpair, execve, execveat, ptrace, kill, tkill, tgkill, process_vm_readv,
    # process_vm_writev, io_uring_setup, pidfd_open, mount, unshare, setns, bpf.
    "x86_64": (
        0xC000003E,
        (41, 42, 49, 53, 59, 322, 101, 62, 200, 310, 311, 425, 434, 165, 272, 308, 321),
    ),
    "aarch64": (
        0xC00000B7,
        (198, 203, 200, 199, 221, 281, 117, 129, 130, 270, 271, 425, 434, 40, 97, 268, 280),
    ),
}


def limit(*, memory_bytes: int, written_bytes: int) -> None:
    """Bound memory and files, before anything is loaded; a core of a helper is of no use."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (written_bytes, written_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_time(cpu_s: int) -> None:
    """From now on the process may use so much more processor time; then it is killed."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 1 + cpu_s, hard))


def seal() -> bool:
    """Close files and network; whether both could be closed. Call it once, when all is loaded."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return _close_files(libc) and _close_calls(libc)


def die_with_parent() -> None:
    """Be killed when the thread that started us ends; its end of our socket closes then too."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def _close_files(libc: ctypes.CDLL) -> bool:
    """Landlock: no file can be opened, made or removed but fonts, which can be read."""
    create, add, restrict = _LANDLOCK
    version = libc.syscall(create, None, 0, 1)
    if version < 1:
        return False
    rights = (1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1
    ruleset = ctypes.create_string_buffer(struct.pack("<Q", rights), 8)
    rules = libc.syscall(create, ruleset, 8, 0)
    if rules < 0:
        return False
    paths = sysconfig.get_paths()
    code = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    for folder in (*FONT_FOLDERS, *sorted(code)):
        try:
            opened = os.open(folder, getattr(os, "O_PATH", 0) | os.O_DIRECTORY)
        except OSError:
            continue
        rule = ctypes.create_string_buffer(struct.pack("<Qi", _READ_FILE | _READ_FOLDER, opened))
        done = libc.syscall(add, rules, _PATH_BENEATH, rule, 0)
        os.close(opened)
        if done != 0:
            return False
    closed = bool(libc.syscall(restrict, rules, 0) == 0)
    os.close(rules)
    return closed


def _close_calls(libc: ctypes.CDLL) -> bool:
    """Seccomp: the listed calls answer EPERM, calls of another architecture end the process."""
    known = _ARCHES.get(platform.machine())
    if known is None:
        return False
    audit, calls = known
    load, jump, give = 0x20, 0x15, 0x06
    program = [
        struct.pack("<HBBI", load, 0, 0, 4),  # The architecture.
        struct.pack("<HBBI", jump, 1, 0, audit),
        struct.pack("<HBBI", give, 0, 0, 0x80000000),
        struct.pack("<HBBI", load, 0, 0, 0),  # The number of the call.
        struct.pack("<HBBI", 0x35, 0, 1, 0x40000000),  # The x32 numbers of x86-64.
        struct.pack("<HBBI", give, 0, 0, 0x80000000),
    ]
    for index, call in enumerate(calls):
        program.append(struct.pack("<HBBI", jump, len(calls) - index, 0, call))
    program.append(struct.pack("<HBBI", give, 0, 0, 0x7FFF0000))
    program.append(struct.pack("<HBBI", give, 0, 0, 0x00050001))  # EPERM.
    code = ctypes.create_string_buffer(b"".join(program))
    header = ctypes.create_string_buffer(
        struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code))
    )
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, header, 0, 0) == 0)
