-- How many bytes the documents of a scope take, as of their latest stamps: kept beside the counts of
-- the longest stretches, so that the statistics of a workspace read no document's row.

ALTER TABLE changes ADD COLUMN size bigint NOT NULL DEFAULT 0;
UPDATE changes c SET size = h.log_bytes + h.snapshot_bytes FROM heads h
WHERE h.document = c.document AND c.collection = '';

-- Of documents that are there or in the trash; 0 in shorter stretches.
ALTER TABLE change_counts ADD COLUMN bytes bigint NOT NULL DEFAULT 0;
UPDATE change_counts t SET bytes = f.bytes FROM (
    SELECT scope, stamp >> 33 AS stretch, sum(size)::bigint AS bytes FROM changes
    WHERE collection = '' AND (NOT deleted OR trashed) GROUP BY 1, 2
) f WHERE t.scope = f.scope AND t.bits = 33 AND t.stretch = f.stretch;

DROP INDEX block_texts_with_files;
CREATE INDEX block_texts_with_files ON block_texts (scope) INCLUDE (files, file_bytes)
    WHERE files > 0;
DROP INDEX changes_trashed;
CREATE INDEX changes_trashed ON changes (scope, stamp) INCLUDE (document) WHERE trashed;
