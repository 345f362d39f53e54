"""The requests of a device: log in; push, pull and delta of a workspace."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from nacl.signing import SigningKey

from scripts._load.login import login

TIMEOUT_S = 60.0

T = TypeVar("T")


class Unreachable(Exception):
    """The server did not answer, or asks to come back later: what was sent may be sent again."""


class Refused(Exception):
    """The server will not do it, however often it is asked."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        """Of the answer; 0: it was not even asked."""
        self.code = code
        """The word for it, where the answer had one."""


class Account:
    """A key's way to its account: logs in, says what went wrong in two words."""

    def __init__(self, url: str, key: SigningKey, setup_code: str = "") -> None:
        if not url.startswith(("http://", "https://")):
            raise Refused(f"{url} is no address of a server")
        self.url = url.rstrip("/")
        self._key = key
        self._setup_code = setup_code
        self._token = ""

    def _ask(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401  (JSON)
        """One request; a token that has ended is replaced once."""
        return self._reach(path, lambda: self._request(method, path, body))

    def _reach(self, path: str, work: Callable[[], T]) -> T:
        """Do what asks the server, with a token that holds. Raises Unreachable or Refused."""
        try:
            if not self._token:
                self._token = login(self.url, self._key, setup_code=self._setup_code).access_token
            try:
                return work()
            except urllib.error.HTTPError as error:
                if error.code != 401:
                    raise
            self._token = login(self.url, self._key).access_token
            return work()
        except urllib.error.HTTPError as error:
            said = error.read()
            if error.code in {408, 425, 429} or error.code >= 500:
                raise Unreachable(f"{self.url} answered {error.code}") from error
            shown = said.decode(errors="replace")[:500]
            message = f"{self.url}{path} answered {error.code}: {shown}"
            raise Refused(message, error.code, _code_in(said)) from error
        except (
            OSError,
            ValueError,
            http.client.HTTPException,
        ) as error:  # No answer, half an answer, or none of this API.
            why = error.reason if isinstance(error, urllib.error.URLError) else error
            raise Unreachable(f"{self.url} cannot be reached: {why}") from error

    def _request(self, method: str, path: str, body: Any) -> Any:  # noqa: ANN401
        data = None if body is None else json.dumps(body).encode()
        with self._open(method, path, data, {"Content-Type": "application/json"}) as response:
            return json.loads(response.read())

    def _open(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        said = {"Authorization": f"Bearer {self._token}", **headers}
        request = urllib.request.Request(self.url + path, data, said, method=method)  # noqa: S310
        answer: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310
            request, timeout=TIMEOUT_S
        )
        return answer


class Server(Account):
    """One account's way to its workspace. Every method may raise Unreachable or Refused."""

    def workspace(self, wanted: str | None) -> tuple[str, str | None]:
        """The id of the workspace to follow and of its root block: the one asked for, or mine."""
        found = self._ask("POST", "/api/heaps", {"include_shared": True})
        for one in found:
            if wanted in (None, one["heap_id"], one["title"]):
                return one["heap_id"], one.get("block_id")
        raise Refused(f"there is no workspace {wanted!r} that you may use")

    def push(self, workspace: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What became of each block."""
        blocks = [{"workspace_id": workspace, **item} for item in items]
        answer: dict[str, Any] = self._ask("POST", "/api/sync/push", {"blocks": blocks})
        return list(answer["results"])

    def pull(self, items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """What is missing of each block; those for which one answer has no room are asked again."""
        while items:
            answer = self._ask("POST", "/api/sync/pull", {"blocks": items})
            later = {r["block_id"] for r in answer["results"] if r["status"] == "later"}
            yield from (r for r in answer["results"] if r["status"] != "later")
            items = [item for item in items if item["block_id"] in later]

    def delta(self, workspace: str, since: int) -> dict[str, Any]:
        """One page of what changed."""
        query = f"?workspace_id={workspace}&since={since}"
        answer: dict[str, Any] = self._ask("GET", f"/api/sync/delta{query}")
        return answer


def _code_in(said: bytes) -> str:
    """The word of an error, where its body has one."""
    try:
        body = json.loads(said)
    except ValueError:
        return ""
    return str(body.get("error", "")) if isinstance(body, dict) else ""


def text64(data: bytes) -> str:
    """Bytes as the API writes them."""
    return base64.b64encode(data).decode()


def bytes64(text: str) -> bytes:
    """And back."""
    return base64.b64decode(text)
