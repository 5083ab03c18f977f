"""A query of an index answers the same whether it looks at its range of the rows or at all of them."""

import json
import random

import index_ranges
import pytest
from ministack.core.responses import request_scope
from ministack.services import dynamodb

TABLE = {
    "TableName": "attempts",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in (("id", "S"), ("day", "S"), ("at", "N"))],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_day",
            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}


@pytest.fixture
def both(monkeypatch):
    """MiniStack's own query, and the one that reads a range."""
    own = dynamodb._query
    for name in ("_query", "_index_members", "_index_item"):
        monkeypatch.setattr(dynamodb, name, getattr(dynamodb, name))
    index_ranges.install()
    with request_scope("000000000000", "us-east-1"):
        dynamodb._create_table(TABLE)
        yield own, dynamodb._query
        dynamodb._delete_table({"TableName": "attempts"})


def put(number, day, at):
    dynamodb._put_item({"TableName": "attempts", "Item": {"id": {"S": f"{number}"}, "day": {"S": day}, "at": {"N": f"{at}"}}})


def ask(query, **more):
    status, _, body = query(
        {
            "TableName": "attempts",
            "IndexName": "by_day",
            "KeyConditionExpression": "#day = :day AND #at BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#day": "day", "#at": "at"},
            **more,
        }
    )
    assert status == 200, body
    return json.loads(body)


def pages(query, low, high, limit, forward):
    """Every page, as each goes on from the one before."""
    values = {":day": {"S": "monday"}, ":low": {"N": f"{low}"}, ":high": {"N": f"{high}"}}
    more, found = {"Limit": limit} if limit else {}, []
    while True:
        page = ask(query, ExpressionAttributeValues=values, ScanIndexForward=forward, **more)
        found.append(page)
        if "LastEvaluatedKey" not in page:
            return found
        more["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def test_a_range_is_answered_as_by_a_walk_through_the_partition(both):
    draw = random.Random(7)
    own, ranged = both
    for number in range(200):
        put(number, draw.choice(["monday", "tuesday"]), draw.randrange(40))  # many at the same time
    for _ in range(60):
        low, high = sorted(draw.choices(range(-2, 43), k=2))
        limit, forward = draw.choice([None, 1, 3, 50]), draw.random() < 0.5
        assert pages(ranged, low, high, limit, forward) == pages(own, low, high, limit, forward)
        put(draw.randrange(220), draw.choice(["monday", "tuesday"]), draw.randrange(40))  # another row, or one that moves


def test_a_row_that_is_deleted_is_found_no_more(both):
    own, ranged = both
    for number in range(5):
        put(number, "monday", number)
    assert pages(ranged, 0, 9, None, True)[0]["Count"] == 5
    dynamodb._delete_item({"TableName": "attempts", "Key": {"id": {"S": "3"}}})
    assert pages(ranged, 0, 9, None, True) == pages(own, 0, 9, None, True)


def test_a_query_looks_at_no_more_rows_than_it_shows_and_one(both, monkeypatch):
    _, ranged = both
    for number in range(100):
        put(number, "monday", number)
    looked = []
    evaluate = dynamodb._evaluate_condition
    monkeypatch.setattr(dynamodb, "_evaluate_condition", lambda *given, **named: looked.append(given[1]) or evaluate(*given, **named))
    values = {":day": {"S": "monday"}, ":low": {"N": "10"}, ":high": {"N": "90"}}
    found = ask(ranged, ExpressionAttributeValues=values, ScanIndexForward=False, Limit=3)
    assert [item["id"]["S"] for item in found["Items"]] == ["90", "89", "88"]
    assert len(looked) == 4
