-- Up to which row of its log the records of a document were stamped in the change feed. Only
-- documents that hold collections have one.

CREATE TABLE record_marks (
    document uuid PRIMARY KEY REFERENCES documents (id),
    lineage bigint NOT NULL,
    sequence bigint NOT NULL
);
