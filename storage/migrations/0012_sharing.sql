-- Invitations to workspaces, and links to single documents: of each secret only a digest.

CREATE TABLE invites (
    id text PRIMARY KEY,
    scope text NOT NULL REFERENCES scopes (id) ON DELETE CASCADE,
    -- Holds while this member is an owner.
    creator text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('editor', 'viewer')),
    name text NOT NULL,
    uses integer NOT NULL DEFAULT 0,
    uses_max integer,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX invites_by_scope ON invites (scope, created_at);
CREATE INDEX invites_by_expiry ON invites (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE document_links (
    id text PRIMARY KEY,
    document uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    -- Whose rights it borrows, as a document token does.
    account text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('editor', 'viewer')),
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX document_links_by_document ON document_links (document, created_at);
CREATE INDEX document_links_by_account ON document_links (account);
CREATE INDEX document_links_by_expiry ON document_links (expires_at) WHERE expires_at IS NOT NULL;
