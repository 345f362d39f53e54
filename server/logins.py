"""Logging in: a signed challenge becomes a pair of tokens, a refresh token the next pair.

Cheap checks come first: shape, then the seal of the challenge, then the signature. Only a caller
who has really signed a challenge of ours reaches the database.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from auth.challenge import NONCE_BYTES, Challenges, read_server_challenge
from auth.errors import AccountDisabled, ApprovalRequired, Unauthorized
from auth.keys import encode_base58, read_public_key, read_signature, verify
from auth.links import Claim, Links
from auth.refresh import SECRET_BYTES, RefreshTokens, digest
from auth.registration import Admission, admit, code_fits, effective_mode
from auth.tokens import Tokens
from crdt.ids import make_ulid
from server.hosts import Hosts
from server.keyring import Keyring
from server.settings import Settings
from storage.accounts import Account, Accounts, Login, Newcomer
from storage.credentials import Credentials


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What a caller sends to log in, still as text."""

    public_key: str
    message: str
    signature: str
    server_challenge: str | None = None
    email: str = ""
    setup_code: str | None = None
    register: bool = True
    """Whether a key that nobody has makes an account."""
    is_local: bool = False
    """Whether the request came straight from this machine (see `Hosts.is_local`)."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An access token and the refresh token for the next one."""

    access: str
    refresh: str


@dataclass(frozen=True, kw_only=True)
class LoggedIn:
    """A login that succeeded."""

    account: Account
    device: str
    pair: Pair
    server_signature: str | None
    """Base58 signature of the identity key over the caller's `server_challenge`."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A login that a browser keeps as a cookie."""

    account: Account
    family: str
    cookie: str
    expires_at: float
    """Epoch seconds."""
    server_signature: str | None


class Logins:
    """The login of one server."""

    def __init__(
        self,
        *,
        settings: Settings,
        keyring: Keyring,
        hosts: Hosts,
        tokens: Tokens,
        cookies: Links,
        accounts: Accounts,
        credentials: Credentials,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._keyring = keyring
        self._hosts = hosts
        self._tokens = tokens
        self._cookies = cookies
        self._accounts = accounts
        self._credentials = credentials
        self._clock = clock
        self._refresh = RefreshTokens(*keyring.signing.derive_all("refresh-token"))
        self._secrets = keyring.signing.derive_all("login-challenge")

    def challenge(self, public_key: str) -> str:
        """A text to sign; the same for known and unknown keys, and nothing is stored for it."""
        key = read_public_key(public_key)
        return self._challenges().issue(key, self._clock(), secrets.token_bytes(NONCE_BYTES))

    async def log_in(self, attempt: Attempt) -> LoggedIn:
        """Check a signed challenge, make the account if registration allows, open a login.

        Raises BadCredential (shape), Unauthorized (challenge or signature), ApprovalRequired,
        AccountDisabled, RegistrationClosed, RegistrationFull.
        """
        account, device, signature = await self._admit(attempt)
        pair = await self._open(account, device)
        return LoggedIn(account=account, device=device, pair=pair, server_signature=signature)

    async def open_session(self, attempt: Attempt, client: str) -> Session:
        """The same for a browser: a cookie takes the place of the tokens. Raises as `log_in`.

        `client` is how the browser calls itself, for the list of sessions.
        """
        account, device, signature = await self._admit(attempt)
        family, now = self._id(), self._clock()
        lifetime_s = self._settings.session_s
        # No refresh token has this digest: the cookie is never renewed by one.
        await self._keep(account, device, family, secrets.token_bytes(32), lifetime_s, client)
        claims: dict[str, Claim] = {
            "sub": account.id,
            "fam": family,
            "until": int(now) + lifetime_s,
        }
        cookie = self._cookies.mint(claims, now=now, lifetime_s=lifetime_s)
        return Session(
            account=account,
            family=family,
            cookie=cookie,
            expires_at=int(now) + lifetime_s,
            server_signature=signature,
        )

    async def _admit(self, attempt: Attempt) -> tuple[Account, str, str | None]:
        """Whose signed challenge it is, on which device, and our own signature if one is asked."""
        asked = attempt.server_challenge
        to_sign = None if asked is None else read_server_challenge(asked)
        key, login = await self._check(attempt.public_key, attempt.message, attempt.signature)
        if login.account is None or login.device is None:
            if not attempt.register:
                raise Unauthorized("key_unknown")
            account, device = await self._register(key, attempt)
        else:
            account, device = login.account, login.device
        if not account.is_admin and code_fits(self._keyring.signing, attempt.setup_code):
            # Who came without the code at first would wait for ever: nobody is there to approve.
            account = await self._accounts.crown(account.id) or account
        if account.state == "pending":
            raise ApprovalRequired
        if account.state != "active":
            raise AccountDisabled
        return account, device, self._sign(to_sign)

    async def prove(self, public_key: str, message: str, signature: str) -> bytes:
        """The key that signed a challenge of its own, for a device that is to be let in.

        Raises BadCredential and Unauthorized, as `log_in` does.
        """
        key, _ = await self._check(public_key, message, signature)
        return key

    async def renew(self, refresh_token: str) -> Pair:
        """The next pair for a refresh token; Unauthorized when it is not good (any more)."""
        shown = self._refresh.read(refresh_token)
        now = self._clock()
        following = self._refresh.mint(shown.family, secrets.token_bytes(SECRET_BYTES))
        renewed = await self._credentials.renew(
            shown,
            digest(following),
            now=now,
            expires_at=now + self._settings.refresh_token_s,
            grace_s=self._settings.refresh_grace_s,
        )
        return Pair(access=self.access_for(renewed.account, renewed.family), refresh=following)

    async def _check(self, public_key: str, message: str, signature: str) -> tuple[bytes, Login]:
        """A key that signed its challenge, which is used up by that, and whose it is."""
        key = read_public_key(public_key)
        signatures = read_signature(signature)
        signed = self._challenges().check(message, key, self._clock())
        if not verify(key, message.encode(), signatures):
            raise Unauthorized("signature_invalid")
        login = await self._accounts.login(key, signed.digest, signed.expires_at)
        if not login.is_fresh:
            raise Unauthorized("challenge_used")
        return key, login

    def _challenges(self) -> Challenges:
        # Made anew because the public URL is known only once the server listens.
        server = self._hosts.public_url.partition("://")[2]
        secret, *others = self._secrets
        return Challenges(secret, server, self._settings.challenge_s, others)

    async def _register(self, key: bytes, attempt: Attempt) -> tuple[Account, str]:
        mode = effective_mode(self._settings.registration, is_loopback=attempt.is_local)
        fits = code_fits(self._keyring.signing, attempt.setup_code)

        def decide(has_administrator: bool) -> Admission:  # noqa: FBT001 (the store asks it so)
            return admit(
                mode,
                has_administrator=has_administrator,
                is_loopback=attempt.is_local,
                code_fits=fits,
            )

        newcomer = Newcomer(
            account=self._id(),
            workspace=self._id(),
            device=self._id(),
            key=key,
            # A hint for people; what cannot be shown cannot help them.
            email_hint="".join(c for c in attempt.email if c.isprintable()),
        )
        return await self._accounts.register(newcomer, decide, self._settings.accounts_pending_max)

    async def _open(self, account: Account, device: str) -> Pair:
        family = self._id()
        refresh = self._refresh.mint(family, secrets.token_bytes(SECRET_BYTES))
        lifetime_s = self._settings.refresh_token_s
        await self._keep(account, device, family, digest(refresh), lifetime_s)
        return Pair(access=self.access_for(account.id, family), refresh=refresh)

    async def _keep(  # noqa: PLR0917 (what a login is made of)
        self,
        account: Account,
        device: str,
        family: str,
        shown: bytes,
        lifetime_s: int,
        client: str = "",
    ) -> None:
        now = self._clock()
        await self._credentials.open(
            account=account.id,
            device=device,
            family=family,
            digest=shown,
            now=now,
            expires_at=now + lifetime_s,
            most=self._settings.logins_per_account_max,
            client=client,
        )

    def access_for(self, account: str, family: str) -> str:
        """A short-lived access token of a login; the caller has seen that it stands."""
        return self._tokens.mint_access(
            account=account,
            family=family,
            now=self._clock(),
            lifetime_s=self._settings.access_token_s,
            random_bytes=secrets.token_bytes(16),
        )

    def _sign(self, to_sign: bytes | None) -> str | None:
        if to_sign is None:
            return None
        return encode_base58(self._keyring.identity.sign(to_sign))

    def _id(self) -> str:
        return make_ulid(int(self._clock() * 1000), secrets.token_bytes(10))
