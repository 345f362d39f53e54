-- Documents that nobody may open for a while, or until an administrator opens them again: those that
-- cost a server too much, and those that an administrator closed. Every node looks here.

CREATE TABLE closures (
    document uuid PRIMARY KEY REFERENCES documents (id),
    -- breaker, or the administrator's account.
    author text NOT NULL,
    reason text NOT NULL,
    -- How often the breaker closed it without an hour of peace between.
    times integer NOT NULL DEFAULT 1,
    closed_at timestamptz NOT NULL,
    -- Null: until it is opened.
    until timestamptz
);
CREATE INDEX closures_by_end ON closures (until) WHERE until IS NOT NULL;
