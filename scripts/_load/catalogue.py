"""The list of scenarios with the size each has unless told otherwise."""

from collections.abc import Awaitable, Callable

from .large import join, slow_reader
from .scenarios import Outcome, Plan, Stage, awareness, fan_out, rooms, storm
from .weights import documents, idle

Scenario = Callable[[Stage, Plan], Awaitable[Outcome]]
SCENARIOS: dict[str, tuple[Scenario, Plan]] = {
    "fan-out": (fan_out, Plan(clients=100)),
    "rooms": (rooms, Plan(documents=200, window=1)),
    "awareness": (awareness, Plan(clients=100, rates=(5.0,))),
    "storm": (storm, Plan(clients=1000, documents=50)),
    "idle": (idle, Plan(clients=1000, documents=10)),
    "documents": (documents, Plan(documents=2000, seconds=45)),
    "join": (join, Plan(clients=10)),
    "slow-reader": (slow_reader, Plan(seconds=40)),
}
