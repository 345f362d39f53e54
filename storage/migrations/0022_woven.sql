-- Versions of texts that were merged into a path. A report whose answer was lost comes again, made on
-- the same base: what it says must not be written twice.

CREATE TABLE pinakes_woven (
    scope text NOT NULL,
    path text NOT NULL,
    -- Empty: the device knew of none.
    base bytea NOT NULL,
    hash bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, path, base, hash)
);
CREATE INDEX pinakes_woven_by_age ON pinakes_woven (at);
