"""Settings of what is made of files, and of folders that are scanned: see `topics`."""

from dataclasses import dataclass

from crdt.bounds import MIB


@dataclass(frozen=True, kw_only=True)
class Media:
    """Pictures and facts of files, made in helper processes."""

    media_processes: int = 2
    """Helper processes that decode files, each one file at a time."""

    media_waiting_max: int = 500
    """Files that wait for a helper at a time; more are answered with 503."""

    media_memory_bytes: int = 1536 * MIB
    """Memory that one such helper may use, its address space as a whole."""

    media_timeout_s: float = 30.0
    """Seconds after which a file is given up and its helper killed."""

    media_cpu_s: int = 20
    """Seconds of processor time that one file may take."""

    media_pixels_max: int = 150_000_000
    """Pixels of an image that is decoded; more are refused by its header."""

    media_frames_max: int = 100
    """Frames of a moving picture."""

    media_svg_bytes_max: int = 4 * MIB
    """Bytes of an SVG of which a picture is made."""

    media_picture_bytes_max: int = 8 * MIB
    """Bytes of a picture that a helper makes."""

    media_source_bytes_max: int = 1024 * MIB
    """Bytes of a file that is fetched from an object store to be decoded."""

    media_variants_max: int = 300
    """Pictures of one file that are kept; those over it are made again each time."""

    media_retry_s: float = 3600.0
    """Seconds for which a file that could not be decoded is not tried again."""

    picture_upload_bytes_max: int = 4 * MIB
    """Bytes of a picture that a client made of a file."""

    pictures_per_block_max: int = 500
    """Pictures that clients may make for one block."""


@dataclass(frozen=True, kw_only=True)
class Scanning:
    """Folders of this machine that are scanned, and other work in the background."""

    jobs_at_once_max: int = 2
    """Scans and other jobs that this process works on at a time; others wait."""

    jobs_per_account_max: int = 20
    """Jobs that one account may have under way."""

    scan_files_max: int = 1_000_000
    """Files in one scanned folder; a scan that meets more ends."""

    watched_subfolders_max: int = 20_000
    """Folders below one watched folder; with more it is looked at once a minute instead."""

    job_listeners_max: int = 1000
    """Connections to /api/ws at a time; more are refused with 503."""
