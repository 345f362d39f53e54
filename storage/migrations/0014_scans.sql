-- Work in the background that outlives a process, and folders of this machine that are scanned.

CREATE TABLE jobs (
    id text PRIMARY KEY,
    kind text NOT NULL,
    account text NOT NULL,
    scope text NOT NULL,
    -- What it works on; one job of a kind for each of them at a time.
    target text NOT NULL,
    options jsonb NOT NULL DEFAULT '{}',
    -- queued, running, completed, failed or aborted.
    state text NOT NULL DEFAULT 'queued',
    counts jsonb NOT NULL DEFAULT '{}',
    error text NOT NULL DEFAULT '',
    abort_asked boolean NOT NULL DEFAULT false,
    -- Which process runs it, and when that last said so: another takes it over after a while.
    node text,
    beat_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz
);
CREATE UNIQUE INDEX jobs_one_at_a_time ON jobs (kind, target) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_open ON jobs (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_beat ON jobs (beat_at);

-- The folder in which an account may scan; without a row it may nowhere.
CREATE TABLE scan_roots (
    account text PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    path text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE watched_folders (
    scope text NOT NULL REFERENCES scopes (id),
    path text NOT NULL,
    account text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, path)
);

CREATE TABLE scanned_files (
    scope text NOT NULL REFERENCES scopes (id),
    -- Absolute, without a link in it. Ordered by bytes: what lies in a folder is one range.
    path text COLLATE "C" NOT NULL,
    -- By these a later scan sees that nothing changed, without reading.
    size bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    ctime_ns bigint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    -- The block that stands for the file; of a duplicate that of the first one with its bytes.
    block text NOT NULL,
    duplicate boolean NOT NULL DEFAULT false,
    -- pending until the block is there and says so, then done; gone while there is no such file.
    state text NOT NULL DEFAULT 'pending',
    PRIMARY KEY (scope, path)
);
CREATE INDEX scanned_files_by_hash ON scanned_files (scope, hash);
CREATE INDEX scanned_files_by_block ON scanned_files (scope, block);
