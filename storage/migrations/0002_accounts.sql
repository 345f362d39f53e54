-- Accounts, their keys and logins, and who may open which workspace. Only digests of credentials
-- are stored. auth/README.md says what each table defends against.

CREATE TABLE accounts (
    id text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('pending', 'active', 'disabled')),
    is_admin boolean NOT NULL DEFAULT false,
    -- What somebody typed. Never verified, never matched, shown to administrators only.
    email_hint text NOT NULL DEFAULT '',
    default_workspace text NOT NULL REFERENCES scopes (id),
    -- Moves with every change that may take a right away; nodes poll it.
    auth_version bigint NOT NULL DEFAULT 1,
    -- Document tokens that were issued earlier no longer hold.
    documents_since timestamptz NOT NULL DEFAULT '-infinity',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX accounts_pending ON accounts (created_at) WHERE state = 'pending';
CREATE INDEX accounts_administrators ON accounts (id) WHERE is_admin;

-- Held by the registration that may make the first administrator, so that only one does.
CREATE TABLE administration (only_row boolean PRIMARY KEY CHECK (only_row));
INSERT INTO administration VALUES (true);

-- Each device makes a key of its own; an account may have several.
CREATE TABLE account_keys (
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    device text NOT NULL UNIQUE,
    label text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_keys_by_account ON account_keys (account);

-- Challenges that somebody signed, until they would have expired anyway: each is good once. A
-- challenge is sealed with the key it was issued for, so it needs no row before its use.
CREATE TABLE used_challenges (
    digest bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX used_challenges_by_expiry ON used_challenges (expires_at);

-- One row for each login, whatever the number of its refreshes.
CREATE TABLE refresh_families (
    id text PRIMARY KEY,
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    device text NOT NULL REFERENCES account_keys (device) ON DELETE CASCADE,
    current bytea[] NOT NULL,
    previous bytea,
    rotated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refresh_families_by_account ON refresh_families (account, rotated_at);
CREATE INDEX refresh_families_by_device ON refresh_families (device);
CREATE INDEX refresh_families_by_expiry ON refresh_families (expires_at);

CREATE TABLE members (
    scope text NOT NULL REFERENCES scopes (id) ON DELETE CASCADE,
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, account)
);
CREATE INDEX members_by_account ON members (account);

-- Document tokens are signed, not stored; the few that are revoked before their end stand here.
CREATE TABLE revoked_document_tokens (
    id text PRIMARY KEY,
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_document_tokens_by_expiry ON revoked_document_tokens (expires_at);
