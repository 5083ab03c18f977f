"""CloudWatch: metrics that functions and queues publish, and alarms that read them."""

import ast
import json
import operator
import re
import threading
import time

from ministack.core.responses import request_scope
from ministack.services import apigateway, cloudwatch, lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from . import fix

_PUBLISH_SECONDS = 2


@fix
def embedded_metrics():
    """Log lines in the embedded metric format become metrics.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    emit_logs = lambda_svc._emit_lambda_logs

    def emit_with_metrics(function, request_id, text, *rest, **options):
        emit_logs(function, request_id, text, *rest, **options)
        for line in (text or "").splitlines():
            if '"CloudWatchMetrics"' in line:
                _publish_embedded(line)

    lambda_svc._emit_lambda_logs = emit_with_metrics


def _publish_embedded(line):
    try:
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for names in directive.get("Dimensions") or [[]]:
                dimensions = {name: str(document[name]) for name in names}
                for metric in directive["Metrics"]:
                    values = document[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        cloudwatch.record_metric(
                            directive["Namespace"], metric["Name"], value, metric.get("Unit", "None"), dimensions
                        )
    except (KeyError, TypeError, ValueError):
        return  # as on AWS, a line that does not keep to the format is only a log line


@fix
def function_metrics():
    """`AWS/Lambda` metrics count every invocation, whatever caused it.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    emit_logs, emit_metrics = lambda_svc._emit_lambda_logs, lambda_svc._emit_lambda_metrics

    def emit_both(function, request_id, text, error, duration_ms, **options):
        emit_logs(function, request_id, text, error, duration_ms, **options)
        name = (function.get("config") or function)["FunctionName"]
        emit_metrics(name, duration_ms, bool(error), False)

    def emit_throttles(name, duration_ms, error, throttle):
        if throttle:  # the other invocations are counted above, MiniStack's own calls would count them twice
            emit_metrics(name, duration_ms, error, throttle)

    lambda_svc._emit_lambda_logs, lambda_svc._emit_lambda_metrics = emit_both, emit_throttles


@fix
def api_metrics():
    """`AWS/ApiGateway` metrics count the requests of an HTTP API, and its answers of 4xx and 5xx, and say how long they took.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    """
    handle = apigateway._handle_execute_in_scope

    async def counted(api_id, *rest, **options):
        started = time.monotonic()
        answer = await handle(api_id, *rest, **options)
        hundreds, latency = answer[0] // 100, (time.monotonic() - started) * 1000
        cloudwatch.record_metric("AWS/ApiGateway", "Latency", latency, "Milliseconds", {"ApiId": api_id})
        for name, value in (("Count", 1), ("4xx", int(hundreds == 4)), ("5xx", int(hundreds == 5))):
            cloudwatch.record_metric("AWS/ApiGateway", name, value, "Count", {"ApiId": api_id})
        return answer

    apigateway._handle_execute_in_scope = counted


@fix
def iterator_age():
    """`AWS/Lambda` metrics say how old the last record of a stream's batch is when the function gets it.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    execute = lambda_svc._execute_function

    def execute_measured(function, event, *rest, **options):
        records = event.get("Records") if isinstance(event, dict) else None
        if records and records[-1].get("eventSource") == "aws:dynamodb":
            age = time.time() - float(records[-1]["dynamodb"]["ApproximateCreationDateTime"])
            name = {"FunctionName": function["config"]["FunctionName"]}
            cloudwatch.record_metric("AWS/Lambda", "IteratorAge", max(age, 0) * 1000, "Milliseconds", name)
        return execute(function, event, *rest, **options)

    lambda_svc._execute_function = execute_measured


@fix
def queue_metrics():
    """`AWS/SQS` metrics say how many messages wait in a queue and how old the oldest is.

    Whether a message counts that is still delayed AWS does not say. Here it does, so that no alarm relies on it.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """

    def publish(queue):
        sqs._refresh_counts(queue)
        attributes, now = queue["attributes"], time.time()
        name = {"QueueName": attributes["QueueArn"].rsplit(":", 1)[1]}
        waiting = int(attributes["ApproximateNumberOfMessages"])
        # Those that were received three times or more are left out.
        seldom = (each for each in list(queue["messages"]) if each.get("receive_count", 0) < 3)
        oldest = max((now - message["sent_at"] for message in seldom), default=0)
        cloudwatch.record_metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", waiting, "Count", name)
        cloudwatch.record_metric("AWS/SQS", "ApproximateAgeOfOldestMessage", oldest, "Seconds", name)

    def publish_all():
        while True:
            time.sleep(_PUBLISH_SECONDS)
            for (account, region, *_), queue in list(sqs._queues.all_items()):
                with request_scope(account, region):
                    publish(queue)

    threading.Thread(target=publish_all, daemon=True, name="queue-metrics").start()


@fix
def alarm_evaluation():
    """An alarm reads the metric with its own dimensions, period by period, and says what missing data mean.

    MiniStack adds up a metric whatever its dimensions, so that one function's errors would raise another one's alarm. It is
    evaluated here because the end-to-end test of the alarms is what ties each alarm to its metric and its fault, and nothing
    less does.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """

    def evaluate(alarm):
        if not alarm.get("Metrics") and not (alarm.get("Namespace") and alarm.get("MetricName")):
            return
        state, reason = _alarm_state(alarm, time.time())
        previous = alarm["StateValue"]
        if state != previous:
            alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
            cloudwatch._record_history(alarm["AlarmName"], previous, state, reason)
            cloudwatch._dispatch_alarm_actions(alarm, previous, state, reason)
            cloudwatch._evaluate_parent_alarms(alarm)

    def evaluate_all():
        while True:
            time.sleep(_PUBLISH_SECONDS)
            for account, region in {key[:2] for key, _ in list(cloudwatch._alarms.all_items())}:
                with request_scope(account, region):
                    cloudwatch._evaluate_all_alarms()

    cloudwatch._evaluate_alarm = evaluate
    threading.Thread(target=evaluate_all, daemon=True, name="alarms").start()


_COMPARISONS = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


def _alarm_state(alarm, now):
    """The state of an alarm: whether enough of its last periods breach the threshold."""
    period, periods = int(alarm.get("Period") or 60), int(alarm.get("EvaluationPeriods", 1))
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    missing = alarm.get("TreatMissingData") or "missing"
    values = [_statistic(alarm, now - period * (age + 1), now - period * age) for age in range(periods)]
    threshold, breaches = float(alarm.get("Threshold", 0)), _COMPARISONS[alarm["ComparisonOperator"]]
    breaching = [breaches(value, threshold) for value in values if value is not None]
    absent = periods - len(breaching)
    if not breaching and missing in ("missing", "ignore"):
        return ("INSUFFICIENT_DATA" if missing == "missing" else alarm["StateValue"]), "no data points"
    count = sum(breaching) + (absent if missing == "breaching" else 0)
    return ("ALARM" if count >= needed else "OK"), f"{count} of {periods} data points breach {threshold}"


@fix
def metric_math():
    """An alarm may read an expression over several metrics; MiniStack refuses its template.

    As much of the language as the template uses: arithmetic, comparisons, AND, OR, IF and FILL.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    record = provisioners._cw_metric_alarm_record

    def record_with_metrics(name, properties):
        metrics = properties.get("Metrics")
        if not metrics:
            return record(name, properties)
        plain = {key: value for key, value in properties.items() if key != "Metrics"}
        alarm = record(name, {**plain, "Namespace": "-", "MetricName": "-"})
        periods = {int(each["MetricStat"]["Period"]) for each in metrics if "MetricStat" in each}
        if len(periods) != 1 or sum(_returns_data(each) for each in metrics) != 1:
            raise ValueError("Metrics of one period, and one of them or an expression that returns data")
        for each in metrics:
            if "Expression" in each:
                _parsed(each["Expression"])
        return {**alarm, "Metrics": metrics, "Period": periods.pop(), "Namespace": "", "MetricName": ""}

    provisioners._cw_metric_alarm_record = record_with_metrics
    put = cloudwatch._put_metric_alarm

    def put_with_metrics(params, order, *form, **forms):
        answer = put(params, order, *form, **forms)
        if isinstance(order, dict) and order.get("Metrics"):
            (period,) = {int(each["MetricStat"]["Period"]) for each in order["Metrics"] if "MetricStat" in each}
            cloudwatch._alarms[order["AlarmName"]].update(Metrics=order["Metrics"], Period=period)
        return answer

    cloudwatch._put_metric_alarm = put_with_metrics


def _returns_data(metric):
    return str(metric.get("ReturnData", True)).lower() == "true"


_OPERATIONS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
}  # fmt: skip


def _parsed(expression):
    """The expression as a tree. Python's grammar has CloudWatch's, once AND and OR are written as Python does."""
    tree = ast.parse(re.sub(r"\b(AND|OR)\b", lambda found: found[0].lower(), expression.strip()), mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) not in ("IF", "FILL"):
            raise ValueError(f"unknown function in {expression}")
    return tree


def _value(node, value_of):
    """An expression's value in one period; nothing where a metric in it has no value, and is not filled."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return value_of(node.id)
        case ast.Call(func=ast.Name(id="FILL"), args=[metric, otherwise]):
            value = _value(metric, value_of)
            return _value(otherwise, value_of) if value is None else value
        case ast.Call(func=ast.Name(id="IF"), args=[condition, met, otherwise]):
            holds = _value(condition, value_of)
            return None if holds is None else _value(met if holds else otherwise, value_of)
        case ast.BoolOp():
            values = [_value(each, value_of) for each in node.values]
            return None if None in values else (all if isinstance(node.op, ast.And) else any)(values)
        case ast.BinOp(left=left, op=by, right=right) | ast.Compare(left=left, ops=[by], comparators=[right]):
            values = _value(left, value_of), _value(right, value_of)
            return None if None in values else _OPERATIONS[type(by)](*values)
    raise ValueError(f"not an expression: {ast.dump(node)}")


def _computed(metrics, start, end):
    """The value that an alarm's metrics return in one period."""
    named = {each["Id"]: each for each in metrics}

    def value_of(name):
        if expression := named[name].get("Expression"):
            return _value(_parsed(expression), value_of)
        read = named[name]["MetricStat"]
        return _statistic({**read["Metric"], "Statistic": read["Stat"]}, start, end)

    (returned,) = (each["Id"] for each in metrics if _returns_data(each))
    return value_of(returned)


def _statistic(alarm, start, end):
    if alarm.get("Metrics"):
        return _computed(alarm["Metrics"], start, end)
    dimensions = alarm.get("Dimensions") or {}
    if isinstance(dimensions, list):
        dimensions = cloudwatch._dims_from_list(dimensions)
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    points = [point for point in list(cloudwatch._metrics.get(key) or ()) if start < point["Timestamp"] <= end]
    if not points:
        return None
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "Average")
    return cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points)
