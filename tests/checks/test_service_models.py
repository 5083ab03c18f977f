"""The names of AWS's that stand in our code as text, against the models of its services, which botocore carries.

The SDKs are generated from these models, so that an operation of theirs exists where it compiles. Nothing compiles what is
compared with an error code, said in a log line, or sent by hand. What is sent while the local cloud runs, it holds against
the same models (`tests/local_cloud/fixes/models.py`).
"""

import functools
import re

import botocore.session
import pytest
from conftest import ROOT

# Each error code that the code compares with, where, and the services and operations that return it. `None`: any operation
# of any service (each API Reference, "Common Errors"), which the models do not have.
CODES = {
    ("cli/src/aws/attempts/listing.rs", "ValidationException"): None,
    ("cli/src/aws/attempts/references.rs", "ValidationException"): None,
    ("cli/src/aws/cloudformation.rs", "ValidationError"): None,
    ("cli/src/aws/erasure.rs", "ConditionalCheckFailedException"): [("dynamodb", "DeleteItem")],
    ("cli/src/aws/json_api.rs", "LimitExceededException"): [("logs", "StartQuery")],
    ("cli/src/aws/secrets.rs", "ResourceNotFoundException"): [("secretsmanager", "DescribeSecret"), ("secretsmanager", "GetSecretValue")],
    ("cli/src/aws/tables.rs", "ResourceNotFoundException"): [("dynamodb", "DescribeTable")],
    ("functions/token-keeper/src/tables.rs", "ValidationException"): None,
    # A reason for which a transaction is canceled: the model has no list of them, the API Reference of TransactWriteItems has.
    ("shared/src/aws/dynamodb.rs", "ConditionalCheckFailed"): None,
    ("shared/src/aws/dynamodb.rs", "ConditionalCheckFailedException"): [("dynamodb", "UpdateItem")],
    ("shared/src/aws/dynamodb.rs", "TransactionCanceledException"): [("dynamodb", "TransactWriteItems")],
    ("shared/src/aws/kms.rs", "DependencyTimeoutException"): [("kms", name) for name in ("Decrypt", "GenerateDataKey", "Sign")],
    ("shared/src/aws/kms.rs", "KMSInternalException"): [("kms", name) for name in ("Decrypt", "GenerateDataKey", "GenerateMac", "Sign")],
    ("shared/src/aws/kms.rs", "KeyUnavailableException"): [("kms", name) for name in ("Decrypt", "GenerateDataKey", "GenerateMac", "Sign")],
    ("shared/src/aws/kms.rs", "ThrottlingException"): None,
}
OF_AWS = "|".join(("Exception", "Error", "Failed", "Failure", "Queue", "Throttled", "Exceeded", "InProgress"))
# A code as text, and an error of the SDK's by its variant.
CODE = re.compile(rf'"([A-Z]\w+(?:{OF_AWS}))"|\w+Error::(\w+(?:Exception))\(')
# What names an operation in a log line or a message.
OPERATION = re.compile(r'AwsError::of\("(\w+)"\)|Error::aws\([^()]*?"(\w+)"\)|(?:OPERATION|SEND_MESSAGE): &str = "(\w+)"|let operation = "(\w+)"')
# A call in AWS's JSON protocol, as wasf makes it by hand: `CLOUDWATCH.read(aws, (ACTION, "DescribeAlarms"), …`.
BY_HAND = {"CLOUDWATCH": "cloudwatch", "LOGS": "logs", "EVENTS": "events"}
SERVICES = ["cloudformation", "cloudwatch", "dynamodb", "events", "iam", "kms", "lambda", "logs", "secretsmanager", "sns", "sqs", "sts"]


@functools.cache
def _model(service):
    return botocore.session.get_session().get_service_model(service)


def _sources():
    """(path, text) of each Rust file of the functions and wasf, without tests and comments."""
    for folder in ("functions", "shared", "cli"):
        for path in sorted((ROOT / folder).rglob("src/**/*.rs")):
            if path.name != "tests.rs":
                text = re.split(r"#\[cfg\(test\)\]\n(?:pub\S* )?mod \w+ \{", path.read_text())[0]
                yield path.relative_to(ROOT).as_posix(), re.sub(r"^ *//.*", "", text, flags=re.MULTILINE)


def _codes(text):
    return {code for pair in CODE.findall(text) for code in pair if code}


def _is_returned(service, operation, code):
    return code in {shape.name for shape in _model(service).operation_model(operation).error_shapes}


def test_each_error_code_that_is_compared_with_is_known_here():
    found = {(path, code) for path, text in _sources() for code in _codes(text)}
    assert found == set(CODES)


@pytest.mark.parametrize(("where", "returned"), CODES.items(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_an_error_code_is_one_that_the_operations_return(where, returned):
    for service, operation in returned or []:
        assert _is_returned(service, operation, where[1]), (service, operation)


def test_a_code_that_no_operation_returns_is_found():
    assert _codes('code == Some("TransactionCancelledException")') == {"TransactionCancelledException"}
    assert _codes("Some(PutItemError::ConditionalCheckFailedException(failed)) => {") == {"ConditionalCheckFailedException"}
    assert not _is_returned("dynamodb", "TransactWriteItems", "TransactionCancelledException")
    assert not _is_returned("kms", "Decrypt", "ThrottlingException")
    assert not _is_returned("dynamodb", "GetItem", "ConditionalCheckFailedException")


def _operations(text):
    return {name for names in OPERATION.findall(text) for name in names if name}


def test_an_operation_is_named_as_aws_names_it():
    known = {name for service in SERVICES for name in _model(service).operation_names}
    named = {(path, name) for path, text in _sources() for name in _operations(text)}
    assert len(named) > 40
    assert not {each for each in named if each[1] not in known}


def test_an_operation_that_no_service_has_is_found():
    assert _operations('AwsError::of("PutEvent")') == _operations('const OPERATION: &str = "PutEvent";') == {"PutEvent"}
    assert not any("PutEvent" in _model(service).operation_names for service in SERVICES)


def test_wasf_asks_by_hand_in_the_protocol_of_the_services_model():
    source = (ROOT / "cli/src/aws/json_api.rs").read_text().split("#[cfg(test)]")[0]
    for constant, service in BY_HAND.items():
        given = re.search(rf"const {constant}: Service =\s*Service \{{(.*?)\}};", source, flags=re.DOTALL)[1]
        name, identifier, target, version = re.findall(r'"(?:application/x-amz-json-)?([\w. ]+)"', given)
        metadata = _model(service).metadata
        assert "json" in metadata["protocols"]
        assert [name, identifier, target] == [metadata["endpointPrefix"], metadata["serviceId"], metadata["targetPrefix"]]
        assert version == metadata["jsonVersion"], service


def test_the_operations_that_wasf_asks_for_by_hand_exist():
    asked = set()
    for path, text in _sources():
        services = [service for constant, service in BY_HAND.items() if re.search(rf"json_api::.*\b{constant}\b", text)]
        if services:
            (service,) = services
            asked |= {(service, name) for name in re.findall(r'\((?:ACTION|"[a-z][^"]*"), "([A-Z]\w+)"\)|\(\("([A-Z]\w+)"', text) for name in name if name}
    assert asked
    assert not {each for each in asked if each[1] not in _model(each[0]).operation_names}
