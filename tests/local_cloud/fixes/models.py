"""Requests as the service models say that AWS publishes: botocore's data, which the SDKs are generated from too."""

import base64
import functools
import json
import re

import botocore.session
from ministack import app
from ministack.core.responses import error_response_json

from . import fix

# By what stands before the operation in `X-Amz-Target`. Other services are not asked in JSON, but for Lambda.
_SERVICES = {
    "AmazonSQS": "sqs",
    "AWSEvents": "events",
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "GraniteServiceVersion20100801": "cloudwatch",
    "Logs_20140328": "logs",
    "secretsmanager": "secretsmanager",
    "TrentService": "kms",
}
# What the API's documents limit and its model does not, by the name of the shape's member: the least and the most.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_LIMITS = {
    ("sqs", "VisibilityTimeout"): (0, 43_200),
    ("sqs", "MaxNumberOfMessages"): (1, 10),
    ("sqs", "WaitTimeSeconds"): (0, 20),
    ("sqs", "Entries"): (1, 10),
    ("sqs", "MessageBody"): (1, 1_048_576),
}
_KINDS = {
    "structure": dict, "map": dict, "list": list, "string": str, "blob": str, "boolean": bool, "integer": int, "long": int,
    "float": (int, float), "double": (int, float), "timestamp": (int, float),
}  # fmt: skip


@fix
def requests_by_the_model():
    """A request that is not as the service's model says is refused: an operation or a member that there is not, one that
    is missing, a value of another kind, beside its enum or its pattern, too long or too short.

    MiniStack reads what it needs. AWS itself ignores some members that it does not know; whoever sends one means
    something by it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
    """
    dispatch = app._dispatch_service_request

    async def dispatch_valid(method, path, headers, body, query_params, request_id):
        prefix, _, operation = headers.get("x-amz-target", "").partition(".")
        if prefix in _SERVICES and "json" in headers.get("content-type", ""):
            found = faults(_SERVICES[prefix], operation, body)
            if found:
                return error_response_json("ValidationException", f"{operation}: {'; '.join(found)}", 400)
        return await dispatch(method, path, headers, body, query_params, request_id)

    app._dispatch_service_request = dispatch_valid


@functools.cache
def _model(service):
    return botocore.session.get_session().get_service_model(service)


def faults(service, operation, body):
    """What is wrong with a request, without the values that it holds."""
    model = _model(service)
    if operation not in model.operation_names:
        return ["there is no such operation"]
    try:
        given = json.loads(body or "{}")
    except ValueError:
        return ["the body is not JSON"]
    shape = model.operation_model(operation).input_shape
    return list(_of_value(service, shape, given, "")) if shape else []


def _of_value(service, shape, value, path):
    kind = _KINDS[shape.type_name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        yield f"{path or 'the body'} is no {shape.type_name}"
        return
    if shape.type_name == "structure":
        yield from _of_members(service, shape, value, path)
        return
    yield from _of_limits(shape, value, path)
    if shape.type_name == "list":
        for each in value:
            yield from _of_value(service, shape.member, each, f"{path}[]")
    elif shape.type_name == "map":
        for key, each in value.items():
            yield from _of_value(service, shape.key, key, f"{path}'s key")
            yield from _of_value(service, shape.value, each, f"{path}'s value")


def _of_members(service, shape, value, path):
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"{path}.{name} is missing"
    for name, each in value.items():
        inner = f"{path}.{name}"
        if name not in shape.members:
            yield f"there is no {inner}"
        elif each is not None:
            yield from _of_value(service, shape.members[name], each, inner)
            if (service, name) in _LIMITS and not _is_within(_LIMITS[service, name], each):
                yield f"{inner} is beyond its limit"


def _of_limits(shape, value, path):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name == "blob":
        value = base64.b64decode(value)
    if not _is_within((least, most), value):
        yield f"{path} is beyond its limit"
    if shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"{path} is none of {', '.join(shape.enum)}"
        pattern = _pattern(shape.metadata.get("pattern"))
        if pattern and not pattern.fullmatch(value):
            yield f"{path} is not of its pattern"


def _is_within(limits, value):
    least, most = limits
    size = value if isinstance(value, (int, float)) else len(value)
    return (least is None or size >= least) and (most is None or size <= most)


@functools.cache
def _pattern(text):
    """A pattern of the model; None for those that Python's expressions do not know."""
    try:
        return re.compile(text, re.DOTALL) if text else None
    except re.error:
        return None
