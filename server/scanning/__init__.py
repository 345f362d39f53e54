"""Folders of this machine, scanned: a block for each file, kept in step.

    rooted     which folder a request means, and that it lies in what its account may scan
    ignoring   `.heaperignore`
    walking    what lies in a folder, in batches; no link is followed
    reading    a file's bytes and hash, opened without following a link
    scan       one scan: what is new, changed, moved, twice there, gone
    filling    blocks and files for what a scan found
    renewing   facts and pictures of files that are there, made again
    describing facts of files that came, told to their blocks
    jobs       who works on what: begun, aborted, taken over after a crash; who is told
    watching   folders whose changes start a scan

What blocks runs in threads. A scan may be begun twice, by two nodes or after a crash, and does the
rest only.
"""
