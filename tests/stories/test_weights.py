"""What the bench says of memory: which growth is a document's, and which is the first crowd's."""

import pytest

from scripts._load.cli import parser, plan_of
from scripts._load.probe import Memory
from scripts._load.weights import asleep
from scripts.bench.measure import Measured
from scripts.bench.report import details
from scripts.bench.rows import ROWS


def _rests(*own_mb: float) -> list[Memory]:
    return [Memory(0.0, 0.0, own) for own in own_mb]


def test_a_sleeping_document_weighs_what_later_crowds_add() -> None:
    """What the first crowd of a thousand left is said beside it, and not divided among all."""
    found = asleep(_rests(80.0, 90.0, 91.0, 92.0), 1000)

    assert found == {"kb_per_document": 1.02, "first_crowd_kb_per_document": 10.24}
    assert "first crowd, kb per document 10.2" in details(Measured({"asleep": found}, "asleep"))


def test_of_a_single_crowd_all_that_is_left_counts() -> None:
    """There is nothing else to divide."""
    assert asleep(_rests(80.0, 90.0), 1000) == {"kb_per_document": 10.24}


@pytest.mark.parametrize("name", ROWS)
def test_the_load_program_takes_what_a_row_asks_for(name: str) -> None:
    """And knows the size of its scenario."""
    options = parser().parse_args([*ROWS[name].arguments])
    plan = plan_of(options.scenario[0], options)

    assert plan.crowds == (4 if name == "asleep" else 1)
