"""Public URL, trusted proxies, and what counts as this machine."""

from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from aiohttp.web import Request

from server.errors import WrongHost
from server.hosts import Hosts
from server.settings import Settings


class Transport:
    """The ends of a connection, as far as a request can ask for them."""

    def __init__(self, peer: object, bound: object) -> None:
        self._ends = {"peername": peer, "sockname": bound}

    def get_extra_info(self, name: str, default: object = None) -> object:
        """One end."""
        return self._ends.get(name, default)


def request_from(peer: str, bound: str = "10.0.0.1", **headers: str) -> Request:
    """A request of a peer, with headers whose underscores stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    transport = Transport((peer, 5), (bound, 80))
    return make_mocked_request("GET", "/", headers=named, transport=transport)


def hosts(tmp_path: Path, **settings: object) -> Hosts:
    """The hosts of a server with these settings."""
    return Hosts(Settings(data=tmp_path, **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "port", "url"),
    [
        ({}, 8080, "http://127.0.0.1:8080"),
        ({"port": 0}, 4567, "http://127.0.0.1:4567"),
        ({"host": "0.0.0.0"}, 80, "http://localhost:80"),
        ({"host": "::1"}, 80, "http://[::1]:80"),
        ({"public_url": "https://n.example.org/"}, 80, "https://n.example.org"),
    ],
)
def test_links_are_made_from_settings(
    tmp_path: Path, settings: dict[str, object], port: int, url: str
) -> None:
    """The public URL where it is set, else where the server listens."""
    made = hosts(tmp_path, **settings)
    made.listening_on(port)

    assert made.public_url == url
    assert made.websocket_url == url.replace("http", "ws", 1)


@pytest.mark.parametrize(
    ("peer", "forwarded", "remote"),
    [
        pytest.param("198.51.100.7", None, "198.51.100.7", id="direct"),
        pytest.param("198.51.100.7", "1.2.3.4", "198.51.100.7", id="stranger-s-header"),
        pytest.param("10.1.1.1", "1.2.3.4", "1.2.3.4", id="proxy"),
        pytest.param("10.1.1.1", "6.6.6.6, 1.2.3.4", "1.2.3.4", id="client-lies-before-proxy"),
        pytest.param("10.1.1.1", "1.2.3.4, 10.2.2.2", "1.2.3.4", id="two-proxies"),
        pytest.param("10.1.1.1", "nonsense", "10.1.1.1", id="nonsense"),
        pytest.param("10.1.1.1", "[2001:db8::1]", "2001:db8::1", id="ipv6"),
        pytest.param("::ffff:10.1.1.1", "1.2.3.4", "1.2.3.4", id="mapped"),
    ],
)
def test_forwarded_headers_count_from_trusted_proxies_only(
    tmp_path: Path, peer: str, forwarded: str | None, remote: str
) -> None:
    """The last address that no trusted proxy wrote is the client's."""
    headers = {} if forwarded is None else {"X_Forwarded_For": forwarded}
    made = hosts(tmp_path, trusted_proxies=("10.0.0.0/8",))

    assert made.remote(request_from(peer, **headers)) == remote


@pytest.mark.parametrize(
    "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"]
)
def test_a_forwarded_request_is_never_local(tmp_path: Path, header: str) -> None:
    """A proxy on this machine opens the server to others."""
    made = hosts(tmp_path)

    assert made.is_local(request_from("127.0.0.1"))
    assert not made.is_local(request_from("127.0.0.1", **{header.replace("-", "_"): "x"}))


def test_only_this_machine_is_local(tmp_path: Path) -> None:
    """Neither another peer, nor any peer of a server that others can reach."""
    public = hosts(tmp_path, public_url="https://n.example.org")

    assert not hosts(tmp_path).is_local(request_from("198.51.100.7"))
    assert not public.is_local(request_from("127.0.0.1"))


def test_the_bound_address_is_a_host_of_ours_and_others_are_not(tmp_path: Path) -> None:
    """Whoever speaks to the address that the connection reached means us."""
    made = hosts(tmp_path, host="0.0.0.0")
    made.check(request_from("198.51.100.7", bound="10.0.0.1", Host="10.0.0.1:80"))

    with pytest.raises(WrongHost):
        made.check(request_from("198.51.100.7", bound="10.0.0.1", Host="10.0.0.2"))
    made.also(["Sites.Example.org"])
    made.check(request_from("198.51.100.7", Host="sites.example.org"))


def test_a_unix_socket_has_no_address(tmp_path: Path) -> None:
    """Its peer is unnamed and not local."""
    request = make_mocked_request("GET", "/", transport=Transport("", ""))

    assert hosts(tmp_path).remote(request) == ""
    assert not hosts(tmp_path).is_local(request)
