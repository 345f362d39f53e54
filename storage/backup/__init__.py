"""A server's whole data in a folder, back again, and the proof that all of it fits together.

    backup.json          when, by which version, at which migration; rows and SHA-256 of each table
    tables/NAME.copy     each table in PostgreSQL's binary form, all of them of one moment
    blobs/ab/HASH        bytes of files, under their SHA-256
    keys/                the server's keys, where they lie in its data folder

`backup.json` is written last, so a folder without it is no backup. `tables` writes and reads the
tables, `rewinding` takes a database back in time, `verifying` rebuilds every document from its log.
"""
