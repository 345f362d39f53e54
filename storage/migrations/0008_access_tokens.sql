-- Personal access tokens: only a digest of the secret is kept.

CREATE TABLE access_tokens (
    id text PRIMARY KEY,
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE,
    name text NOT NULL,
    -- How the token begins, to be shown in lists.
    prefix text NOT NULL,
    -- Words such as heaps:read, each API once.
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    -- Written at most once a minute.
    used_at timestamptz
);
CREATE INDEX access_tokens_by_account ON access_tokens (account);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at) WHERE expires_at IS NOT NULL;
