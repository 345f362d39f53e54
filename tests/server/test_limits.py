"""How often one address may ask."""

import pytest

from server.errors import TooManyRequests
from server.limits import ADDRESSES_MAX, Limit, network_of
from tests.server.person import Clock


def spend(limit: Limit, address: str) -> int:
    """How many requests are allowed at once."""
    for number in range(10_000):
        try:
            limit.take(address)
        except TooManyRequests:
            return number
    raise AssertionError("there is no limit")


def test_a_minute_s_worth_may_come_at_once_and_then_trickles() -> None:
    """Six a minute: six, then one every ten seconds, never more than six saved up."""
    clock = Clock()
    limit = Limit(6, clock)

    assert spend(limit, "1.2.3.4") == 6
    with pytest.raises(TooManyRequests) as caught:
        limit.take("1.2.3.4")
    assert 0 < caught.value.retry_after_s <= 10
    clock.now += 10
    assert spend(limit, "1.2.3.4") == 1
    clock.now += 86_400
    assert spend(limit, "1.2.3.4") == 6


def test_waiting_as_long_as_told_is_enough() -> None:
    """Retry-After keeps its word."""
    clock = Clock()
    limit = Limit(7, clock)
    spend(limit, "a")
    with pytest.raises(TooManyRequests) as caught:
        limit.take("a")
    clock.now += caught.value.retry_after_s + 0.001

    limit.take("a")


def test_addresses_do_not_share() -> None:
    """One that asks too often takes nothing from another."""
    limit = Limit(2, Clock())
    spend(limit, "1.2.3.4")

    assert spend(limit, "1.2.3.5") == 2


def test_a_household_of_ipv6_is_one_address() -> None:
    """A /64 counts as one; the next one does not."""
    limit = Limit(2, Clock())
    spend(limit, "2001:db8:0:1::1")

    assert spend(limit, "2001:db8:0:1:ffff::9") == 0
    assert spend(limit, "2001:db8:0:2::1") == 2
    assert network_of("not an address") == "not an address"


def test_the_memory_of_addresses_is_bounded() -> None:
    """However many addresses ask, the last ones are remembered."""
    limit = Limit(1, Clock())
    for number in range(ADDRESSES_MAX + 100):
        limit.take(f"host-{number}")

    assert len(limit._buckets) == ADDRESSES_MAX
    with pytest.raises(TooManyRequests):
        limit.take(f"host-{ADDRESSES_MAX + 99}")


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    """Neither an error nor a gift."""
    clock = Clock()
    limit = Limit(1, clock)
    limit.take("a")
    clock.now -= 1000

    with pytest.raises(TooManyRequests):
        limit.take("a")


def test_ipv4_on_a_dual_stack_socket_is_told_apart() -> None:
    """Else all of IPv4 would be one household, and one address could lock out all others."""
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("::ffff:192.0.2.2") == "192.0.2.2"
    assert network_of("fe80::1%eth0") == network_of("fe80::2%eth0") == "fe80::"
