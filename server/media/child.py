"""A helper process: waits for a file and what to do with it, answers, and waits for the next.

    python -m server.media.child FD MEMORY_BYTES WRITTEN_BYTES

It is started by `workshop` with one end of a socket; when the other end closes, it ends. It loads
everything, seals itself, and says so in its first answer, before it is shown any file.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

# Set before libvips starts its threads.
os.environ["VIPS_CONCURRENCY"] = "1"

import msgspec

from server.media import facts, films, heic, papers, pictures, sealing
from server.media.kinds import HEAD_BYTES, Kind, sniff
from server.media.work import Answer, Job, Refused

_REQUEST = struct.Struct("<I")
_ANSWER = struct.Struct("<II")
_REQUEST_BYTES_MAX = 64 * 1024


def main(descriptor: int, memory_bytes: int, written_bytes: int) -> None:
    """Serve until the other end closes."""
    sealing.die_with_parent()
    sealing.limit(memory_bytes=memory_bytes, written_bytes=written_bytes)
    line = socket.socket(fileno=descriptor)
    for part in (pictures, heic, films, papers):
        part.prepare()
    sealed = sealing.seal()
    _send(line, Answer(reason="sealed" if sealed else "open"), b"")
    while (received := _receive(line)) is not None:
        job, file = received
        sealing.limit_time(job.limits.cpu_s)
        try:
            answer, data = work(job, file, sealed=sealed)
        except Refused as refused:
            answer, data = Answer(refused=refused.refused, reason=refused.reason), b""
        except Exception as error:  # noqa: BLE001 (whatever a decoder raises concerns this file alone)
            answer, data = Answer(refused="broken", reason=f"{type(error).__name__}: {error}"), b""
        finally:
            os.close(file)
        if len(data) > job.limits.output_bytes_max:
            answer, data = Answer(refused="too_large", reason="the picture is too large"), b""
        _send(line, answer, data)


def work(job: Job, file: int, *, sealed: bool) -> tuple[Answer, bytes]:
    """Do one job. Raises Refused."""
    kind = sniff(os.pread(file, HEAD_BYTES, 0), job.name)
    if kind.family == "svg" and not sealed:
        raise Refused("missing", "SVG needs a kernel that can seal a process (Landlock, seccomp)")
    if job.task == "describe":
        return Answer(facts=facts.describe(job, kind, file)), b""
    if job.task == "check":
        return _check(job, kind, file), b""
    if job.task == "animated":
        return _animated(job, kind, file)
    return _still(job, kind, file)


def _still(job: Job, kind: Kind, file: int) -> tuple[Answer, bytes]:
    if kind.mime == "image/heic":
        return heic.still(job, file)
    if kind.family in {"image", "svg"}:
        return pictures.still(job, kind, file)
    if kind.family in {"video", "audio"}:
        return films.still(job, kind, file)
    if kind.family == "pdf":
        return papers.page(job, file)
    if kind.family == "text":
        return papers.text(job, file)
    raise Refused("unsupported", f"no pictures of {kind.mime}")


def _animated(job: Job, kind: Kind, file: int) -> tuple[Answer, bytes]:
    if kind.family == "image" and kind.mime != "image/heic":
        return pictures.animated(job, kind, file)
    if kind.family == "video":
        return films.animated(job, kind, file)
    raise Refused("unsupported", f"no moving pictures of {kind.mime}")


def _check(job: Job, kind: Kind, file: int) -> Answer:
    """Whether a picture that a client made is one: decoded whole, once."""
    if kind.family != "image" or kind.mime in {"image/heic", "image/tiff"}:
        raise Refused("unsupported", f"{kind.mime} is no picture for a page")
    made, _ = pictures.still(job, kind, file)
    header = pictures.judge(job.limits, kind, file)
    width, height = pictures.shown_size(header)
    assert made.width
    return Answer(mime=kind.mime, width=width, height=height)


def _receive(line: socket.socket) -> tuple[Job, int] | None:
    head, files, _flags, _ = socket.recv_fds(line, _REQUEST.size, 1)
    if not head or not files:
        return None
    while len(head) < _REQUEST.size:
        head += line.recv(_REQUEST.size - len(head))
    (size,) = _REQUEST.unpack(head)
    assert size <= _REQUEST_BYTES_MAX
    body = b""
    while len(body) < size:
        piece = line.recv(size - len(body))
        if not piece:
            return None
        body += piece
    return msgspec.json.decode(body, type=Job), files[0]


def _send(line: socket.socket, answer: Answer, data: bytes) -> None:
    head = msgspec.json.encode(answer)
    line.sendall(_ANSWER.pack(len(head), len(data)) + head + data)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:4]))
