-- Files of blocks, and uploads that are under way. Both outlive the process; the bytes of blobs and
-- chunks lie in the blob store.

CREATE TABLE files (
    id text PRIMARY KEY,
    document uuid NOT NULL REFERENCES documents (id),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    size bigint NOT NULL,
    name text NOT NULL,
    -- As whoever uploaded it said, until somebody looked at the bytes.
    mime_type text NOT NULL,
    width integer,
    height integer,
    duration_s double precision,
    exif jsonb,
    author text,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Whether the block's document says that the file is here.
    announced boolean NOT NULL DEFAULT false,
    UNIQUE (document, hash)
);
CREATE INDEX files_by_hash ON files (hash);
CREATE INDEX files_unannounced ON files (created_at) WHERE NOT announced;

CREATE TABLE uploads (
    id text PRIMARY KEY,
    -- Who uploads: to everybody else it is not there.
    account text NOT NULL,
    -- In whose quota its bytes are set aside.
    payer text NOT NULL,
    -- What it is for: a kind of target, and which one of that kind.
    kind text NOT NULL,
    target text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    size bigint NOT NULL CHECK (size >= 0),
    chunk_size bigint NOT NULL CHECK (chunk_size > 0),
    name text NOT NULL,
    mime_type text NOT NULL,
    touched_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    UNIQUE (account, kind, target, hash)
);
CREATE INDEX uploads_by_touch ON uploads (touched_at);

CREATE TABLE upload_chunks (
    upload text NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number integer NOT NULL,
    -- Its name in the blob store: another one for each time that it comes.
    place text NOT NULL,
    PRIMARY KEY (upload, number)
);
