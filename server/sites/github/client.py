"""The GitHub App as it speaks to GitHub's REST API: installations, repositories, trees, bytes.

An installation's token reads what its owner chose and nothing else; it is asked for when it is
needed and kept for most of its hour. Whether somebody may use an installation at all is for the
caller to know first (`storage.sites.GitHub`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import gidgethub
import msgspec
from gidgethub import apps
from gidgethub.aiohttp import GitHubAPI

from server.errors import ApiError
from storage.sites import Repository

if TYPE_CHECKING:
    from server.settings import Settings

NAME: Final = "plait"
PAGES_MAX: Final = 100
"""Pages of 100 repositories that are read of one installation."""
_TOKEN_S: Final = 3000.0
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_RAW: Final = "application/vnd.github.raw+json"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=10, sock_read=60)


class GitHubError(ApiError):
    """GitHub did not answer as it should; nothing of ours is wrong."""

    def __init__(self, problem: str) -> None:
        super().__init__(502, "github_error", f"GitHub did not answer: {problem[:200]}")


class NotConfigured(ApiError):
    """This server has no GitHub App."""

    def __init__(self) -> None:
        super().__init__(501, "not_configured", "this server is not connected to GitHub")


class Account(msgspec.Struct, frozen=True):
    """Whose an installation is, at GitHub."""

    login: str
    kind: str
    updated_at: float
    """Epoch seconds of its last change."""


class Entry(msgspec.Struct, frozen=True):
    """A file in a commit."""

    path: str
    sha: str
    size: int


def is_repository(text: str) -> bool:
    """Whether a text can be the full name of a repository."""
    return _REPOSITORY.fullmatch(text) is not None and ".." not in text


class GitHubApp:
    """Speaks for the App. Methods raise NotConfigured and GitHubError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._tokens: dict[int, tuple[str, float]] = {}
        self._locks: dict[int, asyncio.Lock] = {}

    @property
    def is_configured(self) -> bool:
        """Whether the settings say all that it takes."""
        settings = self._settings
        return bool(settings.github_app_id and settings.github_app_slug and settings.github_app_key)

    def require(self) -> None:
        """Raise NotConfigured unless there is an App."""
        if not self.is_configured:
            raise NotConfigured

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()

    async def account(self, installation: int) -> Account | None:
        """Whose an installation is; None where GitHub knows none."""
        with _telling():
            try:
                found = await self._api().getitem(
                    "/app/installations/{id}", {"id": str(installation)}, jwt=self._jwt()
                )
            except gidgethub.HTTPException as error:
                if error.status_code == 404:
                    return None
                raise
        owner = found["account"]
        updated = datetime.fromisoformat(found["updated_at"]).timestamp()
        return Account(str(owner["login"]), str(owner["type"]), updated)

    async def repositories(self, installation: int) -> list[Repository]:
        """What an installation may read, all pages of it."""
        found = []
        with _telling():
            pages = self._api().getiter(
                "/installation/repositories?per_page=100",
                oauth_token=await self._token(installation),
                iterable_key="repositories",
            )
            async for each in pages:
                found.append(repository_of(each))
                if len(found) >= 100 * PAGES_MAX:
                    break
        return found

    async def commit(self, installation: int, repository: str, branch: str) -> str | None:
        """The newest commit of a branch; None where there is none."""
        owner, _, name = repository.partition("/")
        with _telling():
            try:
                found = await self._api().getitem(
                    "/repos/{owner}/{name}/branches/{branch}",
                    {"owner": owner, "name": name, "branch": branch},
                    oauth_token=await self._token(installation),
                )
            except gidgethub.HTTPException as error:
                if error.status_code == 404:
                    return None
                raise
        return str(found["commit"]["sha"])

    async def tree(self, installation: int, repository: str, commit: str) -> list[Entry]:
        """The files of a commit; links and modules are none."""
        owner, _, name = repository.partition("/")
        with _telling():
            found = await self._api().getitem(
                "/repos/{owner}/{name}/git/trees/{commit}?recursive=1",
                {"owner": owner, "name": name, "commit": commit},
                oauth_token=await self._token(installation),
            )
        if found.get("truncated"):
            raise GitHubError("the repository has too many files")
        return [
            Entry(each["path"], each["sha"], int(each.get("size", 0)))
            for each in found["tree"]
            if each["type"] == "blob" and each.get("mode") != "120000"
        ]

    async def blob(self, installation: int, repository: str, sha: str) -> AsyncIterator[bytes]:
        """The bytes of a file, as they come."""
        headers = {
            "Accept": _RAW,
            "Authorization": f"Bearer {await self._token(installation)}",
            "User-Agent": NAME,
        }
        url = f"{self._settings.github_api_url.rstrip('/')}/repos/{repository}/git/blobs/{sha}"
        try:
            async with self._http().get(url, headers=headers, timeout=_TIMEOUT) as response:
                if response.status != 200:
                    raise GitHubError(f"status {response.status} for a file")
                async for piece in response.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise GitHubError(str(error)) from error

    # -- in common ----------------------------------------------------------------------

    async def _token(self, installation: int) -> str:
        """An installation's token, shared by all who need it at a time."""
        lock = self._locks.setdefault(installation, asyncio.Lock())
        async with lock:
            token, until = self._tokens.get(installation, ("", 0.0))
            if time.monotonic() >= until:
                made = await self._api().post(
                    "/app/installations/{id}/access_tokens",
                    {"id": str(installation)},
                    data=b"",
                    jwt=self._jwt(),
                )
                token = str(made["token"])
                self._tokens[installation] = (token, time.monotonic() + _TOKEN_S)
        return token

    def forget(self, installation: int) -> None:
        """An installation is gone or suspended: so is its token."""
        self._tokens.pop(installation, None)
        self._locks.pop(installation, None)

    def _jwt(self) -> str:
        self.require()
        key = self._settings.github_app_key
        if not key.startswith("-----BEGIN"):
            key = Path(key).expanduser().read_text("ascii")
        return apps.get_jwt(app_id=self._settings.github_app_id, private_key=key)

    def _api(self) -> GitHubAPI:
        self.require()
        return GitHubAPI(self._http(), NAME, base_url=self._settings.github_api_url.rstrip("/"))

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self._session


def repository_of(said: dict[str, Any]) -> Repository:
    """A repository as GitHub tells of it."""
    return Repository(
        repository=int(said["id"]),
        name=str(said["name"]),
        full_name=str(said["full_name"]),
        is_private=bool(said["private"]),
    )


@contextlib.contextmanager
def _telling() -> Any:  # noqa: ANN401 (a context manager)
    """Raise GitHubError for whatever goes wrong at GitHub or on the way."""
    try:
        yield
    except gidgethub.GitHubException as error:
        raise GitHubError(str(error)) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise GitHubError(str(error) or type(error).__name__) from error
    except (KeyError, TypeError, ValueError) as error:
        raise GitHubError("its answer cannot be read") from error
