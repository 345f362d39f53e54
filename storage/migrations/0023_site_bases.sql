-- Which bytes of a Markdown file each client had last: what it brings next is compared with those.

CREATE TABLE site_bases (
    site text NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    path text NOT NULL,
    -- A token, or a device that is logged in.
    client text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, path, client)
);
