"""What is said when the server cannot listen: one sentence, with the setting to change."""

from __future__ import annotations

import socket

import pytest
from aiohttp import web

from server.binding import StartError, listen


async def attempt(host: str, port: int) -> str:
    """Try to listen there; the sentence."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        with pytest.raises(StartError) as caught:
            await listen(web.TCPSite(runner, host, port), "host", host, "port", port)
    finally:
        await runner.cleanup()
    return str(caught.value)


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
async def test_a_port_in_use_is_the_ports_fault(family: int, host: str) -> None:
    """Of IPv4 and of IPv6."""
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]

        said = await attempt(host, port)

    assert said == f"cannot listen on {host} port {port}: Address already in use (setting port)"


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_that_is_not_ours_is_the_hosts_fault(host: str) -> None:
    """One of another machine, and a name that nobody knows."""
    said = await attempt(host, 0)

    assert said.startswith(f"cannot listen on {host} port 0: ")
    assert said.endswith("(setting host)")
