"""In a helper: stills and previews of videos, and the cover of a song, with PyAV where installed.

The container's format is named from its content, so that no playlist and no list of other files is
ever tried; the bytes come as an open file, never as a name.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pyvips

from server.media import pictures
from server.media.kinds import Kind
from server.media.work import Answer, Job, Limits, Refused, seconds_of

try:
    import av
    import av.error
except ImportError:
    av = None

_FORMATS: Final = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "audio/mp4": "mp4",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/x-ms-wmv": "asf",
    "video/mp2t": "mpegts",
    "video/mpeg": "mpeg",
    "video/ogg": "ogg",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/flac": "flac",
    "audio/wav": "wav",
}
_SEARCHED_FRAMES_MAX: Final = 600
"""Frames that are decoded behind a keyframe in search of a position."""
PREVIEW_FRAMES: Final = 16
_PREVIEW_DELAY_MS: Final = 500


def prepare() -> None:
    """Load what is loaded late, while files can still be opened."""
    if av is not None:
        av.logging.set_level(None)


@contextmanager
def opened(kind: Kind, file: int) -> Iterator[Any]:
    """The container. Raises Refused, also for what goes wrong while it is open."""
    if av is None:
        raise Refused("missing", "videos need the extra package av")
    os.lseek(file, 0, os.SEEK_SET)
    try:
        with (
            os.fdopen(os.dup(file), "rb") as stream,
            av.open(stream, mode="r", format=_FORMATS[kind.mime], metadata_errors="replace") as box,
        ):
            yield box
    except (av.error.FFmpegError, ValueError, EOFError, OverflowError, IndexError) as error:
        raise Refused("broken", str(error)[:200] or "it cannot be read") from None


def duration_of(box: Any) -> float | None:  # noqa: ANN401 (av's types are optional here)
    """Seconds, where the container or its streams say."""
    if box.duration and box.duration > 0:
        return round(float(box.duration) / 1_000_000, 3)
    for stream in box.streams:
        if stream.duration and stream.duration > 0 and stream.time_base:
            return round(float(stream.duration * stream.time_base), 3)
    return None


def picture_stream(box: Any, limits: Limits) -> Any:  # noqa: ANN401
    """The stream that shows something. Raises Refused where there is none, or too much of it."""
    stream = next(iter(box.streams.video), None)
    if stream is None:
        raise Refused("unsupported", "there is nothing to see in it")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.pixels_max or max(width, height) > pictures.SIDE_MAX:
        raise Refused("too_large", f"{width} x {height} pixels")
    stream.thread_type = "NONE"
    return stream


def still(job: Job, kind: Kind, file: int) -> tuple[Answer, bytes]:
    """The frame at a position; a song's cover."""
    seconds_of(job.position, None)
    with opened(kind, file) as box:
        stream = picture_stream(box, job.limits)
        at = seconds_of(job.position, duration_of(box))
        image = _shown(_frame_at(box, stream, at, exact=True), job.pixels, job.limits)
        return pictures.encode(image, job.pixels)


def animated(job: Job, kind: Kind, file: int) -> tuple[Answer, bytes]:
    """Frames from all over a video, one after the other, half a second each."""
    with opened(kind, file) as box:
        stream = picture_stream(box, job.limits)
        length = duration_of(box)
        if not length:
            raise Refused("unsupported", "it does not say how long it is")
        count = min(PREVIEW_FRAMES, job.limits.frames_max)
        frames: list[pyvips.Image] = []
        seen: set[Any] = set()
        for index in range(count):
            # Exact ones cost a decode from the keyframe on: only short videos get them.
            frame = _frame_at(box, stream, length * (index + 0.5) / count, exact=length < 30)
            if frame.pts in seen:
                continue
            seen.add(frame.pts)
            image = _shown(frame, job.pixels, job.limits)
            if not frames or (image.width, image.height) == (frames[0].width, frames[0].height):
                frames.append(image)
        return pictures.encode(pictures.film(frames, _PREVIEW_DELAY_MS), job.pixels)


def _frame_at(box: Any, stream: Any, at: float, *, exact: bool) -> Any:  # noqa: ANN401
    """The frame that is shown at a time; the last one there is where nothing comes after it."""
    for back in (0.0, 2.0, 10.0, at):
        frame = _search(box, stream, max(0.0, at - back), at, exact=exact or back > 0)
        if frame is not None:
            return frame
        # The decoder was told that the stream is over.
        stream.codec_context.flush_buffers()
    raise Refused("broken", "no frame of it can be read")


def _search(box: Any, stream: Any, start: float, at: float, *, exact: bool) -> Any:  # noqa: ANN401
    """Decode from the keyframe before `start` to the frame at a time; None where there is none."""
    origin = float(stream.start_time * stream.time_base) if stream.start_time else 0.0
    if at > 0:
        box.seek(int((start + origin) * 1_000_000))
    best = None
    for number, frame in enumerate(box.decode(stream)):
        if best is not None and frame.time is not None and frame.time > at + origin:
            break
        best = frame
        if not exact or number >= _SEARCHED_FRAMES_MAX or at <= 0:
            break
    return best


def _shown(frame: Any, pixels: int, limits: Limits) -> pyvips.Image:  # noqa: ANN401
    """A frame as it is to be seen: shrunk, with square pixels, turned upright."""
    width, height = frame.width, frame.height
    if width * height > limits.pixels_max or not width or not height:
        raise Refused("too_large", f"{width} x {height} pixels")
    aspect = frame.sample_aspect_ratio if hasattr(frame, "sample_aspect_ratio") else None
    across = width * float(aspect) if aspect else float(width)
    factor = min(1.0, pixels / max(across, height))
    size = max(1, round(across * factor)), max(1, round(height * factor))
    rgb = frame.reformat(width=size[0], height=size[1], format="rgb24")
    plane = rgb.planes[0]
    data = bytes(plane)
    if plane.line_size % 3:
        rows = [data[y * plane.line_size :][: size[0] * 3] for y in range(size[1])]
        image = pictures.from_pixels(b"".join(rows), *size, size[0] * 3, 3)
    else:
        image = pictures.from_pixels(data, *size, plane.line_size, 3)
    turns = round(math.fmod(getattr(frame, "rotation", 0) or 0, 360) / 90) % 4
    # The display matrix says how many degrees counterclockwise the frame is to be turned.
    return image if not turns else image.rot(("d0", "d270", "d180", "d90")[turns])


def is_on_its_side(box: Any, stream: Any) -> bool:  # noqa: ANN401
    """Whether a video is to be turned by a quarter before it is seen: its first frame says so."""
    try:
        frame = next(box.decode(stream), None)
    except (av.error.FFmpegError, ValueError, EOFError):
        return False
    return frame is not None and round((getattr(frame, "rotation", 0) or 0) / 90) % 2 == 1
