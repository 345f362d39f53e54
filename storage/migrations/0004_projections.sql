-- What blocks say to readers, read from their committed rows as the change feed goes by: the words
-- that search finds, the blocks that they name, their files. All of it can be read again from the
-- documents. And the versions that people gave a name.

CREATE TABLE block_texts (
    document uuid PRIMARY KEY REFERENCES documents (id),
    scope text NOT NULL,
    -- The row of the log, and the lineage, up to which all of this was read.
    lineage bigint NOT NULL,
    sequence bigint NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    -- The words of title and body, and one more that names the scope, so that the words of other
    -- scopes are never looked at.
    words tsvector NOT NULL,
    files integer NOT NULL DEFAULT 0,
    file_bytes bigint NOT NULL DEFAULT 0
);
CREATE INDEX block_texts_words ON block_texts USING gin (words);
CREATE INDEX block_texts_by_scope ON block_texts (scope) INCLUDE (files, file_bytes);

CREATE TABLE relations (
    -- The block that says it.
    document uuid NOT NULL REFERENCES documents (id),
    scope text NOT NULL,
    kind text NOT NULL,
    -- The block that is named: its global id in capitals, or its plain name.
    target text NOT NULL,
    label text NOT NULL DEFAULT '',
    PRIMARY KEY (document, kind, target)
);
CREATE INDEX relations_by_target ON relations (scope, target, document);

-- Up to which stamp of its change feed a scope was read; none: nothing of it.
CREATE TABLE read_marks (
    scope text PRIMARY KEY REFERENCES scopes (id),
    stamp bigint NOT NULL
);

-- Named versions are whole copies, so that no thinning of the history takes them away.
CREATE TABLE named_versions (
    document uuid NOT NULL REFERENCES documents (id),
    sequence bigint NOT NULL,
    name text NOT NULL,
    author text NOT NULL,
    at timestamptz NOT NULL,
    named_at timestamptz NOT NULL DEFAULT now(),
    encoding smallint NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (document, sequence)
);
ALTER TABLE named_versions ALTER COLUMN data SET STORAGE EXTERNAL;

-- The root block of a workspace; its title is the workspace's.
ALTER TABLE scopes ADD COLUMN index_block text;
CREATE INDEX scopes_deleted ON scopes (deleted_at) WHERE deleted_at IS NOT NULL;
