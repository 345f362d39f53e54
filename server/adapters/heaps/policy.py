"""Who may use this API's routes: a login, or a personal token with a scope of `heaps`."""

from server.adapter import ACCOUNT

API = "heaps"
"""The name in scopes of personal tokens."""
READ = ACCOUNT.reading(API)
"""Routes that change nothing."""
WRITE = ACCOUNT.writing(API)
"""Routes that change what workspaces hold."""
