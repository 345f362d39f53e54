-- What is known of a block without opening its document, read from its committed rows whenever the
-- change feed settles it. Lists, deltas and pulls are answered from here.

CREATE TABLE blocks (
    document uuid PRIMARY KEY REFERENCES documents (id),
    scope text NOT NULL,
    -- The row of the log, and the lineage, up to which all of this was read.
    sequence bigint NOT NULL,
    lineage bigint NOT NULL,
    -- Unix milliseconds, as the document says; 0 where it does not say when.
    trashed_at bigint,
    removed_at bigint,
    title text NOT NULL DEFAULT '',
    -- Absent where the document cannot be read; delete_only also where it is long.
    state_vector bytea,
    delete_only bytea
) WITH (fillfactor = 80);
CREATE INDEX blocks_trash ON blocks (scope, trashed_at, document)
    WHERE trashed_at IS NOT NULL AND removed_at IS NULL;

-- The marker of a scope in which nothing happened yet is the moment of its creation.
ALTER TABLE scopes ALTER COLUMN last_stamp SET DEFAULT (extract(epoch FROM now()) * 1000)::bigint;
UPDATE scopes SET last_stamp = greatest(last_stamp, (extract(epoch FROM created_at) * 1000)::bigint);
