"""Settings of single adapters, one class for each; see `server.settings.topics` for the form."""

from dataclasses import dataclass

from crdt.bounds import KIB, MIB


@dataclass(frozen=True, kw_only=True)
class Apis:
    """Which REST APIs are served."""

    adapters_off: tuple[str, ...] = ()
    """Adapters that are switched off, with commas between; their paths answer 404."""


@dataclass(frozen=True, kw_only=True)
class Difflog:
    """Encrypted profiles (difflog)."""

    difflog_attempts_max: int = 5
    """Wrong passwords after which a profile is locked."""

    difflog_lock_s: float = 600.0
    """Seconds for which it is locked, for the right password too."""

    difflog_forget_s: float = 300.0
    """Seconds after the last wrong password after which they are forgotten."""

    difflog_hashes_at_once: int = 2
    """Passwords that are hashed at a time; each takes a core and 64 MiB for about 80 ms."""

    difflog_hashes_waiting_max: int = 100
    """Requests that wait for that; more are answered with 503."""

    difflog_body_bytes_max: int = 16 * MIB
    """Bytes of one request's body."""

    difflog_profile_bytes_max: int = 32 * MIB
    """Bytes of all items of one profile."""

    difflog_items_max: int = 10_000
    """Stars, and likewise summaries, of one profile; diffs are 50."""

    difflog_metadata_bytes_max: int = 256 * KIB
    """Bytes of what a profile says about itself, its encrypted keys included."""

    difflog_public_max: int = 1000
    """Public addresses that one profile keeps."""

    difflog_codes_max: int = 10_000
    """Share codes, and likewise logins of the command line, that wait at a time."""

    difflog_relay_bytes_max: int = 64 * KIB
    """Letters of an encrypted session that waits for the command line."""

    difflog_creations_per_minute: int = 240
    """Profiles that one address may create or upload again in a minute."""

    difflog_reads_per_minute: int = 6000
    """Questions without a password that one address may ask in a minute."""

    difflog_codes_per_minute: int = 60
    """Share codes that one address may make or try in a minute."""

    difflog_relays_per_minute: int = 240
    """Calls of the command line's relay that one address may make in a minute."""


@dataclass(frozen=True, kw_only=True)
class Ascently:
    """Climbers' datasets (Ascently)."""

    ascently_body_bytes_max: int = 32 * MIB
    """Bytes of one upload."""

    ascently_dataset_bytes_max: int = 64 * MIB
    """Bytes of one dataset, as it is stored."""

    ascently_image_bytes_max: int = 25 * MIB
    """Bytes of one image."""

    ascently_images_max: int = 100_000
    """Images of one account."""


@dataclass(frozen=True, kw_only=True)
class Pinakes:
    """Libraries of files on many devices (Pinakes)."""

    pinakes_devices_max: int = 1000
    """Devices of one account."""

    pinakes_files_max: int = 1_000_000
    """Paths of one library, those included of which not all devices have heard that they went."""

    pinakes_conflicts_max: int = 10_000
    """Unresolved conflicts of one library."""

    pinakes_report_max: int = 10_000
    """Changes in one report."""

    pinakes_report_bytes_max: int = 16 * MIB
    """Bytes of one report."""

    pinakes_upload_expiry_s: float = 86_400.0
    """Seconds after its last chunk after which an upload is not gone on with."""

    pinakes_pending_s: float = 30 * 86_400.0
    """Seconds for which a reported change is remembered whose bytes never come."""

    pinakes_device_patience_s: float = 90 * 86_400.0
    """Seconds for which deletions are remembered for a device that does not come any more."""

    pinakes_versions_s: float = 30 * 86_400.0
    """Seconds for which the bytes of replaced versions are kept, to merge texts with."""

    pinakes_text_suffixes: tuple[str, ...] = (
        "txt", "text", "md", "markdown", "mdown", "mkd", "rst", "org", "adoc", "asciidoc", "tex",
    )  # fmt: skip
    """Ends of names of files whose versions are merged, with commas between."""

    pinakes_text_bytes_max: int = MIB
    """Bytes of such a file; of a longer one two versions are a conflict."""
