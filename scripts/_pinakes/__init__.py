"""A device of a Pinakes library: a folder that follows it, and an example to copy.

`remote` speaks to the API, `index` keeps what the device knows, `folder` looks at the files and
writes them, `sync` is the whole round: report, upload, pull, acknowledge.
"""
