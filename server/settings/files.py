"""Settings of files; see `server.settings.topics` for how a setting is written."""

from dataclasses import dataclass, field

from crdt.bounds import MIB

GIB = 1024 * MIB


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files of blocks: where their bytes lie, how they come in and how much of them."""

    blobs_url: str = ""
    """Where bytes of files lie: s3://bucket/prefix, gs://… or az://…; empty: in the data folder."""

    blobs_options: tuple[str, ...] = field(default=(), repr=False)
    """Options of that store, as aws_endpoint=…,aws_region=…; keys of it may come from here too."""

    blob_grace_s: float = 86_400.0
    """Seconds for which bytes that nothing uses any more are kept."""

    file_bytes_max: int = 16 * GIB
    """Bytes of one file."""

    account_bytes_max: int = 100 * GIB
    """Bytes of files that one account may have in its workspaces."""

    upload_chunk_bytes: int = 8 * MIB
    """Bytes of a chunk where the client does not say."""

    upload_chunk_bytes_max: int = 64 * MIB
    """Bytes of a chunk; who asks for more gets this."""

    upload_chunks_max: int = 100_000
    """Chunks of one upload; who asks for more gets larger ones."""

    uploads_per_account_max: int = 1000
    """Uploads that one account may have under way."""

    upload_expiry_s: float = 7 * 86_400.0
    """Seconds after which an upload that nobody goes on with is forgotten."""

    file_token_s: int = 600
    """Seconds for which a token that stands in the URL of a file is good."""

    transfer_stuck_s: float = 60.0
    """Seconds after which an upload or a download that makes no progress is cut off."""

    transfers_max: int = 512
    """Uploads and downloads of files at a time; more are told to come back in a moment (503)."""
