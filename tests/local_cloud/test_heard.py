"""What is said of the events that the sandbox's bot was sent."""

import copy
import json

import heard
import pytest

SAMPLES = [json.loads(line) for line in (heard.pathlib.Path(__file__).parents[1] / "contract/samples/events.jsonl").read_text().split("\n") if line]


@pytest.mark.parametrize("event", SAMPLES[:4], ids=lambda event: event["id"])
def test_what_the_schema_allows_is_right(event):
    assert heard.faults(event) == []


@pytest.mark.parametrize("event", [None, "text", {}, {"type": "connection.invented"}], ids=str)
def test_an_unknown_type_is_wrong(event):
    assert heard.faults(event) == ["the type is unknown"]


@pytest.mark.parametrize(
    ("name", "value"), [("time", 1), ("more", "x"), ("data", {}), ("id", "evt_1"), ("subject", "+15551234567")], ids=str
)
def test_what_the_schema_forbids_is_wrong(name, value):
    event = {**copy.deepcopy(SAMPLES[0]), name: value}
    assert heard.faults(event)


def test_a_field_that_the_schema_does_not_name_is_wrong():
    event = copy.deepcopy(SAMPLES[0])
    event["data"]["access_token"] = "x"
    assert heard.faults(event)


def test_a_request_without_an_id_is_no_event():
    probe = {"asked": {"method": "POST", "body": ""}}
    event = {"asked": {"method": "POST", "body": SAMPLES[0], "webhook_id": SAMPLES[0]["id"]}}
    assert heard.signed([probe, event, event]) == [SAMPLES[0]]
