-- Documents, their update logs and snapshots, and the tables of the change feed.
-- storage/README.md says what each column is for and why the tables are cut this way.
-- Nothing here needs an extension, lz4, ICU or a sequence object, and every key of a document's
-- rows starts with the document, so that the schema can be sharded on it.

CREATE TABLE scopes (
    id text PRIMARY KEY,
    kind text NOT NULL DEFAULT 'workspace',
    owner text,
    title text NOT NULL DEFAULT '',
    rights_version bigint NOT NULL DEFAULT 1,
    last_stamp bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX scopes_by_owner ON scopes (owner) WHERE deleted_at IS NULL;

CREATE TABLE documents (
    id uuid PRIMARY KEY,
    scope text NOT NULL REFERENCES scopes (id),
    kind text NOT NULL DEFAULT 'block',
    name text NOT NULL,
    global_id text UNIQUE,
    owner text,
    lineage bigint NOT NULL DEFAULT 1,
    sync_version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    purged_at timestamptz
);
-- A purged plain name may be used again; a purged global id stays taken for ever.
CREATE UNIQUE INDEX documents_by_name ON documents (scope, name) WHERE purged_at IS NULL;
CREATE INDEX documents_trash ON documents (deleted_at)
    WHERE deleted_at IS NOT NULL AND purged_at IS NULL;

-- The only row that an append locks and rewrites: narrow, with room for in-page (HOT) updates.
CREATE TABLE heads (
    document uuid PRIMARY KEY REFERENCES documents (id),
    scope text NOT NULL,
    lineage bigint NOT NULL DEFAULT 1,
    head bigint NOT NULL DEFAULT 0,
    log_bytes bigint NOT NULL DEFAULT 0,
    snapshot_sequence bigint NOT NULL DEFAULT 0,
    snapshot_bytes integer NOT NULL DEFAULT 0,
    deleted boolean NOT NULL DEFAULT false,
    dirty boolean NOT NULL DEFAULT true
) WITH (fillfactor = 60);
-- `dirty` changes once between two settlings, so this index does not cost an append its HOT update.
CREATE INDEX heads_dirty ON heads (scope, document) WHERE dirty;

CREATE TABLE updates (
    document uuid NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    writer bigint NOT NULL,
    batch bigint NOT NULL,
    pending boolean NOT NULL DEFAULT false,
    data bytea NOT NULL,
    author text,
    device text,
    PRIMARY KEY (document, sequence)
);
ALTER TABLE updates ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX updates_pending ON updates (document) WHERE pending;

CREATE TABLE snapshots (
    document uuid PRIMARY KEY,
    lineage bigint NOT NULL,
    sequence bigint NOT NULL,
    encoding smallint NOT NULL DEFAULT 0,
    data bytea NOT NULL,
    state_vector bytea NOT NULL,
    delete_only bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    thin_due_at timestamptz
);
CREATE INDEX snapshots_thin_due ON snapshots (thin_due_at) WHERE thin_due_at IS NOT NULL;
ALTER TABLE snapshots ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE snapshots ALTER COLUMN state_vector SET STORAGE EXTERNAL;
ALTER TABLE snapshots ALTER COLUMN delete_only SET STORAGE EXTERNAL;

-- Old stretches of a log, each merged into one row, so that versions stay readable.
CREATE TABLE history (
    document uuid NOT NULL,
    last bigint NOT NULL,
    first bigint NOT NULL,
    started_at timestamptz NOT NULL,
    at timestamptz NOT NULL,
    encoding smallint NOT NULL DEFAULT 0,
    data bytea NOT NULL,
    authors text[] NOT NULL,
    PRIMARY KEY (document, last)
);
ALTER TABLE history ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE quarantine (
    document uuid NOT NULL,
    digest bytea NOT NULL,
    sequence bigint,
    lineage bigint NOT NULL,
    data bytea NOT NULL,
    reason text NOT NULL,
    author text,
    device text,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document, digest)
);
ALTER TABLE quarantine ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE retired_lineages (
    document uuid NOT NULL,
    lineage bigint NOT NULL,
    sequence bigint NOT NULL,
    state_vector bytea NOT NULL,
    retired_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document, lineage)
);

-- The latest stamp of every key of a scope. collection and record are '' for the document itself.
CREATE TABLE changes (
    scope text NOT NULL,
    document uuid NOT NULL,
    collection text NOT NULL DEFAULT '',
    record text NOT NULL DEFAULT '',
    stamp bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (scope, document, collection, record)
);
CREATE INDEX changes_by_stamp ON changes (scope, collection, stamp, document, record, deleted);
