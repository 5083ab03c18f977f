"""Calls the deployed API with what `docs/contract/openapi.yaml` allows and forbids: no answer is a 5xx, and none is outside the file.

`make contract` runs it on a local cloud of its own, which LOCAL_CLOUD_STATE names. Among the chats that are asked about some are
connected, some have ended, and most never were. The cases are the same each time.
"""

import collections
import hashlib
import json
import os
import pathlib
import re
import time

import botocore.session
import pytest
import requests
import schemathesis
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from requests.auth import AuthBase
from schemathesis import checks

ROOT = pathlib.Path(__file__).resolve().parents[3]
STATE = json.loads(pathlib.Path(os.environ["LOCAL_CLOUD_STATE"]).read_text())
API = STATE["bot_api_url"]
CONNECTED, ENDED, BLOCKED = (f"whatsapp:+1555000000{digit}" for digit in range(3))
# What must be seen, so that the run is known to have reached it.
REACHED = {
    "POST /links": {200, 400},
    "POST /connections/token": {200, 400, 404, 409},
    "POST /connections/status": {200, 400},
    "POST /connections/disconnect": {204, 400},
    "POST /confirmations": {400, 404},
    "GET /connect/{link}": {404},
    "POST /connect/{link}": {404},
    "GET /callback": {400},
    "POST /callback": {400},
}
checks.load_all_checks()
CHECKS = checks.CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",  # what the file forbids is refused
    ]
)
SEEN = collections.defaultdict(collections.Counter)

schema = schemathesis.openapi.from_path(ROOT / "docs/contract/openapi.yaml")
CHAT = schema.raw_schema["components"]["schemas"]["WaId"]["pattern"]
# Other methods have no route: API Gateway answers 404, and no function is asked.
schema.config.phases.coverage.unexpected_methods = set()
# Every case is signed.
schema.config.generation.with_security_parameters = False


class Signed(AuthBase):
    """Signs as the bot."""

    def __call__(self, request):
        content_type = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        signed = AWSRequest(request.method, request.url, headers=content_type, data=request.body or b"")
        SigV4Auth(Credentials(*STATE["bot_credentials"].values()), "execute-api", STATE["region"]).add_auth(signed)
        request.headers.update(signed.headers)
        return request


@pytest.fixture(scope="module", autouse=True)
def rows():
    """Rows as the older system wrote them, and of connections that have ended."""
    session = botocore.session.get_session()
    credentials = STATE["credentials"]
    dynamodb = session.create_client(
        "dynamodb",
        STATE["region"],
        endpoint_url=STATE["endpoint"],
        aws_access_key_id=credentials["access_key_id"],
        aws_secret_access_key=credentials["secret_access_key"],
    )
    now = {"N": str(int(time.time() * 1000))}
    tokens = {"access_token": {"S": "00Dxx!TOKEN"}, "instance_url": {"S": STATE["sandbox_url"]}, "issued_at": now}
    for chat, row in {
        CONNECTED: tokens,
        ENDED: {"ended_at": now, "ended_reason": {"S": "expired"}},
        BLOCKED: {"ended_at": now, "ended_reason": {"S": "app_blocked"}},
    }.items():
        dynamodb.put_item(TableName=STATE["stacks"]["main"]["outputs"]["TokenTableName"], Item={"wa_id": {"S": chat}, **row})


@schemathesis.hook
def map_body(_context, body):
    """Asks about one of our chats in half of the cases that ask about a chat at all."""
    if isinstance(body, dict) and re.fullmatch(CHAT, str(body.get("wa_id"))):
        digit = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()[0] % 6
        body = {**body, "wa_id": [CONNECTED, ENDED, BLOCKED][digit]} if digit < 3 else body
    return body


def test_the_file_is_valid_openapi():
    validate(yaml.safe_load((ROOT / "docs/contract/openapi.yaml").read_text()))


@schema.parametrize()
@settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_no_answer_is_outside_the_contract(case):
    response = case.call(base_url=API, auth=Signed(), allow_redirects=False)
    SEEN[case.operation.label][response.status_code] += 1
    case.validate_response(response, checks=CHECKS)


@pytest.mark.parametrize("path", ["/links", "/connections/token", "/connections/status", "/connections/disconnect", "/confirmations"])
def test_a_call_that_is_not_signed_is_refused(path):
    answer = requests.post(f"{API}{path}", json={"wa_id": CONNECTED, "text": "K7PW-4MXR"}, timeout=30)
    assert answer.status_code == 403
    schema[path]["POST"].validate_response(answer)


@pytest.mark.parametrize("call", REACHED)
def test_the_run_has_reached(call):
    assert set(SEEN[call]) >= REACHED[call], dict(SEEN[call])
