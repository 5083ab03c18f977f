"""Every policy of the deployed template against IAM's own list of actions, resources and condition keys.

The local cloud evaluates what is written; that AWS has an action, or a condition key, of that name it does not know.
"""

import json

import pytest
from conftest import ROOT, listed
from policies import documents, faults

QUEUE = {"Fn::GetAtt": ["ExchangeQueue", "Arn"]}
TABLE = {"Fn::GetAtt": ["TokenTable", "Arn"]}
KEY = {"Fn::GetAtt": ["TokenKey", "Arn"]}


def _policies(transformed):
    return list(documents(transformed))


def test_every_kind_of_policy_is_looked_at(transformed):
    kinds = {kind for _, kind, _ in _policies(transformed)}
    assert kinds == {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::KMS::Key", "AWS::SQS::QueuePolicy"}


def test_iam_knows_every_action_resource_condition_key_and_operator(transformed):
    found = [
        f"{name}: {fault}"
        for name, kind, document in _policies(transformed)
        for statement in document["Statement"]
        for fault in faults(transformed, statement, of_a_key=kind == "AWS::KMS::Key")
    ]
    assert not found, "\n".join(found)


def test_iam_knows_what_the_canarys_stand_in_may_do():
    template = json.loads((ROOT / "tests/canary/stand_in.json").read_text())
    found = [fault for _, _, document in documents(template) for statement in document["Statement"] for fault in faults(template, statement)]
    assert list(documents(template)) and not found


def test_each_service_that_invokes_a_function_does_so_from_an_address_of_its_own(transformed):
    permissions = [each["Properties"] for each in transformed["Resources"].values() if each["Type"] == "AWS::Lambda::Permission"]
    assert permissions
    for each in permissions:
        assert each["Principal"] == "apigateway.amazonaws.com"
        statement = {"Action": "execute-api:Invoke", "Resource": each["SourceArn"]}
        assert not list(faults(transformed, statement)), each
        assert not list(faults(transformed, {"Action": each["Action"]}))


# What IAM accepts in silence and then never applies, or what CloudFormation refuses in the middle of a deployment.
WRONG = {
    "there is no such action": {"Action": "sqs:SendMessageBatch", "Resource": QUEUE},
    "for no resource": {"Action": "secretsmanager:BatchGetSecretValue", "Resource": QUEUE},
    "names none": {"Action": "dynamodb:GetItem", "Resource": "*"},
    "is none of arn:${Partition}:dynamodb": {"Action": "dynamodb:GetItem", "Resource": QUEUE},
    "table/name/index/by_chat is none of": {
        "Action": "dynamodb:GetItem", "Resource": {"Fn::Sub": "${AttemptTable.Arn}/index/by_chat"},
    },
    "no condition key kms:ViaServices": {
        "Action": "kms:Decrypt", "Resource": KEY, "Condition": {"StringEquals": {"kms:ViaServices": "sqs"}},
    },
    "no condition key kms:MacAlgorithm": {
        "Action": "kms:Decrypt", "Resource": KEY, "Condition": {"StringEquals": {"kms:MacAlgorithm": "HMAC_SHA_256"}},
    },
    "no condition key aws:SourceRole": {
        "Action": "kms:Decrypt", "Resource": KEY, "Condition": {"ArnLike": {"aws:SourceRole": "*"}},
    },
    "StringLike does not compare": {
        "Action": "dynamodb:GetItem", "Resource": TABLE, "Condition": {"StringLike": {"dynamodb:LeadingKeys": "a#*"}},
    },
    "ForAllValues:StringEquals does not compare": {
        "Action": "dynamodb:GetItem", "Resource": TABLE, "Condition": {"ForAllValues:StringEquals": {"dynamodb:Select": "COUNT"}},
    },
    "is of the kind Bool": {
        "Action": "sqs:SendMessage", "Resource": QUEUE, "Condition": {"StringEquals": {"aws:SecureTransport": "false"}},
    },
}  # fmt: skip


@pytest.mark.parametrize(("fault", "statement"), WRONG.items(), ids=WRONG)
def test_what_iam_does_not_know_is_found(transformed, fault, statement):
    (found,) = faults(transformed, statement)
    assert fault in found


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "kms:*", "Resource": KEY},
        {"Action": ["kms:GenerateDataKey*"], "Resource": KEY},
        {"Action": "logs:PutLogEvents", "Resource": {"Fn::GetAtt": ["NotifierLogGroup", "Arn"]}},
        {"Action": "dynamodb:Query", "Resource": {"Fn::Sub": "${AttemptTable.Arn}/index/by_chat"}},
        {"Action": "secretsmanager:GetSecretValue", "Resource": "arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-??????"},
        {"Action": "kms:Decrypt", "Resource": KEY, "Condition": {"StringEquals": {"kms:EncryptionContext:purpose": "x"}}},
        {"Action": "dynamodb:GetItem", "Resource": TABLE, "Condition": {"StringEqualsIfExists": {"dynamodb:Select": "COUNT"}}},
    ],
    ids=lambda statement: listed(statement["Action"])[0],
)
def test_what_iam_knows_is_right(transformed, statement):
    assert not list(faults(transformed, statement))
