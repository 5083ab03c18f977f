"""EventBridge: which entries of PutEvents a bus takes, and when they happened."""

import json
from contextvars import ContextVar

from ministack.services import eventbridge

from . import fix


@fix
def event_times():
    """An event has the time of its entry, where that has one.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
    """
    given = ContextVar("given", default=None)
    put, now = eventbridge._put_events, eventbridge._now_ts

    def put_each(entry, **options):
        token = given.set(eventbridge._coerce_timestamp(entry.get("Time")))
        try:
            return put({"Entries": [entry]}, **options)
        finally:
            given.reset(token)

    eventbridge._now_ts = lambda: now() if given.get() is None else given.get()
    eventbridge._put_events = lambda data, **options: _each(put, put_each, data, options)


@fix
def incomplete_entries():
    """An entry without a source, a type or a detail that is JSON is refused by itself, in an answer of 200.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
    """
    put = eventbridge._put_events

    def put_each(entry, **options):
        wrong = _wrong(entry)
        if not wrong:
            return put({"Entries": [entry]}, **options)
        refused = {"ErrorCode": wrong, "ErrorMessage": "The entry is not valid."}
        return eventbridge.json_response({"FailedEntryCount": 1, "Entries": [refused]})

    eventbridge._put_events = lambda data, **options: _each(put, put_each, data, options)


def _wrong(entry):
    """The error code of an entry that EventBridge does not take."""
    if not all(entry.get(name) for name in ("Source", "DetailType", "Detail")):
        return "InvalidArgument"
    try:
        return None if isinstance(json.loads(entry["Detail"]), dict) else "MalformedDetail"
    except ValueError:
        return "MalformedDetail"


def _each(put, put_each, data, options):
    """The answer to a request, each of whose entries is put by itself."""
    entries = data.get("Entries", [])
    if not 1 <= len(entries) <= 10:
        return put(data, **options)
    answers = [json.loads(put_each(entry, **options)[2]) for entry in entries]
    whole = {
        "FailedEntryCount": sum(answer["FailedEntryCount"] for answer in answers),
        "Entries": [result for answer in answers for result in answer["Entries"]],
    }
    return eventbridge.json_response(whole)
