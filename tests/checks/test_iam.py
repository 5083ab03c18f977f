"""What docs/PERMISSIONS.md relies on, so that its table is the whole truth: no way round the roles' own statements, no
name wider than it looks, and keys and roles that nobody else can use."""

import re

import pytest
from conftest import branches, listed, resources, statements

NOTHING = {"Ref": "AWS::NoValue"}
# Whatever comes after it is one name, with the six characters that Secrets Manager appends.
OURS = re.compile(
    r"arn:\$\{AWS::Partition\}:\w+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:[\w/:]*\$\{\w+\}(-\?{6})?"
)
# Other ways for a role to come by permissions.
DETOURS = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy")


def test_a_role_has_no_permission_but_those_written_in_it(template):
    assert not [name for kind in DETOURS for name, _ in resources(template, kind)]
    for name, role in resources(template, "AWS::IAM::Role"):
        assert set(role["Properties"]) == {"AssumeRolePolicyDocument", "Policies"}, name
    globals_ = template["Globals"]["Function"]
    for name, function in resources(template, "AWS::Serverless::Function"):
        for properties in (globals_, function["Properties"]):
            assert "Policies" not in properties, name
        assert set(function["Properties"]["Role"]) == {"GetAtt"}, name


def test_a_permission_under_a_condition_is_otherwise_absent(template):
    for role, statement in statements(template):
        for value in [statement, *listed(statement.get("Resource", []))]:
            _, *otherwise = branches(value)
            assert otherwise in ([], [NOTHING]), (role, statement)


def test_an_address_in_a_role_is_of_this_account_and_region_and_of_one_name(template):
    seen = 0
    for role, either in statements(template):
        statement = branches(either)[0]
        for resource in listed(statement["Resource"]):
            resource = branches(resource)[0]
            if isinstance(resource, dict) and "Sub" in resource:
                assert OURS.fullmatch(resource["Sub"]), (role, resource)
                seen += 1
    assert seen


def test_a_role_is_lambdas_and_nobody_elses(template):
    lambdas = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    for name, role in resources(template, "AWS::IAM::Role"):
        assert role["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [lambdas], name


# A key's policy beside IAM's: the tables under it are used through DynamoDB.
OF_TABLES = {"EncryptionKey", "TokenKey"}
KEYS = ["StateKey", "PkceKey", "LinkKey", "EncryptionKey", "TokenKey"]
THROUGH_DYNAMODB = {
    "kms:CallerAccount": {"Ref": "AWS::AccountId"},
    "kms:ViaService": {"Sub": "dynamodb.${AWS::Region}.${AWS::URLSuffix}"},
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_used_by_leave_of_this_accounts_iam_or_through_its_tables(template, name):
    root = {"AWS": {"Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    iam, *others = template["Resources"][name]["Properties"]["KeyPolicy"]["Statement"]
    assert (iam["Effect"], iam["Principal"]) == ("Allow", root)
    assert [each["Sid"] for each in others] == (["ThroughDynamoDb"] if name in OF_TABLES else [])
    for statement in others:
        assert not any(action in ("*", "kms:*") for action in listed(statement["Action"]))
        assert statement["Condition"]["StringEquals"] == THROUGH_DYNAMODB


def test_the_token_tables_key_is_the_named_roles_if_any_are_named(template):
    _, through_dynamodb = template["Resources"]["TokenKey"]["Properties"]["KeyPolicy"]["Statement"]
    named = {"aws:PrincipalArn": {"Ref": "TokenReaderRoleArns"}}
    assert through_dynamodb["Condition"]["ArnLike"] == {"If": ["NamesTokenReaders", named, NOTHING]}
    _, of_other_tables = template["Resources"]["EncryptionKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert set(of_other_tables["Condition"]) == {"StringEquals"}


def test_every_key_is_known_here_and_the_one_that_can_be_rotated_is(template):
    keys = {name: key["Properties"] for name, key in resources(template, "AWS::KMS::Key")}
    assert set(keys) == set(KEYS)
    # KMS rotates symmetric encryption keys alone, which is what a key is whose spec is not given.
    for name, key in keys.items():
        assert key.get("EnableKeyRotation", False) is ("KeySpec" not in key), name


def _queue_policies(template):
    """The statements about each queue."""
    found = {}
    for _, policy in resources(template, "AWS::SQS::QueuePolicy"):
        (queue,) = policy["Properties"]["Queues"]
        found[queue["Ref"]] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def test_a_queue_is_reached_over_tls_alone(template):
    policies = _queue_policies(template)
    assert set(policies) == {name for name, _ in resources(template, "AWS::SQS::Queue")}
    for queue, (statement, *_) in policies.items():
        assert statement == {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": {"GetAtt": f"{queue}.Arn"},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }


def test_no_queue_policy_allows_anything(template):
    for queue, policy in _queue_policies(template).items():
        assert {branches(each)[0]["Effect"] for each in policy} == {"Deny"}, queue


def test_once_operators_are_named_only_they_and_two_functions_send_to_the_exchange_queue(template):
    policies = _queue_policies(template)
    assert {queue for queue, policy in policies.items() if len(policy) > 1} == {"ExchangeQueue"}
    _, either = policies["ExchangeQueue"]
    assert either["Fn::If"][0] == "NamesQueueOperators"
    statement, otherwise = branches(either)
    assert otherwise == NOTHING
    assert (statement["Principal"], statement["Action"]) == ("*", "sqs:SendMessage")
    assert statement["Resource"] == {"GetAtt": "ExchangeQueue.Arn"}
    senders = statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"]["Split"]
    operators = {"Join": [",", {"Ref": "QueueOperatorRoleArns"}]}
    roles = [{"GetAtt": "CallbackReceiverRole.Arn"}, {"GetAtt": "TokenExchangerRole.Arn"}]
    assert senders == [",", {"Join": [",", [*roles, operators]]}]
    # Whoever may send by its role is not denied by the queue.
    sending = [
        role
        for role, each in statements(template)
        if "sqs:SendMessage" in listed(branches(each)[0]["Action"])
        and {"GetAtt": "ExchangeQueue.Arn"} in listed(branches(each)[0]["Resource"])
    ]
    assert sorted(sending) == ["CallbackReceiverRole", "TokenExchangerRole"]
