-- Ascently's datasets: whose document it is, when what was received, and images by name.

CREATE TABLE ascently_datasets (
    account text PRIMARY KEY REFERENCES accounts (id),
    document uuid NOT NULL UNIQUE REFERENCES documents (id),
    -- Unix milliseconds. An older cursor was not given out by this server.
    first_at bigint NOT NULL,
    -- The last serverTime that was given out; the next one is later.
    issued_at bigint NOT NULL
);

-- Up to which stamp of the feed everything was received at a moment that was given out. Stamps run
-- ahead of the clock after a large upload; what clients are given never does.
CREATE TABLE ascently_moments (
    document uuid NOT NULL REFERENCES documents (id),
    at bigint NOT NULL,
    stamp bigint NOT NULL,
    PRIMARY KEY (document, at)
);

CREATE TABLE ascently_images (
    account text NOT NULL REFERENCES accounts (id),
    name text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    size bigint NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, name)
);
