-- What one of several nodes does for all of them, and on which machine a folder lies.

-- Work that needs doing once, however many nodes there are: whoever holds it until then does it.
CREATE TABLE duties (
    name text PRIMARY KEY,
    node text NOT NULL,
    until timestamptz NOT NULL
);

-- Only nodes on this machine may take the job; null: any.
ALTER TABLE jobs ADD COLUMN machine text;
-- The machine on which the folder is; null: it was there before there were several.
ALTER TABLE watched_folders ADD COLUMN machine text;
