"""The simulation of the sweep: its invariants, and that docs/SCALING.md says what it says."""

import pytest

import sweep
from sweep import Sweep

SETTINGS = {"concurrency": 5, "batch": 5, "hours": 20}


def test_the_document_is_up_to_date():
    assert sweep.DOCUMENT.read_text() == sweep.document(), "run: make sweep UPDATE=1"


def test_the_plan_is_the_codes():
    """The values that the code's own test has."""
    assert sweep.plan(10_000_000, 3_000, 20) == (24, 60)
    assert sweep.plan(10_000, 3_000, 20) == (1, 900)
    assert sweep.plan(10_000_000, 10, 20) == (9, 64)


@pytest.mark.parametrize("rows", [0, 1, 999, 50_000, 400_000])
@pytest.mark.parametrize("part_due", [0, 1 / 20, 1])
def test_every_page_is_read_and_every_due_row_refreshed(rows, part_due):
    found = Sweep(rows, part_due, SETTINGS).run()
    assert not any(found.left)
    assert found.due == pytest.approx(rows * part_due, abs=1)
    assert found.done == pytest.approx(found.due, abs=1)


def test_a_sweep_that_has_room_ends_in_its_time():
    assert Sweep(1_000_000, 1 / 20, SETTINGS).run().finished < 21 * sweep.HOUR


def test_nobody_waits_while_fewer_are_due_than_are_done():
    assert Sweep(1_000_000, 1 / 20, SETTINGS).run().longest_wait < 60


def test_more_that_are_due_than_can_be_done_wait_and_are_done():
    found = Sweep(1_000_000, 1, SETTINGS | {"concurrency": 1}).run()
    # The pages wait too, so that a refresh waits for minutes.
    assert 60 < found.longest_wait < sweep.HOUR
    assert found.done == pytest.approx(1_000_000, abs=1)
