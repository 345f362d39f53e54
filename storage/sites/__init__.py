"""Published sites in the database: whose they are, where they are reached, and their settings.

What a site holds lies elsewhere: the list of its files is a document of records, every Markdown
file a text document of the site's scope, all other bytes are blobs (`server.sites`).
"""

from storage.sites.records import KIND, LIST, SETTINGS, NewSite, Site
from storage.sites.store import Sites

__all__ = ["KIND", "LIST", "SETTINGS", "NewSite", "Site", "Sites"]
