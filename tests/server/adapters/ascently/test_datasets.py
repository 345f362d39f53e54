"""Two phones of one climber with wrong clocks, over a network that loses answers, always agree.

A machine of Hypothesis' edits, deletes, climbs and syncs in any order; at the end all come to rest.
`--full` runs hundreds of such stories.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.inside import Guest
from tests.server.adapters.ascently.conftest import ada, inside
from tests.server.adapters.ascently.phone import LISTS, Phone, at

__all__ = ["ada", "inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

FULL = "PLAIT_TEST_FULL" in os.environ
TYPES = {"gyms": "gym", "problems": "problem", "sessions": "session", "attempts": "attempt"}
Place = tuple[str, str]


def later(one: dict[str, Any], other: dict[str, Any] | None) -> bool:
    """The rule of merging between two items of one id."""
    if other is None or one["updatedAt"] != other["updatedAt"]:
        return other is None or one["updatedAt"] > other["updatedAt"]
    return json.dumps(one, sort_keys=True) > json.dumps(other, sort_keys=True)


class Device:
    """What one phone keeps, and how it merges what it is told."""

    def __init__(self, skew: float) -> None:
        self.skew = skew
        self.items: dict[Place, dict[str, Any]] = {}
        self.gone: dict[Place, str] = {}
        self.unsent: dict[Place, None] = {}
        self.cursor: str | None = None

    def body(self) -> dict[str, Any]:
        """Everything that was changed since a sync was answered, and a session that goes on."""
        body: dict[str, Any] = {name: [] for name in (*LISTS, "deletedItems")}
        for place in self.unsent:
            if place in self.items:
                body[place[0]].append(self.items[place])
            elif place in self.gone:
                body["deletedItems"].append(self.tombstone(place))
        return body | ({} if self.cursor is None else {"lastSyncTime": self.cursor})

    def tombstone(self, place: Place) -> dict[str, Any]:
        """As it is sent."""
        return {"id": place[1], "type": TYPES[place[0]], "deletedAt": self.gone[place]}

    def edit(self, place: Place, now: float, **more: Any) -> None:
        """The user changes something."""
        self.gone.pop(place, None)
        self.items[place] = {"id": place[1], "updatedAt": at(now + self.skew), **more}
        self.unsent[place] = None

    def delete(self, place: Place, now: float) -> None:
        """The user deletes something."""
        if self.items.pop(place, None) is not None:
            self.gone[place] = at(now + self.skew)
            self.unsent[place] = None

    def take(self, sent: dict[Place, Any], answer: dict[str, Any]) -> None:
        """An answer arrived: what was sent is there, and this is what others did."""
        for place, version in sent.items():
            if self.version(place) == version:
                self.unsent.pop(place, None)
        self.cursor = answer["serverTime"]
        for name in LISTS:
            for item in answer[name]:
                place = (name, item["id"])
                if self.gone.get(place, "") < item["updatedAt"] and later(
                    item, self.items.get(place)
                ):
                    self.items[place] = item
                    self.gone.pop(place, None)
        for stone in answer["deletedItems"]:
            name = next(each for each, kind in TYPES.items() if kind == stone["type"])
            place = (name, stone["id"])
            item = self.items.get(place)
            if item is None or item["updatedAt"] <= stone["deletedAt"]:
                self.items.pop(place, None)
                self.gone[place] = max(self.gone.get(place, ""), stone["deletedAt"])

    def version(self, place: Place) -> Any:
        """What stands in a place, to know whether it was changed meanwhile."""
        return self.items.get(place) or self.gone.get(place)

    def end_sessions(self, now: float) -> None:
        """The climber goes home."""
        for place, item in list(self.items.items()):
            if item.get("status") == "active":
                self.edit(place, now, status="completed")


class Phones(RuleBasedStateMachine):
    """Two phones and one server."""

    phone: Phone
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.devices: list[Device] = []
        self.old: list[dict[str, Any]] = []
        self._wait(self.phone.upload())

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def device(self, which: int) -> Device:
        """One of them; the first is five minutes fast, the other seven slow."""
        while len(self.devices) < 2:
            self.devices.append(Device((5.0, -7.0)[len(self.devices)]))
        return self.devices[which]

    @rule(
        which=st.integers(0, 1),
        name=st.sampled_from(["gyms", "problems"]),
        item=st.sampled_from("abc"),
        minutes=st.sampled_from([0, 1, 4, 11]),
        text=st.integers(0, 1),
    )
    def edit(self, which: int, name: str, item: str, minutes: int, text: int) -> None:
        """Somebody edits, now or minutes later."""
        self.now += minutes
        self.device(which).edit((name, item), self.now, text=text)

    @rule(
        which=st.integers(0, 1),
        name=st.sampled_from(["gyms", "problems"]),
        item=st.sampled_from("abc"),
        minutes=st.sampled_from([0, 1, 4, 11]),
    )
    def delete(self, which: int, name: str, item: str, minutes: int) -> None:
        """Somebody deletes."""
        self.now += minutes
        self.device(which).delete((name, item), self.now)

    @rule(which=st.integers(0, 1), ends=st.booleans())
    def climb(self, which: int, ends: bool) -> None:
        """A session begins or ends, with an attempt in it; each phone has sessions of its own."""
        self.now += 1
        device, status = self.device(which), "completed" if ends else "active"
        session = device.items.get(("sessions", f"s{which}"))
        if session is None or session["status"] == "active":
            device.edit(("sessions", f"s{which}"), self.now, status=status)
            device.edit(("attempts", f"a{which}"), self.now, sessionId=f"s{which}")

    @rule(which=st.integers(0, 1), fate=st.sampled_from(["fine", "fine", "no answer", "twice"]))
    def sync(self, which: int, fate: str) -> None:
        """A delta; its answer may be lost, and it may be sent again."""
        device = self.device(which)
        body, sent = device.body(), {place: device.version(place) for place in device.unsent}
        answer = self._wait(self._post(body))
        if fate == "twice":
            answer = self._wait(self._post(body))
        if fate != "no answer":
            device.take(sent, answer)
        self.old.append(body)

    @rule(which=st.integers(0, 99))
    def repeat(self, which: int) -> None:
        """An old request arrives once more, out of a proxy's memory."""
        if self.old:
            self._wait(self._post(self.old[which % len(self.old)]))

    async def _post(self, body: dict[str, Any]) -> Any:
        status, answer, _ = await self.phone.post("/sync/delta", json=body)
        assert status == 200, answer
        assert not [each for each in answer["sessions"] if each["status"] == "active"]
        return answer

    def teardown(self) -> None:
        """All come to rest: both phones hold what GET /sync says."""
        for _ in range(3):
            for which in (0, 1):
                self.now += 1
                self.device(which).end_sessions(self.now)
                self.sync(which, "fine")
        whole = self._wait(self.phone.whole())
        stones = sorted((s["type"], s["id"], s["deletedAt"]) for s in whole["deletedItems"])
        for device in self.devices:
            for name in LISTS:
                mine = {key: item for (place, key), item in device.items.items() if place == name}
                assert mine == {item["id"]: item for item in whole[name]}, name
            gone = sorted((TYPES[name], key, at_) for (name, key), at_ in device.gone.items())
            assert gone == stones


async def test_phones_and_server_agree(ada: Guest) -> None:
    """After any story: clocks minutes apart, answers lost, requests repeated."""
    async with await Phone.of(ada) as phone:
        machine = type("Machine", (Phones,), {"phone": phone, "loop": asyncio.get_running_loop()})
        await asyncio.to_thread(
            run_state_machine_as_test,
            machine,
            settings=settings(
                max_examples=200 if FULL else 12,
                stateful_step_count=40 if FULL else 20,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
