"""Who may use this API's routes: a login, or a personal token with a scope of `heaps`."""

from server.adapter import ACCOUNT

API = "heaps"
"""The name in scopes of personal tokens."""
LOGIN = ACCOUNT.or_session()
"""Routes about the login itself: a browser's cookie is as good as an access token."""
READ = ACCOUNT.reading(API)
"""Routes that change nothing."""
WRITE = ACCOUNT.writing(API)
"""Routes that change what workspaces hold."""
