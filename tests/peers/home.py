"""Where a client is at home: a server, and the account or token it comes with."""

from dataclasses import dataclass, replace

from scripts._load.login import login
from tests.live import LiveServer


@dataclass(frozen=True)
class Home:
    """A server and what to say at its door."""

    server: LiveServer
    token: str
    workspace_id: str

    @classmethod
    def at(cls, server: LiveServer) -> "Home":
        """A new account."""
        account = login(server.url)
        return cls(server, account.access_token, account.workspace_id)

    @property
    def url(self) -> str:
        """The address for REST."""
        return self.server.url

    @property
    def ws(self) -> str:
        """The address for WebSockets, without a path."""
        return self.server.ws

    def holding(self, token: str) -> "Home":
        """The same place with another token."""
        return replace(self, token=token)
