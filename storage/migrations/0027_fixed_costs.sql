-- What a delta, and what each minute costs a server must not grow with what it holds.

-- Rows of ascently_moments, counted, so that nobody reads them all to find the oldest.
ALTER TABLE ascently_datasets ADD COLUMN moments integer NOT NULL DEFAULT 0;
UPDATE ascently_datasets a SET moments = m.moments
FROM (SELECT document, count(*)::integer AS moments FROM ascently_moments GROUP BY 1) m
WHERE m.document = a.document;

-- Sites that were removed, by whatever: what is left of them is looked for here, once a minute, and
-- not among all uses of bytes and all workspaces that ever ended. Kept for a day after that.
CREATE TABLE sites_gone (
    site text PRIMARY KEY,
    scope text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION note_site_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sites_gone (site, scope) VALUES (OLD.id, OLD.scope) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER sites_gone AFTER DELETE ON sites FOR EACH ROW EXECUTE FUNCTION note_site_gone();

CREATE INDEX blob_uses_by_site ON blob_uses (split_part(holder, '/', 1))
    WHERE kind IN ('site', 'site-base');

-- Of those that went before, which of their names belong together is not known any more.
INSERT INTO sites_gone (site, scope)
SELECT DISTINCT split_part(holder, '/', 1), '' FROM blob_uses u
WHERE kind IN ('site', 'site-base')
  AND NOT EXISTS (SELECT FROM sites s WHERE s.id = split_part(u.holder, '/', 1));
INSERT INTO sites_gone (site, scope)
SELECT s.id, s.id FROM scopes s WHERE s.kind = 'site' AND s.deleted_at IS NOT NULL
  AND EXISTS (SELECT FROM documents d WHERE d.scope = s.id AND d.purged_at IS NULL)
ON CONFLICT DO NOTHING;
