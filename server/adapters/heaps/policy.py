"""Who may use this API's routes: a login, or a personal token with a scope of `heaps`."""

from server.adapter import ACCOUNT

READ = ACCOUNT.reading("heaps")
"""Routes that change nothing."""
WRITE = ACCOUNT.writing("heaps")
"""Routes that change what workspaces hold."""
