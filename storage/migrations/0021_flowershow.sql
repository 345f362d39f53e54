-- Logging a command line in (RFC 8628), counts of sites' files, and installations of a GitHub App.

CREATE TABLE device_codes (
    -- Of the code that the device keeps.
    digest bytea PRIMARY KEY,
    user_code text NOT NULL UNIQUE,
    client text NOT NULL,
    address text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    polled_at timestamptz,
    -- Who approved it.
    account text REFERENCES accounts (id) ON DELETE CASCADE,
    denied boolean NOT NULL DEFAULT false
);
CREATE INDEX device_codes_by_expiry ON device_codes (expires_at);

ALTER TABLE sites
    ADD COLUMN file_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN total_bytes bigint NOT NULL DEFAULT 0;

CREATE TABLE github_installations (
    id text PRIMARY KEY,
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- GitHub's own number; several people may have linked the same one.
    installation bigint NOT NULL,
    login text NOT NULL,
    kind text NOT NULL,
    suspended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account, installation)
);
CREATE INDEX github_installations_by_number ON github_installations (installation);

CREATE TABLE github_repositories (
    installation bigint NOT NULL,
    repository bigint NOT NULL,
    name text NOT NULL,
    full_name text NOT NULL,
    is_private boolean NOT NULL,
    PRIMARY KEY (installation, repository)
);
