"""In a helper: what a file says of itself."""

from __future__ import annotations

from server.media import exif, films, heic, papers, pictures
from server.media.kinds import Kind
from server.media.work import Facts, Job, Refused


def describe(job: Job, kind: Kind, file: int) -> Facts:
    """The facts of a file; one that cannot be read has its kind and no more."""
    try:
        if kind.mime == "image/heic":
            return _of_heic(job, kind, file)
        if kind.family in {"image", "svg"}:
            return _of_image(job, kind, file)
        if kind.family in {"video", "audio"}:
            return _of_film(kind, file)
        if kind.family == "pdf":
            return Facts(mime=kind.mime, family=kind.family, pages=papers.pages_of(file))
    except Refused:
        pass
    return Facts(mime=kind.mime, family=kind.family)


def _of_image(job: Job, kind: Kind, file: int) -> Facts:
    header = pictures.judge(job.limits, kind, file)
    width, height = pictures.shown_size(header)
    found = exif.read(pictures.blob(header, "exif-data"))
    frames = pictures.frames_of(header, kind)
    return Facts(
        mime=kind.mime,
        family=kind.family,
        width=width,
        height=height,
        pages=frames if frames > 1 else None,
        exif=found.values,
        position=found.position,
    )


def _of_heic(job: Job, kind: Kind, file: int) -> Facts:
    image = heic.open_image(job.limits, file)
    found = exif.read(bytes(image.info.get("exif") or b""))
    return Facts(
        mime=kind.mime,
        family=kind.family,
        width=image.size[0],
        height=image.size[1],
        exif=found.values,
        position=found.position,
    )


def _of_film(kind: Kind, file: int) -> Facts:
    with films.opened(kind, file) as box:
        video = next(iter(box.streams.video), None)
        width = height = None
        if video is not None and kind.family == "video":
            width, height = video.codec_context.width, video.codec_context.height
            if films.is_on_its_side(box, video):
                width, height = height, width
        return Facts(
            mime=kind.mime,
            family=kind.family,
            width=width,
            height=height,
            duration=films.duration_of(box),
            has_audio=bool(box.streams.audio),
            codec=video.codec_context.name if video is not None else None,
        )
