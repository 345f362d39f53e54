-- What the server made of blobs for itself: pictures, and the facts that a file says of itself. All
-- of it can be made again, and goes with its source.

CREATE TABLE derived (
    source bytea NOT NULL REFERENCES blobs (hash) ON DELETE CASCADE,
    -- What was made: kind, size and position, such as still/small/10%.
    variant text NOT NULL,
    -- The picture; null where there is none.
    blob bytea REFERENCES blobs (hash) ON DELETE CASCADE,
    mime text NOT NULL DEFAULT '',
    width integer NOT NULL DEFAULT 0,
    height integer NOT NULL DEFAULT 0,
    -- Why there is none; it is not tried again for a while.
    refused text,
    reason text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, variant)
);
CREATE INDEX derived_by_blob ON derived (blob);

CREATE TABLE facts (
    source bytea PRIMARY KEY REFERENCES blobs (hash) ON DELETE CASCADE,
    facts jsonb NOT NULL,
    -- Where it was taken, which not everybody may see who may see the rest.
    position jsonb,
    at timestamptz NOT NULL DEFAULT now()
);

-- Pictures that clients made of files: each counts for its own block only, so that nobody can put
-- one on a file of somebody else.
CREATE TABLE client_pictures (
    document uuid NOT NULL REFERENCES documents (id),
    source bytea NOT NULL CHECK (octet_length(source) = 32),
    kind text NOT NULL,
    size text NOT NULL,
    key text NOT NULL,
    blob bytea NOT NULL,
    mime text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    author text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document, source, kind, size)
);

-- When somebody looked at the bytes of a file and told its block.
ALTER TABLE files ADD COLUMN described_at timestamptz;
CREATE INDEX files_undescribed ON files (created_at) WHERE announced AND described_at IS NULL;
