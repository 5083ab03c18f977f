"""The template's attempt table as an update in place changes it: what an older stack has, and keeps.

The table's resource is deployed alone, with the template's own parameter and conditions.
"""

import json
import pathlib

import pytest
import yaml
from conftest import eventually, settled

TEMPLATE = pathlib.Path(__file__).parents[2] / "template.yaml"
OLD = {  # as it was written before there was an index
    "attempt_id": {"S": "07070707070707070707070707070707"},
    "wa_id": {"S": "whatsapp:+15551234567"},
    "status": {"S": "failed"},
    "updated_at": {"N": "1790000000000"},
}
NEW = {**OLD, "attempt_id": {"S": "0" * 32}, "status_day": {"S": "failed#2026-09-21#0"}}


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short functions."""


def _function(loader, suffix, node):
    construct = {"scalar": loader.construct_scalar, "sequence": loader.construct_sequence}
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    deep = {} if node.id == "scalar" else {"deep": True}
    return {name: construct.get(node.id, loader.construct_mapping)(node, **deep)}


_Template.add_multi_constructor("!", _function)


@pytest.fixture(scope="module")
def table_alone():
    """A template of the attempt table, without the key that encrypts it."""
    whole = yaml.load(TEMPLATE.read_text(), _Template)
    table = whole["Resources"]["AttemptTable"]
    del table["Properties"]["SSESpecification"]
    names = ("AttemptTableName", "AttemptIndexes", "CreateAttemptTable")
    conditions = ("CreatesAttemptTable", "HasTheUsualName", "IndexesChats", "IndexesStatuses", "NamesAttemptTable")
    return json.dumps(
        {
            "Parameters": {name: whole["Parameters"][name] for name in names},
            "Conditions": {name: whole["Conditions"][name] for name in conditions},
            "Resources": {"AttemptTable": table},
        }
    )


class Deployment:
    def __init__(self, cloud, body, name, indexes):
        self.client, self.items, self.body, self.name = cloud.client("cloudformation"), cloud.client("dynamodb"), body, name
        assert self._deploy(self.client.create_stack, indexes) == "CREATE_COMPLETE"

    def update(self, indexes):
        return self._deploy(self.client.update_stack, indexes)

    def _deploy(self, call, indexes):
        given = {"AttemptTableName": self.name, "AttemptIndexes": indexes}
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
        call(StackName=self.name, TemplateBody=self.body, Parameters=parameters)
        return eventually(lambda: settled(self.client, self.name), 30)["StackStatus"]

    def found(self, index, key, value):
        answer = self.items.query(
            TableName=self.name,
            IndexName=index,
            KeyConditionExpression=f"{key} = :value",
            ExpressionAttributeValues={":value": value},
        )
        return {item["attempt_id"]["S"] for item in answer["Items"]}


def test_a_table_with_rows_gains_its_indexes_one_after_the_other(cloud, table_alone):
    older = Deployment(cloud, table_alone, "older", "None")
    older.items.put_item(TableName="older", Item=OLD)
    assert older.update("ByChat") == "UPDATE_COMPLETE"
    assert older.found("by_chat", "wa_id", OLD["wa_id"]) == {OLD["attempt_id"]["S"]}
    assert older.update("Both") == "UPDATE_COMPLETE"
    older.items.put_item(TableName="older", Item=NEW)
    assert older.found("by_status", "status_day", NEW["status_day"]) == {NEW["attempt_id"]["S"]}
    assert older.found("by_chat", "wa_id", OLD["wa_id"]) == {each["attempt_id"]["S"] for each in (OLD, NEW)}


def test_both_at_once_are_refused_and_change_nothing(cloud, table_alone):
    hasty = Deployment(cloud, table_alone, "hasty", "None")
    hasty.items.put_item(TableName="hasty", Item=OLD)
    assert hasty.update("Both") == "UPDATE_ROLLBACK_COMPLETE"
    assert hasty.items.describe_table(TableName="hasty")["Table"].get("GlobalSecondaryIndexes", []) == []
    assert hasty.items.scan(TableName="hasty")["Count"] == 1


def test_a_new_table_has_both(cloud, table_alone):
    Deployment(cloud, table_alone, "fresh", "Both")
    names = {each["IndexName"] for each in cloud.client("dynamodb").describe_table(TableName="fresh")["Table"]["GlobalSecondaryIndexes"]}
    assert names == {"by_chat", "by_status"}
