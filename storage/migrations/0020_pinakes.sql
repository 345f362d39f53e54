-- Libraries of files on many devices (Pinakes). Stamps are those of the change feed of the library's
-- scope: taken under the lock of its row, so what has one is never seen before what has an earlier.

CREATE TABLE pinakes_libraries (
    account text PRIMARY KEY REFERENCES accounts (id),
    scope text NOT NULL UNIQUE REFERENCES scopes (id),
    -- The latest stamp of a tombstone that was removed: a cursor below it may miss a deletion.
    floor bigint NOT NULL DEFAULT 0,
    -- How many paths it has, tombstones too.
    paths bigint NOT NULL DEFAULT 0
);

-- One row for each path that there is, or was until every device heard that it went.
CREATE TABLE pinakes_files (
    scope text NOT NULL,
    path text NOT NULL,
    -- None: a tombstone.
    hash bytea,
    size bigint NOT NULL,
    stamp bigint NOT NULL,
    -- The stamp at which it last came to be.
    born bigint NOT NULL,
    change text NOT NULL,
    -- The device that said so and need not be told; none where it has to be told, too.
    device uuid,
    mtime text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    -- Of what was moved and not changed since: where it was.
    old_path text,
    -- Of such a tombstone: where it went.
    moved_to text,
    PRIMARY KEY (scope, path)
);
CREATE UNIQUE INDEX pinakes_files_by_stamp ON pinakes_files (scope, stamp);
CREATE INDEX pinakes_files_gone ON pinakes_files (scope, stamp) WHERE hash IS NULL;
CREATE INDEX pinakes_files_by_hash ON pinakes_files (scope, hash) WHERE hash IS NOT NULL;

-- What a library may refer to: only its own bytes, so that nobody learns of others' by their hash.
CREATE TABLE pinakes_contents (
    scope text NOT NULL,
    hash bytea NOT NULL,
    size bigint NOT NULL,
    -- Since when perhaps nothing refers to it.
    idle_since timestamptz,
    PRIMARY KEY (scope, hash)
);
CREATE INDEX pinakes_contents_idle ON pinakes_contents (idle_since) WHERE idle_since IS NOT NULL;

CREATE TABLE pinakes_devices (
    id uuid PRIMARY KEY,
    account text NOT NULL REFERENCES accounts (id),
    name text NOT NULL,
    device_type text NOT NULL,
    client_version text,
    os_info text,
    enabled boolean NOT NULL DEFAULT true,
    -- SHA-256 of its token.
    token bytea NOT NULL UNIQUE,
    sync_cursor bigint NOT NULL DEFAULT 0,
    last_sync_at timestamptz,
    last_seen_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX pinakes_devices_by_account ON pinakes_devices (account, created_at, id);

-- What was reported and is told to nobody until its bytes are here.
CREATE TABLE pinakes_pending (
    scope text NOT NULL,
    -- All zeroes: nobody said which.
    device uuid NOT NULL,
    path text NOT NULL,
    -- Where its author has it, if that is elsewhere: a conflict was resolved by keeping both.
    reported_path text NOT NULL,
    change text NOT NULL,
    hash bytea NOT NULL,
    base bytea,
    mtime text,
    old_path text,
    reported_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, path, device)
);
CREATE INDEX pinakes_pending_by_hash ON pinakes_pending (scope, hash);
CREATE INDEX pinakes_pending_by_age ON pinakes_pending (reported_at);

-- Unresolved ones; a resolved one is gone.
CREATE TABLE pinakes_conflicts (
    id uuid PRIMARY KEY,
    scope text NOT NULL,
    path text NOT NULL,
    device uuid NOT NULL,
    change text NOT NULL,
    local_hash bytea,
    server_hash bytea,
    mtime text,
    old_path text,
    detected_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (scope, path, device)
);
CREATE INDEX pinakes_conflicts_by_age ON pinakes_conflicts (scope, detected_at, id);

-- What an upload of this API is besides: whose device's, and what became of it.
CREATE TABLE pinakes_sessions (
    upload text PRIMARY KEY REFERENCES uploads (id) ON DELETE CASCADE,
    device uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    failed boolean NOT NULL DEFAULT false,
    -- The hash that the path has since it was published, and the conflict that came of it.
    published_at timestamptz,
    published_hash bytea,
    conflict uuid
);
