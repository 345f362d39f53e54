"""An offline device: a folder of Markdown notes that follows a workspace over REST.

An example to copy. `server` speaks to the API, `shelf` keeps what the device knows on disk, `note`
is one block and its file, `files` looks at the folder and writes it, `sync` is the whole round.
"""
