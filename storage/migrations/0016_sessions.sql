-- A login of a browser: a cookie stands for it, and nothing renews it.

ALTER TABLE refresh_families
    -- How the browser calls itself; empty for a login with tokens.
    ADD COLUMN client text NOT NULL DEFAULT '';
