"""The simulation's invariants, and that docs/SCALING.md says what it says."""

import statistics

import pytest

import tables
from settings import Settings
from simulate import HORIZON_SECONDS, Simulation

SETTINGS = Settings.read({})
AWS = tables.inputs()["worlds"]["aws"]
LOADS = {
    "quiet": {"rate": 5, "seconds": 20},
    "more than the API admits": {"rate": 5_000, "seconds": 1},
    "while Salesforce is down": {"rate": 2, "seconds": 700, "down": [10, 690]},
}
CONSTANT = {name: value[0] if isinstance(value, list) else value for name, value in AWS.items()}


def _run(load, seed=1, until=HORIZON_SECONDS, **world):
    return Simulation(SETTINGS, AWS | world, load, seed).run(until)


@pytest.mark.parametrize("until", [0.5, 3, 60, 650, HORIZON_SECONDS])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("load", LOADS)
def test_every_callback_is_somewhere_at_every_moment(load, seed, until):
    found = _run(LOADS[load], seed, until, account_concurrency=200)
    in_queue = len(found.queue) + len(found.hidden) + len(found.in_hand)
    refused = found.throttled + found.unserved
    assert found.arrived == refused + len(found.receiving) + in_queue + len(found.done) + len(found.dead)
    assert found.outcomes.total() == len(found.untold) + len(found.told)


@pytest.mark.parametrize("load", LOADS)
def test_in_the_end_nothing_waits(load):
    found = _run(LOADS[load])
    assert not (found.receiving or found.queue or found.hidden or found.in_hand or found.untold)
    assert not found.events and not found.account.busy


def test_the_person_of_every_dead_letter_was_notified_of_the_delay():
    found = _run(LOADS["while Salesforce is down"])
    assert found.dead and len(found.dead) == found.outcomes["delayed"]
    assert all(callback.told is not None and callback.connected is None for callback in found.dead)
    assert all(callback.receives == SETTINGS.max_receives for callback in found.dead)


def test_the_throttle_admits_its_burst_and_then_its_rate():
    found = _run(LOADS["more than the API admits"])
    seconds = LOADS["more than the API admits"]["seconds"]
    assert found.arrived - found.throttled == pytest.approx(SETTINGS.api_burst + seconds * SETTINGS.api_rate, rel=0.05)


def test_batches_bound_what_is_exchanged_in_a_second():
    load, settings = {"rate": 500, "seconds": 20}, Settings.read({"MaximumConcurrency": 10})
    found = Simulation(settings, CONSTANT | {"pollers": 1_000}, load).run()
    batch_ms = sum(CONSTANT[stage] for stage in ("queue_to_function", "claim", "exchange", "userinfo", "store"))
    most = 10 * settings.exchange_batch / (batch_ms / 1000)
    assert most < load["rate"], "the load does not reach the bound"
    assert max(callback.connected for callback in found.done) == pytest.approx(found.arrived / most, rel=0.05)


def test_no_more_messages_leave_than_whatsapp_takes():
    found = _run({"rate": 400, "seconds": 5}, shards=40)
    told = sorted(callback.told for callback in found.done)
    assert len(told) == found.arrived
    assert told[-1] - told[0] >= (len(told) - AWS["whatsapp_per_second"]) / AWS["whatsapp_per_second"] - 1


def test_what_whatsapp_refuses_is_told_by_the_retry_queues_schedule():
    found = _run({"rate": 100, "seconds": 60})
    waited = [callback.told - callback.connected for callback in found.done]
    assert len(found.told) == found.arrived and max(waited) < 120
    assert sum(wait > SETTINGS.retry_first for wait in waited) > found.arrived / 10
    assert (SETTINGS.retry_first, SETTINGS.retry_pauses[0], SETTINGS.retry_pauses[-1]) == (5, (20, 5), (86_400, 900))


def test_its_medians_are_those_measured_on_the_local_cloud():
    for run in tables.measured("measured"):
        found = tables.predicted(run).report()
        for name in ("to_connected", "to_message"):
            measured = run[f"callback_{name}"]["p50_ms"] / 1000
            assert found[name][0] == pytest.approx(measured, rel=1 / 3), f"{name} at {run['rate']} a second"


def test_a_burst_waits_in_the_queue_as_measured_on_the_local_cloud():
    """Either for moments, or for the visibility timeout: the batch that finds no room has been received."""
    for run in tables.measured("bursts"):
        waits = tables.predicted_burst(run).queue_waits()
        median, late = statistics.median(waits), sorted(waits)[int(0.95 * len(waits))]
        found = run["stages"]["queue wait"]
        assert len(waits) == run["connected"] == run["burst"] and run["dead_letters"] == 0
        assert median < 1 and found["p50_ms"] < 1_000
        assert late > SETTINGS.visibility_timeout
        assert late == pytest.approx(found["p95_ms"] / 1_000, rel=0.02)


def test_whoever_reloads_is_not_lost():
    full = {"rate": 500, "seconds": 1, "world": {"account_concurrency": 20}}
    assert tables.simulated(full, "local").unserved > 0
    found = tables.simulated(full | {"tries": 30}, "local")
    assert (found.unserved, len(found.done)) == (0, found.arrived)


def test_the_document_shows_what_the_simulation_says():
    text = tables.DOCUMENT.read_text()
    for name, lines in tables.documented().items():
        first, last = tables.between(text, name)
        assert text[first:last] == lines, "docs/SCALING.md is out of date: make simulate UPDATE=1"
