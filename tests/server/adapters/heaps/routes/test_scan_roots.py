"""Where accounts may scan, as administrators say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import bob, serve

__all__ = ["bob", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def put(guest: Guest, account: str, path: str, status: int = 200) -> dict[str, Any]:
    """Set an account's root."""
    url = f"/api/admin/accounts/{account}/scan_root"
    async with guest.http.put(url, json={"path": path}, headers=guest.bearer) as response:
        answer = await response.json()
        assert response.status == status, answer
        return dict(answer)


async def test_a_root_is_given_and_taken(serve: Any, tmp_path: Path) -> None:
    """By an administrator; with it the account scans, without it nothing."""
    inside: Inside = await serve(registration="open")
    (tmp_path / "a.txt").write_text("words")
    async with inside.visitor() as admin, inside.visitor() as ada:
        await inside.accounts.set_admin(admin.account, is_admin=True)
        heap = await made(ada)
        await ask(ada, "/api/scan_folder", 403, path=str(tmp_path), heap_id=heap)
        given = await put(admin, ada.account, f"{tmp_path}/")
        shown = await call(admin, "GET", f"/api/admin/accounts/{ada.account}/scan_root")
        await ask(ada, "/api/scan_folder", path=str(tmp_path), heap_id=heap)
        for bad in ("relative", "/", str(tmp_path / "a.txt"), "/nowhere/at/all"):
            await put(admin, ada.account, bad, 400)
        await put(admin, "nobody", str(tmp_path), 404)
        await put(ada, ada.account, "/etc", 403)
        await call(admin, "DELETE", f"/api/admin/accounts/{ada.account}/scan_root")
        await ask(ada, "/api/scan_folder", 403, path=str(tmp_path), heap_id=heap)

    assert given["path"] == shown["path"] == str(tmp_path.resolve())
