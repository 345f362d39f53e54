-- Bytes named by their SHA-256, who uses them and whose quota they count in. The bytes themselves
-- lie in the blob store; storage/README.md says in which order the two are changed.

CREATE TABLE blobs (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    size bigint NOT NULL CHECK (size >= 0),
    -- Whether the store surely holds the bytes. Not so while they are stored, and while they go.
    ready boolean NOT NULL DEFAULT false,
    -- How many rows of blob_uses name it.
    uses bigint NOT NULL DEFAULT 0 CHECK (uses >= 0),
    -- When it was last stored or let go: its grace time counts from here.
    touched_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX blobs_unused ON blobs (touched_at) WHERE uses = 0;

CREATE TABLE blob_uses (
    hash bytea NOT NULL REFERENCES blobs (hash),
    -- Who needs it: a kind of holder, and which one of that kind (a document, a site, a path).
    kind text NOT NULL,
    holder text NOT NULL,
    -- Whose quota it counts in; none for what the server makes for itself.
    account text,
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, holder, hash)
);
CREATE INDEX blob_uses_by_hash ON blob_uses (hash);

-- What each account uses. Its row is the lock under which its quota is judged.
CREATE TABLE blob_accounts (
    account text PRIMARY KEY,
    files bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    -- Declared by uploads that are under way.
    reserved_bytes bigint NOT NULL DEFAULT 0 CHECK (reserved_bytes >= 0)
);
