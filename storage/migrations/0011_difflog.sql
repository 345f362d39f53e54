-- Profiles of difflog: what of them may not stand in a document that everybody in its room reads.

CREATE TABLE difflog_profiles (
    id text PRIMARY KEY,
    -- Another one after each change of the password, so that old ciphertext and old sockets go.
    document uuid NOT NULL UNIQUE REFERENCES documents (id),
    -- See auth/passwords.py; of what the client made of the password.
    password_hash text NOT NULL,
    -- The client's salt: public, for those who know the password and nothing else.
    password_salt text,
    -- Ciphertext of keys, with the salt that the content was encrypted with.
    encrypted_api_key text NOT NULL,
    salt text NOT NULL,
    keys_hash text,
    failures integer NOT NULL DEFAULT 0,
    failed_at timestamptz,
    locked_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Who published a diff first keeps its public address.
CREATE TABLE difflog_public (
    diff text PRIMARY KEY,
    profile text NOT NULL REFERENCES difflog_profiles (id) ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX difflog_public_by_profile ON difflog_public (profile, at);

-- Share codes and the command line's login: something small under a code, for a few minutes.
CREATE TABLE difflog_codes (
    kind text NOT NULL,
    code text NOT NULL,
    value text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (kind, code)
);
CREATE INDEX difflog_codes_by_expiry ON difflog_codes (expires_at);
