"""DynamoDB: what a template says of a table, and items that expire."""

import threading
import time

from ministack.core.responses import request_scope
from ministack.services import dynamodb

from . import fix
from .provisioning import HANDLERS, after_provisioning, is_true, with_properties

_TABLE = "AWS::DynamoDB::Table"
_REAPER_SECONDS = 1


@fix
def table_time_to_live():
    """`TimeToLiveSpecification` in a template sets the table's TTL.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html
    """

    def set_time_to_live(name, properties):
        specification = properties.get("TimeToLiveSpecification")
        if specification:
            enabled = is_true(specification.get("Enabled", True))
            dynamodb._update_ttl(
                {"TableName": name, "TimeToLiveSpecification": {**specification, "Enabled": enabled}}
            )

    after_provisioning(_TABLE, set_time_to_live)


@fix
def table_point_in_time_recovery():
    """`PointInTimeRecoverySpecification` in a template sets the table's continuous backups.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html
    """

    def set_recovery(name, properties):
        specification = properties.get("PointInTimeRecoverySpecification") or {}
        enabled = is_true(specification.get("PointInTimeRecoveryEnabled", False))
        dynamodb._update_continuous_backups(
            {"TableName": name, "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": enabled}}
        )

    after_provisioning(_TABLE, set_recovery)


@fix
def table_encryption():
    """`SSESpecification` in a template sets the table's encryption.

    The template's `SSEEnabled` is the API's `Enabled`.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html
    """

    def as_api(properties):
        specification = properties.get("SSESpecification")
        if not specification:
            return properties
        enabled = is_true(specification.get("SSEEnabled", False))
        return {**properties, "SSESpecification": {**specification, "Enabled": enabled}}

    def set_encryption(name, properties):
        description = dynamodb._sse_description_from_spec(as_api(properties).get("SSESpecification"))
        dynamodb._tables[name]["SSEDescription"] = description

    with_properties(_TABLE, as_api)
    after_provisioning(_TABLE, set_encryption)


@fix
def existing_table_refused():
    """A stack does not take over a table that exists under a name that it gives.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    """
    handlers = HANDLERS[_TABLE]
    create = handlers["create"]

    def create_new(logical_id, properties, stack):
        name = properties.get("TableName")
        if name and name in dynamodb._tables:
            raise ValueError(f"Resource of type '{_TABLE}' with identifier '{name}' already exists.")
        return create(logical_id, properties, stack)

    handlers["create"] = create_new


@fix
def one_index_per_table_update():
    """A deployment adds or removes at most one global secondary index of a table that exists.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    """
    handlers = HANDLERS[_TABLE]
    update = handlers["update"]

    def update_one(physical_id, old, new, *rest, **options):
        before, after = (
            {index["IndexName"]: index for index in properties.get("GlobalSecondaryIndexes") or []}
            for properties in (old, new)
        )
        replaced = {name for name in before.keys() & after.keys() if before[name] != after[name]}
        if len(before.keys() ^ after.keys()) + 2 * len(replaced) > 1:
            raise ValueError("Cannot perform more than one GSI creation or deletion in a single update")
        return update(physical_id, old, new, *rest, **options)

    handlers["update"] = update_one


@fix
def index_item_count():
    """`DescribeTable` says how many items each index has: those with the index's keys.

    AWS counts about every six hours; here the count is always that of the moment.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GlobalSecondaryIndexDescription.html
    """
    describe = dynamodb._table_description

    def describe_with_counts(name):
        description, members = describe(name), dynamodb._index_members(dynamodb._tables[name])
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            if kind in description:
                description[kind] = [
                    {**index, "ItemCount": sum(map(len, members.get(index["IndexName"], {}).values()))}
                    for index in description[kind]
                ]
        return description

    dynamodb._table_description = describe_with_counts


@fix
def expired_items_in_stream():
    """An item deleted by its TTL leaves a REMOVE record in the stream, by the principal `dynamodb.amazonaws.com`.

    AWS deletes within days; here it takes about a second.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    """
    remove = dynamodb._remove_item

    def remove_unless_reaping(table, *key):
        # MiniStack's own reaper leaves no record: what it finds is left to the one below.
        if threading.current_thread().name != "dynamodb-ttl-reaper":
            return remove(table, *key)
        return None

    def expire(name, attribute):
        table, now = dynamodb._tables.get(name), time.time()
        for partition, items in list((table or {"items": {}})["items"].items()):
            for sort, item in list(items.items()):
                expiry = (item.get(attribute) or {}).get("N")
                if expiry is None or float(expiry) > now:
                    continue
                old, position = remove(table, partition, sort), dynamodb.stream_end_position(name)
                dynamodb._emit_stream_event(name, "REMOVE", old, None)
                if dynamodb.stream_end_position(name) > position:
                    dynamodb._stream_records[name][-1]["userIdentity"] = {
                        "type": "Service",
                        "principalId": "dynamodb.amazonaws.com",
                    }

    def reap():
        while True:
            time.sleep(_REAPER_SECONDS)
            for (account, region, name), setting in list(dynamodb._ttl_settings.all_items()):
                if setting.get("TimeToLiveStatus") == "ENABLED":
                    with request_scope(account, region), dynamodb._lock:
                        expire(name, setting["AttributeName"])

    dynamodb._remove_item = remove_unless_reaping
    threading.Thread(target=reap, daemon=True, name="time-to-live").start()
