-- How many changes lie behind a marker, counted in stretches of stamps of three lengths, so that
-- nobody counts a million rows to tell the total of a delta. See storage/tallies.py.

CREATE TABLE change_counts (
    scope text NOT NULL,
    -- A stretch holds the stamps that are alike but for so many of their last bits.
    bits smallint NOT NULL,
    stretch bigint NOT NULL,
    -- Documents that are there, and those that are told as deleted.
    live bigint NOT NULL,
    gone bigint NOT NULL,
    -- Those of the gone that lie in the trash.
    trashed bigint NOT NULL,
    PRIMARY KEY (scope, bits, stretch)
) WITH (fillfactor = 50);

ALTER TABLE changes ADD COLUMN trashed boolean NOT NULL DEFAULT false;
UPDATE changes c SET trashed = true FROM blocks b JOIN heads h USING (document)
WHERE c.document = b.document AND c.scope = b.scope AND c.collection = ''
  AND b.trashed_at IS NOT NULL AND b.removed_at IS NULL AND NOT h.deleted;
CREATE INDEX changes_trashed ON changes (scope, stamp) WHERE trashed;

INSERT INTO change_counts (scope, bits, stretch, live, gone, trashed)
SELECT scope, bits, stamp >> bits, count(*) FILTER (WHERE NOT deleted),
       count(*) FILTER (WHERE deleted), count(*) FILTER (WHERE trashed)
FROM changes CROSS JOIN unnest(ARRAY[12, 22, 33]) AS bits
WHERE collection = '' GROUP BY 1, 2, 3;

-- Blocks with files are few among many.
CREATE INDEX block_texts_with_files ON block_texts (scope) WHERE files > 0;
