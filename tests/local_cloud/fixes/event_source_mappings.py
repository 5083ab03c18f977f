"""How Lambda reads queues and streams: batches, filters, failures and the permissions it needs for it."""

import contextvars
import json
import threading
import time

from ministack.core import iam_evaluator
from ministack.core.arn import parse_arn
from ministack.core.concurrency import esm_wake, spawn_background
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import dynamodb, lambda_svc

from . import fix
from .provisioning import HANDLERS, is_true, with_properties

_MAPPING = "AWS::Lambda::EventSourceMapping"
_NUMBERS = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
)
_STREAM_BACKOFF_SECONDS, _STREAM_BACKOFF_LIMIT_SECONDS = 0.2, 2.0


@fix
def mapping_numbers():
    """A mapping's numbers may come from parameters, which CloudFormation delivers as text.

    In MiniStack one such `MaximumConcurrency` ends the polling of every queue.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-eventsourcemapping.html
    """

    def as_numbers(properties):
        numbers = {name: int(properties[name]) for name in _NUMBERS if properties.get(name) is not None}
        scaling = properties.get("ScalingConfig") or {}
        if scaling.get("MaximumConcurrency") is not None:
            numbers["ScalingConfig"] = {**scaling, "MaximumConcurrency": int(scaling["MaximumConcurrency"])}
        return {**properties, **numbers}

    with_properties(_MAPPING, as_numbers)


@fix
def mapping_permissions():
    """A mapping is refused unless the function's role may read the source and write to the on-failure queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    reading = {
        "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        "dynamodb": ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
    }
    writing = {"sqs": ("sqs:SendMessage",)}

    def check(properties):
        function, *_ = lambda_svc._get_func_record_for_ref(properties.get("FunctionName", ""))
        if function is None:
            return
        role = function["config"]["Role"].rsplit("/", 1)[-1]
        source = properties.get("EventSourceArn", "")
        failures = ((properties.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", "")
        for arn, actions in ((source, reading), (failures, writing)):
            for action in actions.get(parse_arn(arn).service, ()) if arn else ():
                if not _role_allows(role, action, arn):
                    raise ValueError(
                        "The function execution role does not have permissions to call "
                        f"{action.split(':')[1]} on {action.split(':')[0].upper()}"
                    )

    create = HANDLERS[_MAPPING]["create"]

    def checked_create(logical_id, properties, stack):
        check(properties)
        return create(logical_id, properties, stack)

    HANDLERS[_MAPPING]["create"] = checked_create


def _role_allows(role, action, resource):
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{get_account_id()}:assumed-role/{role}/lambda",
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(role, get_account_id())
    return iam_evaluator.evaluate(context, policies).decision == "Allow"


@fix
def filter_absent_fields():
    """In a filter, `exists: false` holds for a field whose parent is absent, and every other rule fails for it.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    match = lambda_svc._match_esm_filter

    def match_absent(record, pattern):
        parents = {key: {} for key, rule in pattern.items() if isinstance(rule, dict) and record.get(key) is None}
        for key, rules in pattern.items():
            if isinstance(rules, list) and key not in record:
                if not any(isinstance(rule, dict) and rule.get("exists") is False for rule in rules):
                    return False
        return match({**record, **parents}, pattern)

    lambda_svc._match_esm_filter = match_absent


@fix
def sqs_invalid_partial_responses():
    """A partial batch response that cannot be read fails the whole batch.

    That is: text that is not JSON, or an `itemIdentifier` that is absent, empty or not of this batch.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    run_batch, execute = lambda_svc._run_sqs_batch, lambda_svc._execute_function
    expected = contextvars.ContextVar("expected", default=None)

    def run_checked(mapping, function, event, batch, *queue):
        reports = "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ())
        token = expected.set({message["id"] for message in batch} if reports else None)
        try:
            run_batch(mapping, function, event, batch, *queue)
        finally:
            expected.reset(token)

    def execute_checked(function, event):
        result = execute(function, event)
        identifiers = expected.get()
        if identifiers is None or result.get("error"):
            return result
        failures = _reported_failures(result.get("body"))
        if failures is None or not identifiers.issuperset(failures):
            error = {"errorType": "InvalidPartialBatchResponse", "errorMessage": "The whole batch is retried"}
            return {**result, "error": True, "body": error}
        return result

    lambda_svc._run_sqs_batch, lambda_svc._execute_function = run_checked, execute_checked


def _reported_failures(body):
    """The identifiers in a partial batch response, or None if it is not one."""
    if not body:
        return []
    try:
        response = json.loads(body) if isinstance(body, (str, bytes)) else body
        failures = (response or {}).get("batchItemFailures") or []
        identifiers = [failure["itemIdentifier"] for failure in failures]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return identifiers if all(identifiers) else None


@fix
def stream_mappings():
    """A stream's batch is retried until it succeeds, expires or has used up its attempts; then it is discarded.

    - A partial batch response restarts at the first failed record; the records before it are done.
    - `BisectBatchOnFunctionError` splits a failed batch in two; a split uses up no attempt.
    - After `MaximumRetryAttempts`, or older than `MaximumRecordAgeInSeconds`, records go, as pointers, to the
      on-failure destination.
    - Streams are read side by side: a slow function delays no other source.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
    """
    lambda_svc._poll_dynamodb_streams = _Streams().poll


class _Streams:
    """Reads every mapped DynamoDB stream, each in a thread of its own while it has records."""

    def __init__(self):
        self.lock = threading.Lock()
        self.busy = set()
        self.unfinished = {}  # by mapping: what is left of the batch in hand, in order, each part with its retries

    def poll(self):
        started = False
        for account, region, mapping in lambda_svc._iter_all_esms():
            identifier, stream = mapping["UUID"], mapping.get("EventSourceArn", "")
            if ":dynamodb:" not in stream or not mapping.get("Enabled", True):
                continue
            with request_scope(account, region):
                with self.lock:
                    if identifier in self.busy:
                        continue
                if not self.unfinished.get(identifier):
                    self.unfinished[identifier] = [(batch, 0) for batch in _next_batches(mapping, stream)]
                if self.unfinished[identifier]:
                    with self.lock:
                        self.busy.add(identifier)
                    spawn_background(self.deliver, mapping, thread_name="stream-mapping")
                    started = True
        return started

    def deliver(self, mapping):
        identifier = mapping["UUID"]
        try:
            while self.unfinished[identifier] and mapping.get("Enabled", True) and identifier in lambda_svc._esms:
                _deliver_first(self.unfinished[identifier], mapping)
        finally:
            with self.lock:
                self.busy.discard(identifier)
            esm_wake.set()


def _next_batches(mapping, stream):
    """The next records of a stream that pass the mapping's filter: one batch or none.

    The position moves past everything that was read.
    """
    name = stream.split("/stream/")[0].split("/")[-1]
    table = dynamodb._tables.get(name)
    if not table or table.get("LatestStreamArn") != stream:
        return []
    positions, identifier = lambda_svc._dynamodb_stream_positions, mapping["UUID"]
    with lambda_svc._dynamodb_stream_positions_lock:
        oldest = dynamodb.stream_start_position(name)
        if identifier not in positions:
            latest = mapping.get("StartingPosition") != "TRIM_HORIZON"
            positions[identifier] = dynamodb.stream_end_position(name) if latest else oldest
        position = max(positions[identifier], oldest)
        records = dynamodb.stream_records_since(name, position, int(mapping.get("BatchSize", 100)))
        positions[identifier] = position + len(records)
    if records:
        esm_wake.set()
    wanted = lambda_svc._apply_filter_criteria(list(records), mapping)
    return [wanted] if wanted else []


def _deliver_first(batches, mapping):
    """Invokes the function with the first batch, and leaves of it what is to be tried again."""
    function, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    batch, retries = batches.pop(0)

    def discard(records, result, reason):
        lambda_svc._send_ddb_stream_failure_record(
            mapping, function, records, mapping["EventSourceArn"], result, reason
        )

    expired = [record for record in batch if _has_expired(record, mapping)]
    if expired:
        discard(expired, {}, "MaxRecordAgeExceeded")
        batch = [record for record in batch if record not in expired]
        if not batch:
            return
    result = lambda_svc._execute_function(function, {"Records": batch})
    failed_at = _first_failure(mapping, batch, result)
    if failed_at is None:
        mapping["LastProcessingResult"] = f"OK - {len(batch)} records"
        return
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
    if failed_at:
        batch, retries = batch[failed_at:], 0  # what is before the first failure is done
    if result.get("throttle"):
        batches.insert(0, (batch, retries))
    elif is_true(mapping.get("BisectBatchOnFunctionError")) and len(batch) > 1:
        half = len(batch) // 2
        batches[:0] = [(batch, 0)] if failed_at else [(batch[:half], 0), (batch[half:], 0)]
    elif 0 <= int(mapping.get("MaximumRetryAttempts", -1)) <= retries:
        discard(batch, result, "RetryAttemptsExhausted")
        return
    else:
        retries += 1
        batches.insert(0, (batch, retries))
    time.sleep(min(_STREAM_BACKOFF_SECONDS * 2**retries, _STREAM_BACKOFF_LIMIT_SECONDS))


def _has_expired(record, mapping):
    limit = int(mapping.get("MaximumRecordAgeInSeconds", -1))
    return limit > 0 and time.time() - float(record["dynamodb"]["ApproximateCreationDateTime"]) > limit


def _first_failure(mapping, batch, result):
    """Where in the batch the function failed: an index, 0 for all of it, None for success."""
    if result.get("error") or result.get("throttle"):
        return 0
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or ()):
        return None
    failures = _reported_failures(result.get("body"))
    if failures is None:
        return 0
    sequence = [record["dynamodb"]["SequenceNumber"] for record in batch]
    return min((sequence.index(failure) if failure in sequence else 0 for failure in failures), default=None)
