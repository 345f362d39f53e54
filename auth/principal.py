"""Who is asking: an account, one of its tokens, and the most that may ever do."""

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from uuid import UUID

from auth.errors import Forbidden
from auth.personal import Scope


class Role(IntEnum):
    """What somebody may do to a document or in a workspace; a higher one includes the lower."""

    NONE = 0
    VIEWER = 1
    EDITOR = 2
    OWNER = 3

    @property
    def word(self) -> str:
        """The role as it is stored and as APIs spell it: none, viewer, editor, owner."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Role":
        """The role of that word; NONE for any other text, so that a typing error gives nothing."""
        return _ROLES.get(word, cls.NONE)


_ROLES = {role.word: role for role in Role}


class Kind(StrEnum):
    """Which kind of credential was shown. A route names the kinds that it takes."""

    ACCESS = "access"
    DOCUMENT = "document"
    PERSONAL = "personal"
    PROFILE = "profile"
    """The password of one difflog profile, on sockets only."""
    FILE = "file"
    SESSION = "session"
    """A browser's cookie, which stands for a login as an access token does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """The answer to "who is asking?". It holds until `expires_at` or a change of its account.

    A document token is issued by an account and borrows its rights, so `account` is set there too:
    routes about the account itself must look at `kind`, as the routes' policies do.
    """

    kind: Kind
    account: str
    """The account that is asking, or that issued the document token."""
    device: str | None = None
    """The device (one key of the account) that logged in; None for a document token."""
    family: str | None = None
    """The login that an access token came from, or that a cookie stands for."""
    token: str = ""
    """The id (jti) of the token that was shown, or that of a personal token."""
    via: str = ""
    """What a document token ends with: the personal token it was asked for with, or a link."""
    scopes: tuple[Scope, ...] = ()
    """What a personal token opens."""
    issued_at: float = 0.0
    """When that was issued, in epoch seconds."""
    expires_at: float | None = None
    """Epoch seconds, the allowance for skewed clocks included; None does not expire."""
    role_max: Role = Role.OWNER
    """No right is ever above this one."""
    is_admin: bool = False
    """An administrator of this server; says nothing about other people's documents."""
    default_workspace: str | None = None
    """Where names without a workspace belong; None for a document token."""
    document: UUID | None = None
    """The one document that a document token opens; None: all that the account may open."""
    document_scope: str | None = None
    document_name: str | None = None
    display: str = ""
    """A name to show, as the issuer of a document token gave it; never a proof of anything."""

    def is_expired(self, now: float) -> bool:
        """Whether this answer is no longer good at `now` (epoch seconds)."""
        return self.expires_at is not None and now >= self.expires_at

    def within(self, api: str | None) -> "Principal":
        """The same principal at one API, where a personal token may do what its scope says.

        Raises Forbidden where it has none, and where a login is wanted (no API).
        """
        if self.kind is not Kind.PERSONAL:
            return self
        if api is None:
            raise Forbidden("login_required")
        for scope in self.scopes:
            if scope.api == api:
                return self if scope.writes else replace(self, role_max=Role.VIEWER)
        raise Forbidden("scope_missing")
