-- What a site has to know of each note (title, links, words), as it was read at a head of its log.
-- It can be made again of the text at any time.
CREATE TABLE note_facts (
    document uuid PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
    head bigint NOT NULL,
    facts bytea NOT NULL
);
