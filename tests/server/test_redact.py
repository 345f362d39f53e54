"""Credentials in URLs stay out of logs."""

import logging

import aiohttp
import pytest
from aiohttp import web

from server.redact import AccessLogger, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/ws/notes?token=abc.def&x=1", "/ws/notes?token=***&x=1"),
        ("/d/a/ws/a?x=1&token=abc", "/d/a/ws/a?x=1&token=***"),
        ("/p?%74oken=abc", "/p?%74oken=***"),
        ("/p?TOKEN=abc", "/p?TOKEN=***"),
        ("/p?password_hash=abc#frag", "/p?password_hash=***#frag"),
        ("/cb?code=abc&state=def", "/cb?code=***&state=***"),
        ("/u?X-Amz-Signature=abc&part=1", "/u?X-Amz-Signature=***&part=1"),
        ("/ws?yauth=abc", "/ws?yauth=***"),
        ("GET http://h/p?token=abc HTTP/1.1", "GET http://h/p?token=*** HTTP/1.1"),
        ("/p?tokens=3&mytoken=4", "/p?tokens=3&mytoken=4"),
        ("/p?token=", "/p?token=***"),
        ("/token=abc", "/token=abc"),
        (f"/api/invite/plait_inv_{'aB-_' * 11}"[:-1], "/api/invite/plait_inv_***"),
        (f"bearer fs_pat_{'x' * 43}, twice", "bearer fs_pat_***, twice"),
        ("Authorization: Bearer abcdefgh12", "Authorization: Bearer ***"),
        ("token eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJ4In0.c2ln said", "token *** said"),
        ("plr_01ABC_secretsecret_sealseal is old", "plr_01ABC_*** is old"),
        (
            "cannot reach postgresql://ada:pa55@db/plait",
            "cannot reach postgresql://ada:***@db/plait",
        ),
        ("http://127.0.0.1:8080/a@b", "http://127.0.0.1:8080/a@b"),
        ("/api/a_long_name_without_any_secret", "/api/a_long_name_without_any_secret"),
        ("", ""),
    ],
)
def test_secret_parameters_are_hidden_and_others_stay(text: str, shown: str) -> None:
    """By their name, however it is written."""
    assert redact(text) == shown


async def test_the_access_log_shows_no_credentials(caplog: pytest.LogCaptureFixture) -> None:
    """Neither those of the URL nor those of the header."""
    runner = web.AppRunner(web.Application(), access_log_class=AccessLogger)
    with caplog.at_level(logging.DEBUG, "aiohttp.access"):
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        url = f"http://{host}:{port}/x?token=secret1"
        async with aiohttp.ClientSession() as session:
            await session.get(url, headers={"Authorization": "Bearer secret2"})
        await runner.cleanup()

    assert "/x?token=***" in caplog.text
    assert "secret1" not in caplog.text
    assert "secret2" not in caplog.text
