"""The files of `docs/contract` against what the code makes, the template and the documents' tables, in both directions.

What the code makes is in `tests/contract/samples`, which the functions' own tests hold against the code.
"""

import datetime
import json
import re
import tomllib
import urllib.parse

import pytest
import yaml
from conftest import ROOT, resources
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FOLDER = ROOT / "docs/contract"
EVENTS, OPENAPI, ASYNCAPI = "events.schema.json", "openapi.yaml", "asyncapi.yaml"
FILES = {name: yaml.safe_load((FOLDER / name).read_text()) for name in (EVENTS, OPENAPI, ASYNCAPI)}
REGISTRY = Registry().with_resources((name, Resource(file, DRAFT202012)) for name, file in FILES.items())
FORMATS = FormatChecker(())
TYPES = {each["title"]: name for name, each in FILES[EVENTS]["$defs"].items() if name.startswith("Connection")}
# API Gateway's own answers, which no function makes.
GATEWAY = {"429", "500"}


@FORMATS.checks("date-time", ValueError)
def _is_time(text):
    return not isinstance(text, str) or bool(datetime.datetime.fromisoformat(text))


@FORMATS.checks("uri", ValueError)
def _is_uri(text):
    return not isinstance(text, str) or bool(urllib.parse.urlsplit(text).netloc)


def _samples(name):
    lines = (ROOT / f"tests/contract/samples/{name}.jsonl").read_text().split("\n")
    return [json.loads(line) for line in lines if line]


def _answers():
    """Every answer that the functions give to programs."""
    return [each for name in ("link", "connect-link", "login-status", "connections", "token-keeper", "callback-receiver") for each in _samples(name)]


def _at(file, *pointer):
    """What stands in a file at a pointer, as a reference to it."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in pointer)
    return f"{file}#/{'/'.join(urllib.parse.quote(part) for part in parts)}"


def _find(reference, file=None):
    """What a reference names, and the file that it stands in."""
    name, _, pointer = reference.partition("#")
    found = FILES[file := name or file]
    for part in pointer.split("/")[1:]:
        found = found[urllib.parse.unquote(part).replace("~1", "/").replace("~0", "~")]
    return found, file


def _wrong(value, reference):
    """Why a value is not as the schema says; a field that the schema does not name is wrong too."""
    schema = {"$ref": reference, **({"unevaluatedProperties": False} if isinstance(value, dict) else {})}
    errors = Draft202012Validator(schema, registry=REGISTRY, format_checker=FORMATS).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in errors]


def _properties(schema, file):
    """(properties, required) of an object's schema, with those of what it refers to."""
    properties, required = {}, set()
    if "$ref" in schema:
        properties, required = _properties(*_find(schema["$ref"], file))
    return {**properties, **schema.get("properties", {})}, required | set(schema.get("required", ()))


def _values(schema, file):
    """The values of an enumeration; None where it is none."""
    while "$ref" in schema and "enum" not in schema and "const" not in schema:
        schema, file = _find(schema["$ref"], file)
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _made(schema, file, samples):
    """Fails unless the samples have every field of the schema and every value of its enumerations, and what is required always."""
    properties, required = _properties(schema, file)
    assert set().union(*samples) == set(properties)
    assert set.intersection(*map(set, samples)) == required
    for name, of_name in properties.items():
        if name != "message" and (values := _values(of_name, file)):
            assert {each[name] for each in samples if name in each} == set(values), name


def _table(document, heading):
    """The rows of the first table under a heading, by column; code without its backticks."""
    lines = (ROOT / document).read_text().split(f"\n{heading}\n")[1].split("\n|", 1)[1].split("\n\n")[0].splitlines()
    columns, _, *rows = ([re.sub(r"^`([^`]*)`$", r"\1", cell.strip()) for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _fields(document, heading):
    return {row["field"] for row in _table(document, heading)}


# The files themselves


def test_each_schema_is_a_schema():
    for schema in (FILES[EVENTS], *FILES[OPENAPI]["components"]["schemas"].values()):
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere():
    def walk(value, file):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            if name == "$ref":
                assert _find(each, file)
            walk(each, file)

    for name, file in FILES.items():
        walk(file, name)


def test_the_files_have_the_version_of_the_code():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert [FILES[name]["info"]["version"] for name in (OPENAPI, ASYNCAPI)] == [version, version]


def test_what_two_files_define_is_the_same_in_both():
    of_events, of_calls = FILES[EVENTS]["$defs"], FILES[OPENAPI]["components"]["schemas"]
    both = set(of_events) & set(of_calls)
    assert both >= {"WaId", "Reference", "EndReason", "Time"}
    assert {name: of_events[name] for name in both} == {name: of_calls[name] for name in both}


# Events


@pytest.mark.parametrize("event", [*_samples("events"), *_samples("test-event")], ids=lambda event: event["id"])
def test_every_event_is_as_its_schema_says(event):
    definition = TYPES[event["type"]]
    assert _wrong(event, _at(EVENTS, "$defs", definition)) == []
    assert _wrong(event["data"], _at(EVENTS, "$defs", definition, "properties", "data")) == []
    assert not list(Draft202012Validator({"$ref": EVENTS}, registry=REGISTRY).iter_errors(event))


@pytest.mark.parametrize("kind", TYPES)
def test_the_code_makes_everything_that_the_schema_of_an_event_allows(kind):
    data = [event["data"] for event in [*_samples("events"), *_samples("test-event")] if event["type"] == kind]
    _made(FILES[EVENTS]["$defs"][TYPES[kind]]["properties"]["data"], EVENTS, data)


def test_the_code_makes_every_status_of_a_message():
    made = {event["data"]["message"] for event in _samples("events")}
    assert made == set(FILES[EVENTS]["$defs"]["Message"]["enum"])


def test_every_message_of_the_queue_is_as_its_schema_says():
    messages = _samples("queue")
    for message in messages:
        assert _wrong(message, _at(EVENTS, "$defs", "QueueMessage")) == []
    _made(FILES[EVENTS]["$defs"]["QueueMessage"], EVENTS, messages)
    assert {message["event"]["type"] for message in messages} == set(TYPES) - {"connection.test"}


def test_the_document_says_of_each_field_what_the_schema_says():
    for kind in set(TYPES) - {"connection.test"}:
        properties, required = _properties(FILES[EVENTS]["$defs"][TYPES[kind]]["properties"]["data"], EVENTS)
        column = {row["field"]: row[kind.removeprefix("connection.")] for row in _table("docs/EVENTS.md", "## Data")}
        assert column == {name: "always" if name in required else "optional" if name in properties else "–" for name in column}, kind


@pytest.mark.parametrize("heading", ["### Reasons", "### Reasons of an end"])
def test_the_document_says_of_each_reason_what_the_schema_says(heading):
    for row in _table("docs/EVENTS.md", heading):
        for event in row["event"].split(", "):
            if event != "delayed":
                reference = _at(EVENTS, "$defs", TYPES[f"connection.{event}"], "properties", "data")
                least = {"attempt_id": "0a" * 16, "wa_id": "whatsapp:+15551234567", "message": "sent", "reason": row["reason"], "user_message": "x"}
                given = {next_: least | ({} if next_ == "–" else {"next": next_}) for next_ in ("–", "relink", "contact_admin", "wait")}
                valid = {next_ for next_, data in given.items() if not _wrong(data, reference)}
                # Where the chat has connected again, nothing helps.
                assert valid == {row["next"]} | ({"–"} if event in ("revoked", "expired") else set()), row


def test_the_documents_example_is_an_event():
    document = (ROOT / "docs/EVENTS.md").read_text()
    example, in_queue, on_bus, pattern = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", document, re.DOTALL))
    assert _wrong(example, _at(EVENTS, "$defs", TYPES[example["type"]])) == []
    assert _wrong({**in_queue, "event": example}, _at(EVENTS, "$defs", "QueueMessage")) == []
    assert _wrong({**on_bus, "detail": example}, _at(EVENTS, "$defs", "BusEvent")) == []
    assert on_bus["source"] in pattern["source"] and on_bus["detail-type"] in pattern["detail-type"]
    assert set(pattern["detail-type"]) <= set(TYPES)


# What EventBridge adds to an event of the bus.
OF_EVENTBRIDGE = {"version": "0", "id": "0b1c", "account": "123456789012", "region": "eu-west-1", "resources": []}


def test_every_event_of_the_bus_is_as_its_schema_says():
    schema = FILES[EVENTS]["$defs"]["BusEvent"]
    events = [{**OF_EVENTBRIDGE, **each, "time": each["detail"]["time"]} for each in _samples("bus")]
    for event in events:
        assert _wrong(event, _at(EVENTS, "$defs", "BusEvent")) == []
        assert (event["source"], event["detail-type"]) == (event["detail"]["source"], event["detail"]["type"])
    assert set(schema["properties"]) == set(schema["required"]) == set(events[0])
    assert {event["detail-type"] for event in events} == set(TYPES) - {"connection.test"}
    assert set(schema["properties"]["detail-type"]["enum"]) == set(TYPES)


def test_the_document_has_every_field_of_an_event_of_the_bus():
    assert _fields("docs/EVENTS.md", "## Event bus") == set(FILES[EVENTS]["$defs"]["BusEvent"]["properties"])


def test_asyncapi_has_every_event_and_header_and_no_other():
    file = FILES[ASYNCAPI]
    messages = file["components"]["messages"]
    assert set(messages) - {"queueMessage", "busEvent"} == set(TYPES) == set(file["channels"]["webhook"]["messages"])
    for kind, definition in TYPES.items():
        assert messages[kind]["payload"]["schema"] == {"$ref": f"{EVENTS}#/$defs/{definition}"}
    (trait,) = file["components"]["messageTraits"].values()
    headers = {row["header"] for row in _table("docs/EVENTS.md", "## Webhook")}
    assert set(trait["headers"]["properties"]) == set(trait["headers"]["required"]) == headers


# Calls


def _operations():
    """(call, operation) of each path and method."""
    methods = ("get", "post")
    return [
        (f"{method.upper()} {path}", item[method]) for path, item in FILES[OPENAPI]["paths"].items() for method in methods if method in item
    ]


def _response(call, status):
    """The description of an answer."""
    response = dict(_operations())[call]["responses"][str(status)]
    return _find(response["$ref"], OPENAPI)[0] if "$ref" in response else response


def _json(call, status):
    """The schema of an answer in JSON; None where there is none."""
    return _response(call, status).get("content", {}).get("application/json", {}).get("schema")


def _reference(call, status):
    """The same, as a reference."""
    method, path = call.lower().split(" ")
    response = FILES[OPENAPI]["paths"][path][method]["responses"][str(status)]
    if "$ref" in response:
        return response["$ref"].replace("#", f"{OPENAPI}#", 1) + "/content/application~1json/schema"
    return _at(OPENAPI, "paths", path, method, "responses", str(status), "content", "application/json", "schema")


def _errors(schema):
    """The `error`s that a schema allows."""
    if "oneOf" in schema:
        return {error for each in schema["oneOf"] for error in _errors(each)}
    properties, _ = _properties(schema, OPENAPI)
    return set(_values(properties["error"], OPENAPI)) if "error" in properties else set()


def test_the_routes_are_the_templates_and_who_must_sign_too(template):
    functions = [each["Properties"] for _, each in resources(template, "AWS::Serverless::Function")]
    routes = [event["Properties"] for each in functions for event in each["Events"].values() if event["Type"] == "HttpApi"]
    # What no route has is in no file either.
    routes = [route for route in routes if "Path" in route]
    signed = {f"{route['Method']} {route['Path']}": "Auth" in route for route in routes if route["Method"] != "HEAD"}
    assert {call: operation.get("security") != [] for call, operation in _operations()} == signed
    assert all(operation["tags"] == (["bot"] if signed[call] else ["browser"]) for call, operation in _operations())


@pytest.mark.parametrize("answer", _answers(), ids=lambda it: f"{it['call']} {it['status']} {(it['body'] or {}).get('error', '')}")
def test_every_answer_is_as_its_schema_says(answer):
    if answer["body"] is None:
        assert _json(answer["call"], answer["status"]) is None
    else:
        assert _wrong(answer["body"], _reference(answer["call"], answer["status"])) == []


@pytest.mark.parametrize("answer", _answers(), ids=lambda it: f"{it['call']} {it['status']} {(it['body'] or {}).get('error', '')}")
def test_every_answer_has_the_headers_of_its_schema_and_no_other(answer):
    documented = {**_response("POST /links", 200)["headers"], **_response(answer["call"], answer["status"]).get("headers", {})}
    sent = dict(answer["headers"])
    assert (sent.pop("content-type", None) == "application/json") == (answer["body"] is not None)
    assert set(sent) == {name.lower() for name in documented}
    for name, header in documented.items():
        schema = (_find(header["$ref"], OPENAPI)[0] if "$ref" in header else header)["schema"]
        value = int(sent[name.lower()]) if schema.get("type") == "integer" else sent[name.lower()]
        assert not list(Draft202012Validator(schema).iter_errors(value)), name


def test_the_functions_make_every_error_of_the_file_and_no_other():
    allowed = {
        (call, status, error)
        for call, operation in _operations()
        for status in operation["responses"]
        if status >= "400" and _json(call, status)
        for error in _errors(_json(call, status))
    }
    made = {(each["call"], str(each["status"]), each["body"]["error"]) for each in _answers() if each["status"] >= 400}
    # Salesforce may post its answer too: one parser and one reply for both.
    made |= {("POST /callback", status, error) for call, status, error in made if call == "GET /callback"}
    assert allowed == made


def test_every_status_without_an_answer_of_a_function_is_api_gateways_or_a_browsers():
    made = {(each["call"], str(each["status"])) for each in _answers()} | {("POST /callback", status) for status in ("200", "400", "503")}
    listed = {(call, status) for call, operation in _operations() for status in operation["responses"]}
    pages = {("GET /connect/{link}", "200"), ("POST /connect/{link}", "303")}
    assert {(call, status) for call, status in listed - made if status not in GATEWAY} == pages
    assert made <= listed


def test_the_document_has_every_error_of_the_file_and_no_other():
    documented = {(row["endpoint"], row["status"], row["error"]) for row in _table("docs/API.md", "## Errors")}
    listed = {
        (f"/{call.split('/')[1]}", status, error)
        for call, operation in _operations()
        for status in operation["responses"]
        if status >= "400"
        for error in _errors(_json(call, status))
    }
    # Where the file has no path, it has no answer either.
    assert documented - {("/connections", "404", "not_found"), ("any other", "404", "not_found")} == listed


def test_the_code_makes_everything_that_the_schema_of_an_answer_allows():
    schemas = FILES[OPENAPI]["components"]["schemas"]
    of_a_page = "POST /connect/status"
    bodies = [each["body"] for each in _answers() if each["body"] and each["call"] != of_a_page]
    _made(schemas["Link"], OPENAPI, [body for body in bodies if "link_id" in body])
    _made(schemas["Token"], OPENAPI, [body for body in bodies if "access_token" in body])
    _made(schemas["Accepted"], OPENAPI, [body for body in bodies if body.get("status") == "accepted"])
    _made(schemas["AcceptedUnconfirmed"], OPENAPI, [body for body in bodies if "confirmation_code" in body])
    _made(schemas["NeedsReauthorization"], OPENAPI, [body for body in bodies if body.get("error") == "needs_reauthorization"])
    _made(schemas["Confirmation"], OPENAPI, [body for body in bodies if body.get("status") == "confirmed"])
    for schema, error in {"UnknownCode": "unknown_code", "WrongChat": "wrong_chat", "TooManyGuesses": "too_many_guesses"}.items():
        _made(schemas[schema], OPENAPI, [body for body in bodies if body.get("error") == error])
    of_logins = [each["body"] for each in _answers() if each["call"] == of_a_page and each["status"] == 200]
    _made(schemas["LoginStatus"], OPENAPI, of_logins)
    _made(schemas["LoginNotice"], OPENAPI, [body["page"] for body in of_logins if "page" in body])
    for status, reference in schemas["Status"]["discriminator"]["mapping"].items():
        of_status = [body for body in bodies if body.get("status") == status and "confirmation_code" not in body]
        _made(_find(reference, OPENAPI)[0], OPENAPI, of_status)


@pytest.mark.parametrize("request_", _samples("requests"), ids=lambda it: f"{it['call']} {str(it['body'])[:60]}")
def test_a_request_is_refused_where_its_schema_forbids_it(request_):
    method, path = request_["call"].lower().split(" ")
    reference = _at(OPENAPI, "paths", path, method, "requestBody", "content", "application/json", "schema")
    errors = list(Draft202012Validator({"$ref": reference}, registry=REGISTRY, format_checker=FORMATS).iter_errors(request_["body"]))
    # Which login hosts a stack has is its operator's choice.
    assert bool(errors) == (request_["error"] not in (None, "login_url_not_allowed"))


@pytest.mark.parametrize(
    ("schema", "heading"),
    [
        ("LinkRequest", "### Request"),
        ("TokenRequest", "### Token request"),
        ("ConfirmationRequest", "### Confirmation request"),
        ("Link", "### Response"),
        ("Token", "### Token response"),
        ("Confirmation", "### Confirmation response"),
    ],
)
def test_the_document_has_the_fields_of_the_schema(schema, heading):
    properties, required = _properties(FILES[OPENAPI]["components"]["schemas"][schema], OPENAPI)
    rows = _table("docs/API.md", heading)
    assert {row["field"] for row in rows} == set(properties)
    assert {row["field"] for row in rows if row.get("", "always") in ("required", "always")} == required


def test_the_document_has_the_fields_of_each_status():
    for status, reference in FILES[OPENAPI]["components"]["schemas"]["Status"]["discriminator"]["mapping"].items():
        rows = _table("docs/API.md", "### Status response")
        with_it = {row["field"] for row in rows if row["with"] == "always" or status in re.findall(r"\w+", row["with"])}
        assert set(_find(reference, OPENAPI)[0]["properties"]) == with_it, status


@pytest.mark.parametrize(
    ("call", "source"),
    [
        ("POST /links", "functions/connect-link/src/link_request.rs"),
        ("POST /connections/token", "functions/token-keeper/src/request.rs"),
        ("POST /connections/status", "functions/token-keeper/src/request.rs"),
        ("POST /confirmations", "functions/token-keeper/src/confirmations/request.rs"),
    ],
)
def test_the_file_says_how_long_a_body_may_be(call, source):
    (limit,) = re.findall(r"const MAX_LENGTH: usize = ([\d_]+);", (ROOT / source).read_text())
    assert f"At most {limit.replace('_', ',')} bytes." in dict(_operations())[call]["requestBody"]["description"]
