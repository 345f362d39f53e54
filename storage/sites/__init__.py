"""Published sites in the database: whose they are, where they are reached, and their settings.

What a site holds lies elsewhere: the list of its files is a document of records, every Markdown
file a text document of the site's scope, all other bytes are blobs (`server.sites`).
"""

from storage.sites.bases import Bases
from storage.sites.devices import DeviceCode, DeviceCodes
from storage.sites.github import GitHub, Installation, Repository
from storage.sites.people import Profile, Profiles
from storage.sites.records import KIND, LIST, SETTINGS, NewSite, Site
from storage.sites.store import Sites

__all__ = [
    "KIND",
    "LIST",
    "SETTINGS",
    "Bases",
    "DeviceCode",
    "DeviceCodes",
    "GitHub",
    "Installation",
    "NewSite",
    "Profile",
    "Profiles",
    "Repository",
    "Site",
    "Sites",
]
