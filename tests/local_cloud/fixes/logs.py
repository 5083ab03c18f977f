"""CloudWatch Logs: saved queries, reading while functions write, and the pages of a search."""

import json
import uuid

from ministack.services import cloudwatch_logs

from . import fix
from .provisioning import HANDLERS

_LARGEST_PAGE = 10_000

@fix
def saved_queries():
    """A stack may have saved queries, and `DescribeQueryDefinitions` lists them.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-logs-querydefinition.html
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeQueryDefinitions.html
    """
    queries, handle = {}, cloudwatch_logs.handle_request

    def put(query_id, properties):
        queries[query_id] = {
            "queryDefinitionId": query_id,
            "name": properties["Name"],
            "queryString": properties["QueryString"],
            "logGroupNames": list(properties.get("LogGroupNames") or []),
        }
        return query_id, {"QueryDefinitionId": query_id}

    async def answer(method, path, headers, body, query_params):
        if not headers.get("x-amz-target", "").endswith(".DescribeQueryDefinitions"):
            return await handle(method, path, headers, body, query_params)
        found = json.dumps({"queryDefinitions": list(queries.values())})
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, found.encode()

    HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": lambda logical_id, properties, stack: put(str(uuid.uuid4()), properties),
        "update": lambda physical_id, old, new, *rest, **options: put(physical_id, new),
        "delete": lambda physical_id, *rest, **options: queries.pop(physical_id, None),
    }
    cloudwatch_logs.handle_request = answer


class _Streams(dict):
    """The streams of a log group. A walk through them sees those that were there when it began."""

    def keys(self):
        return list(super().keys())

    def values(self):
        return list(super().values())

    def items(self):
        return list(super().items())


@fix
def reading_while_functions_write():
    """A log group can be described and queried while functions add streams to it, each from a thread of its own.

    Nothing in the API's errors says that a reader has to wait for writers:
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html#API_DescribeLogGroups_Errors
    """
    groups = cloudwatch_logs._log_groups

    class Groups(type(groups)):
        __slots__ = ()

        def __setitem__(self, name, group):
            super().__setitem__(name, {**group, "streams": _Streams(group["streams"])})

    groups.__class__ = Groups


@fix
def pages_of_log_events():
    """A search that finds more than its limit, 10,000 events where it has none, gives a token for the rest.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
    """
    search = cloudwatch_logs._filter_log_events

    def page(data):
        start, told = data.get("nextToken", f"{data.get('startTime') or 0} 0").split()
        start, told = int(start), int(told)
        # What was told already has the time at which this page begins.
        limit = min(data.get("limit", _LARGEST_PAGE), _LARGEST_PAGE - told)
        status, headers, body = search({**data, "startTime": start, "limit": limit + told})
        if status != 200:
            return status, headers, body
        found = json.loads(body)
        times = [event["timestamp"] for event in found["events"]]
        if len(times) == limit + told:
            found["nextToken"] = f"{times[-1]} {times.count(times[-1])}"
        found["events"] = found["events"][told:]
        return cloudwatch_logs.json_response(found)

    cloudwatch_logs._filter_log_events = page
