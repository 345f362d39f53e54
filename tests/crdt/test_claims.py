"""Awareness that nodes share: the later claim wins everywhere, and nobody takes what is not his."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from crdt.awareness import NULL, Entry
from crdt.claims import Claim, SharedAwareness

A, B, C = b"node a..", b"node b..", b"node c.."
ADA, BOB = "ada", "bob"


class Nodes:
    """Some nodes that tell each other what they decide, now or later."""

    def __init__(self, *names: bytes) -> None:
        self.of = {name: SharedAwareness(node=name) for name in names}
        self.said: list[tuple[bytes, list[Claim]]] = []

    def say(
        self, node: bytes, session: str, *entry: int | bytes, account: str = ADA
    ) -> list[Entry]:
        """A session says something; what its node decides is on its way to the others."""
        told = self.of[node].update(session, account, [Entry(*entry)], 0.0)
        return self._send(node, told)

    def leave(self, node: bytes, session: str) -> None:
        """A session ends."""
        self._send(node, self.of[node].leave(session, 0.0))

    def _send(self, node: bytes, told: list[Entry]) -> list[Entry]:
        self.said.append((node, self.of[node].claims(told)))
        return told

    def deliver(self, order: Iterable[int] | None = None) -> None:
        """Everything that is on its way arrives, in an order that keeps each sender's."""
        said, self.said = self.said, []
        for place in order if order is not None else range(len(said)):
            sender, claims = said[place]
            for name, awareness in self.of.items():
                if name != sender:
                    awareness.hear(claims, 0.0)

    def views(self) -> list[dict[int, bytes]]:
        """What each node shows."""
        return [
            {entry.client: entry.state for entry in awareness.states()}
            for awareness in self.of.values()
        ]


def test_what_one_decides_the_others_show() -> None:
    """States, their changes and their ends, at each node."""
    nodes = Nodes(A, B, C)
    nodes.say(A, "s", 1, 1, b"1")
    nodes.say(B, "t", 2, 1, b"2", account=BOB)
    nodes.deliver()
    assert nodes.views() == [{1: b"1", 2: b"2"}] * 3
    nodes.say(A, "s", 1, 2, b"3")
    nodes.leave(B, "t")
    nodes.deliver()
    assert nodes.views() == [{1: b"3"}] * 3


def test_a_goodbye_of_the_old_connection_does_not_end_the_new_one() -> None:
    """The editor came back at another node before its old connection was seen to be gone."""
    nodes = Nodes(A, B, C)
    nodes.say(A, "old", 1, 1, b"1")
    nodes.deliver()
    nodes.say(B, "new", 1, 2, b"2")
    nodes.leave(A, "old")
    nodes.deliver()
    assert nodes.views() == [{1: b"2"}] * 3


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_two_nodes_that_give_one_id_away_at_once_agree(order: tuple[int, ...]) -> None:
    """Both have one claim: all follow the one with the greater name, in whatever order."""
    nodes = Nodes(A, B, C)
    nodes.say(A, "s", 1, 1, b'"a"')
    nodes.say(B, "t", 1, 1, b'"b"')
    nodes.deliver(order)
    nodes.say(B, "t", 1, 2, b'"b2"')
    nodes.deliver()
    assert nodes.views() == [{1: b'"b2"'}] * 3
    nodes.leave(A, "s")
    nodes.deliver()
    assert nodes.views() == [{1: b'"b2"'}] * 3


def test_another_account_cannot_take_a_live_id_at_another_node() -> None:
    """Neither by showing it there, nor by ending it."""
    nodes = Nodes(A, B)
    nodes.say(A, "s", 1, 1, b"1")
    nodes.deliver()
    assert nodes.say(B, "stranger", 1, 5, b"5", account=BOB) == []
    assert nodes.say(B, "stranger", 1, 9, NULL, account=BOB) == []
    nodes.deliver()
    assert nodes.views() == [{1: b"1"}] * 2
    forged = Claim(1, 9, b"9", 7, B, 1, BOB)
    assert nodes.of[A].hear([forged], 0.0) == []


def test_a_node_that_did_not_hear_renewals_cannot_end_what_lives_elsewhere() -> None:
    """Silence there is not the owner's word."""
    nodes = Nodes(A, B)
    nodes.say(A, "s", 1, 1, b"1")
    nodes.deliver()
    ended = nodes.of[B].expire(100.0)
    assert [entry.state for entry in ended] == [NULL]
    nodes.of[A].hear(nodes.of[B].claims(ended), 100.0)
    assert nodes.views() == [{1: b"1"}, {}]


def test_a_lost_nodes_clients_go_and_come_back_above_their_clock() -> None:
    """At the old clock its peers would not believe it: its node is asked to raise it."""
    nodes = Nodes(A, B)
    nodes.say(A, "s", 1, 4, b"1")
    nodes.deliver()
    assert nodes.of[B].lose(A, 0.0) == [Entry(1, 4, NULL)]
    assert nodes.of[B].hear(nodes.of[A].own_claims(), 0.0) == []
    (reminder,) = nodes.of[B].reminders
    assert (reminder.node, reminder.client, reminder.clock) == (A, 1, 4)
    assert nodes.of[A].claim_again(1, 4, 1) == ("s", Entry(1, 4, NULL))
    nodes.say(A, "s", 1, 5, b"1")
    nodes.deliver()
    assert nodes.views() == [{1: b"1"}] * 2
    assert nodes.of[A].claim_again(1, 4, 1) == ("s", None)  # it is above that already
    assert nodes.of[B].claim_again(1, 9, 1) is None  # not B's


def test_a_node_that_forgot_how_often_an_id_changed_hands_claims_it_anew() -> None:
    """It was started again: its first claim is older than what the others remember."""
    nodes = Nodes(A, B)
    nodes.say(A, "s", 1, 1, b"1")
    nodes.deliver()
    nodes.say(B, "t", 1, 2, b"2")
    nodes.deliver()
    nodes.leave(B, "t")
    nodes.of[A] = SharedAwareness(node=C)
    nodes.said.clear()
    nodes.say(A, "u", 1, 3, b"3")
    nodes.deliver()
    assert nodes.views() == [{1: b"3"}, {}]
    (reminder,) = nodes.of[B].reminders
    assert nodes.of[A].claim_again(1, reminder.clock, reminder.number) == ("u", None)
    nodes.of[B].hear(nodes.of[A].own_claims(), 0.0)
    assert nodes.views() == [{1: b"3"}] * 2


def test_what_is_not_said_again_is_over() -> None:
    """A goodbye was missed: of all that the node says again, only that one is not there."""
    nodes = Nodes(A, B)
    nodes.say(A, "s", 1, 1, b"1")
    nodes.say(A, "t", 2, 1, b"2")
    nodes.deliver()
    nodes.of[A].leave("t", 5.0)
    nodes.of[B].hear(nodes.of[A].own_claims(), 6.0)
    assert nodes.of[B].lose(A, 7.0, unheard_since=5.5) == [Entry(2, 1, NULL)]
    assert nodes.views() == [{1: b"1"}] * 2


def test_only_own_sessions_are_said_again() -> None:
    """What a node has from others it does not vouch for."""
    nodes = Nodes(A, B)
    nodes.say(A, "s", 1, 1, b"1")
    nodes.deliver()
    nodes.say(B, "t", 2, 1, b"2")
    assert [claim.client for claim in nodes.of[B].own_claims()] == [2]
