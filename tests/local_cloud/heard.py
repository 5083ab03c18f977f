"""Holds every event that the sandbox's bot was sent against `docs/contract/events.schema.json`.

Runs in MiniStack's virtual environment (jsonschema), after the command of `cloud.py run`, with the address of the sandbox's
journal. A field that the schema does not name is wrong too.
"""

import json
import pathlib
import sys
import urllib.request

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FILE = "events.schema.json"
SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs/contract" / FILE).read_text())
REGISTRY = Registry().with_resource(FILE, Resource(SCHEMA, DRAFT202012))
DEFINITIONS = {each["title"]: name for name, each in SCHEMA["$defs"].items() if name.startswith("Connection")}
SHOWN = 10


def main():
    with urllib.request.urlopen(f"{sys.argv[1]}/control/journal?endpoint=bot.events", timeout=60) as answer:
        records = json.load(answer)["bot.events"]["records"]
    events = signed(records)
    found = [(event, wrong) for event in events if (wrong := faults(event))]
    for event, wrong in found[:SHOWN]:
        print(f"An event is not as docs/contract/{FILE} says: {'; '.join(wrong)}\n  {json.dumps(event)}", file=sys.stderr)
    print(f"Of {len(events)} events that the bot was sent, {len(found)} are not as docs/contract/{FILE} says.")
    return 1 if found else 0


def signed(records):
    """The events among the requests, each once. One without an id is nobody's event: `wasf doctor` makes it, to be refused."""
    asked = [record["asked"] for record in records]
    return list({json.dumps(each["body"], sort_keys=True): each["body"] for each in asked if each.get("webhook_id")}.values())


def faults(event):
    """What is wrong with an event."""
    definition = DEFINITIONS.get(event.get("type")) if isinstance(event, dict) else None
    if not definition:
        return ["the type is unknown"]
    return [
        f"{error.json_path}: {error.message}"
        for value, pointer in ((event, ""), (event.get("data"), "/properties/data"))
        for error in _validator(f"{FILE}#/$defs/{definition}{pointer}").iter_errors(value)
    ]


def _validator(reference):
    return Draft202012Validator({"$ref": reference, "unevaluatedProperties": False}, registry=REGISTRY)


if __name__ == "__main__":
    sys.exit(main())
