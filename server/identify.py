"""From a token to a principal, in a few microseconds once the token was seen.

A token's signature and claims are checked once. What may change, whether the account is active and
the login not revoked, hangs on the account's version (see `server.watch`): a known token costs a
hash and two look-ups, an unknown one a signature check and one query.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from aiohttp import web

from auth.errors import Unauthorized
from auth.links import Links as Signed
from auth.opaque import LINK_PREFIX, prefix_in
from auth.personal import is_personal, read_scopes
from auth.principal import Kind, Principal, Role
from auth.tokens import Claims, Tokens
from server.cache import Cache
from server.hosts import Hosts
from server.uses import Uses
from server.watch import ACCOUNT, Watch
from storage.access_tokens import AccessToken, AccessTokens
from storage.credentials import Credentials, Standing
from storage.links import Links, Opens


class Credential(NamedTuple):
    """What the worth of a token hangs on: an access token's login, any other token itself.

    So the next access token of a login that is known costs no query.
    """

    account: str
    kind: Kind
    id: str
    issued_at: float = 0.0
    via: str = ""

    @classmethod
    def of(cls, principal: Principal) -> Credential:
        """The credential that a principal was identified by."""
        account = principal.account
        if principal.kind in {Kind.ACCESS, Kind.SESSION}:
            return cls(account, Kind.ACCESS, principal.family or "")
        if principal.kind is Kind.PERSONAL:
            return cls(account, Kind.PERSONAL, principal.token)
        return cls(account, Kind.DOCUMENT, principal.token, principal.issued_at, principal.via)


Read: TypeAlias = Callable[[str, bytes, float], Awaitable[Principal]]


class _Known:
    """A token that was verified: what it says, and whom it made of that at last."""

    __slots__ = ("credential", "principal", "said", "standing")

    def __init__(self, said: Principal) -> None:
        self.said = said
        """What follows from the token alone."""
        self.credential = Credential.of(said)
        self.standing: Standing | None = None
        self.principal: Principal | None = None


class Identify:
    """Says who is asking, whatever kind of token is shown."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        cookies: Signed,
        credentials: Credentials,
        personal: AccessTokens,
        links: Links,
        watch: Watch,
        hosts: Hosts,
        entries_max: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._cookies = cookies
        self._credentials = credentials
        self._personal = personal
        self._links = links
        self.uses = Uses(personal, clock)
        self._hosts = hosts
        self._clock = clock
        self._entries_max = entries_max
        self._known: dict[bytes, _Known] = {}
        self._standings: Cache[Credential, Standing] = Cache(
            watch, ACCOUNT, self._load, lambda credential: credential.account, entries_max
        )

    async def from_token(
        self, token: str, api: str | None = None, *, files: bool = False
    ) -> Principal:
        """Who a token speaks for at an API; with none, personal tokens are not taken.

        Those for files are taken only with `files`: they stand in URLs, and must open no document.
        Raises Unauthorized, Forbidden for a personal token without a scope for that API, or
        Unavailable with the database away.
        """
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        principal = (await self._verified(token, digest, self._read)).within(api)
        if principal.kind is Kind.FILE and not files:
            raise Unauthorized("token_type")
        if principal.kind is Kind.PERSONAL:
            self.uses.note(principal.token)
        return principal

    async def from_cookie(self, text: str) -> Principal:
        """Who a session cookie speaks for; it is no token, nor a token a cookie. Raises alike."""
        digest = sha256(b"cookie " + text.encode("utf-8", "surrogatepass")).digest()
        return await self._verified(text, digest, self._read_cookie)

    async def _verified(self, token: str, digest: bytes, read: Read) -> Principal:
        return self.peek(digest) or await self._identify(token, digest, read)

    def peek(self, digest: bytes) -> Principal | None:
        """Who a token of this SHA-256 speaks for, if that is known without a question."""
        known = self._known.get(digest)
        if known is None or (principal := known.principal) is None:
            return None
        is_kept = self._standings.peek(known.credential) is known.standing
        return principal if is_kept and not principal.is_expired(self._clock()) else None

    async def from_request(
        self, request: web.Request, *, query_token: bool = False, api: str | None = None
    ) -> Principal:
        """Who a request's bearer token, or its `?token=` where that counts, speaks for."""
        return await self.from_token(bearer_of(request, query_token=query_token), api, files=True)

    async def holds(self, principal: Principal) -> bool:
        """Whether the account still stands, and the login or token was not revoked since."""
        try:
            standing = await self._standings.get(Credential.of(principal))
        except Unauthorized:
            return False
        return standing.is_live

    def remote(self, request: web.BaseRequest) -> str:
        """The address of the client, as the trusted proxies give it."""
        return self._hosts.remote(request)

    def prune(self) -> None:
        """Forget what nobody used for a while, and tokens that have expired."""
        self._standings.prune()
        now = self._clock()
        for digest, known in list(self._known.items()):
            if known.credential not in self._standings or known.said.is_expired(now):
                del self._known[digest]

    async def _identify(self, token: str, digest: bytes, read: Read) -> Principal:
        now = self._clock()
        known = self._known.get(digest)
        if known is None or known.said.is_expired(now):
            known = _Known(await read(token, digest, now))
        standing = await self._standings.get(known.credential)
        if not standing.is_live:
            raise Unauthorized("token_revoked")
        principal = known.said
        if principal.document is None:
            principal = replace(
                principal,
                device=standing.device,
                is_admin=standing.is_admin,
                default_workspace=standing.default_workspace,
            )
        known.standing, known.principal = standing, principal
        self._known[digest] = known
        if len(self._known) > self._entries_max:
            del self._known[next(iter(self._known))]
        return principal

    async def _read(self, token: str, digest: bytes, now: float) -> Principal:
        """What a token that was not seen before says."""
        if prefix_in(token) == LINK_PREFIX:
            opens = await self._links.find(digest)
            said = None if opens is None else _of_link(opens)
        elif is_personal(token):
            found = await self._personal.find(digest)
            said = None if found is None else _of_personal(found)
        else:
            return _of_claims(self._tokens.verify(token, now))
        if said is None:
            raise Unauthorized("token_invalid")
        if said.is_expired(now):
            raise Unauthorized("token_expired")
        return said

    async def _read_cookie(self, text: str, digest: bytes, now: float) -> Principal:
        del digest
        said = self._cookies.verify(text, now)
        return Principal(
            kind=Kind.SESSION,
            account=str(said["sub"]),
            family=str(said["fam"]),
            expires_at=float(said["until"] or 0),
        )

    async def _load(self, credential: Credential) -> tuple[Standing, int]:
        account, kind, token, issued_at, via = credential
        if kind is Kind.ACCESS:
            standing = await self._credentials.standing_of_login(account, token)
        elif kind is Kind.PERSONAL:
            standing = await self._personal.standing(account, token)
        else:
            standing = await self._credentials.standing_of_document_token(
                account, token, issued_at, via
            )
        if standing is None:
            raise Unauthorized("token_revoked")
        return standing, standing.auth_version


def bearer_of(request: web.Request, *, query_token: bool = False) -> str:
    """The token in a request; Unauthorized when there is none, or more than one."""
    headers = request.headers.getall("Authorization", [])
    if len(headers) > 1:
        raise Unauthorized("token_invalid")
    if headers:
        scheme, _, token = headers[0].partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("token_invalid")
        return token.strip()
    found = request.query.getall("token", []) if query_token else []
    if len(found) > 1:
        raise Unauthorized("token_invalid")
    if not found or not found[0]:
        raise Unauthorized("token_missing")
    return found[0]


def _of_claims(claims: Claims) -> Principal:
    """What a signed token says; the account's part is added once its standing is known."""
    if claims.typ is Kind.ACCESS:
        return Principal(
            kind=Kind.ACCESS,
            account=claims.sub,
            family=claims.fam,
            token=claims.jti,
            issued_at=claims.iat,
            expires_at=claims.expires_at,
        )
    return Principal(
        kind=claims.typ,
        account=claims.sub,
        token=claims.jti,
        issued_at=claims.iat,
        expires_at=claims.expires_at,
        via=claims.via,
        role_max=Role.of(claims.role or ""),
        document=claims.doc,
        document_scope=claims.scope,
        document_name=claims.name,
        display=claims.dsp,
    )


def _of_personal(token: AccessToken) -> Principal:
    """What a personal token says."""
    return Principal(
        kind=Kind.PERSONAL,
        account=token.account,
        token=token.id,
        issued_at=token.created_at,
        expires_at=token.expires_at,
        scopes=read_scopes(token.scopes),
    )


def _of_link(opens: Opens) -> Principal:
    """What a link says: it is a document token that is kept."""
    link = opens.link
    return Principal(
        kind=Kind.DOCUMENT,
        account=link.account,
        token=link.id,
        issued_at=link.created_at,
        expires_at=link.expires_at,
        via=link.id,
        role_max=link.role,
        document=link.document,
        document_scope=opens.scope,
        document_name=opens.document_name,
        display=link.name,
    )


IDENTIFY = web.AppKey("identify", Identify)
