-- Published sites: whose they are, how they are reached, and what of them may not stand in a
-- document that everybody in its room reads.

ALTER TABLE accounts
    -- Part of the addresses of one's sites; empty until it is chosen.
    ADD COLUMN username text NOT NULL DEFAULT '',
    ADD COLUMN name text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX accounts_by_username ON accounts (lower(username)) WHERE username <> '';

CREATE TABLE sites (
    id text PRIMARY KEY,
    -- Holds the list of files and one text document for each Markdown file, named by its path.
    scope text NOT NULL UNIQUE REFERENCES scopes (id),
    -- The list of files: a document of records.
    document uuid NOT NULL UNIQUE REFERENCES documents (id),
    -- None: published anonymously, and not claimed yet.
    account text REFERENCES accounts (id) ON DELETE CASCADE,
    name text NOT NULL,
    title text NOT NULL DEFAULT '',
    privacy text NOT NULL DEFAULT 'PUBLIC' CHECK (privacy IN ('PUBLIC', 'PASSWORD')),
    password_hash text,
    -- Moves with each change of the password, so that cookies given before end.
    password_version bigint NOT NULL DEFAULT 0,
    enable_search boolean NOT NULL DEFAULT true,
    enable_comments boolean NOT NULL DEFAULT false,
    enable_rss boolean NOT NULL DEFAULT true,
    syntax text NOT NULL DEFAULT 'auto',
    -- A domain that its owner wants, and since when its TXT record has been seen.
    domain text,
    domain_token text NOT NULL,
    domain_verified_at timestamptz,
    gh_repository text,
    gh_branch text,
    gh_installation text,
    root_dir text,
    auto_sync boolean NOT NULL DEFAULT false,
    -- Of a site without an account: whose browser it was, the claim, and its end.
    anonymous_owner text,
    claim_digest bytea,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX sites_by_name ON sites (account, lower(name)) WHERE account IS NOT NULL;
CREATE UNIQUE INDEX sites_anonymous ON sites (lower(name)) WHERE account IS NULL;
CREATE UNIQUE INDEX sites_by_domain ON sites (domain) WHERE domain_verified_at IS NOT NULL;
CREATE INDEX sites_by_account ON sites (account, updated_at DESC);
CREATE INDEX sites_by_wish ON sites (domain) WHERE domain IS NOT NULL;
CREATE INDEX sites_by_expiry ON sites (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX sites_by_repository ON sites (lower(gh_repository)) WHERE gh_repository IS NOT NULL;
