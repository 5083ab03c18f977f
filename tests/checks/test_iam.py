"""What docs/PERMISSIONS.md relies on, so that its table is the whole truth: no way round the roles' own statements, no
name wider than it looks, and keys and roles that nobody else can use."""

import re

import pytest
from conftest import branches, listed, resources, statements

NOTHING = {"Ref": "AWS::NoValue"}
# Whatever comes after it is one name, with the six characters that Secrets Manager appends, or an index of the table.
OURS = re.compile(
    r"arn:\$\{AWS::Partition\}:\w+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:[\w/:-]*\$\{\w+\}(-\?{6}|/index/\w+)?"
    r"|\$\{\w+\.Arn\}/index/\w+"
)
# Policies of their own, each with the roles that have it: the key of refresh tokens names these roles, so they cannot name it.
OF_REFRESH_TOKENS = {
    "SealRefreshTokens": ["TokenExchangerRole", "TokenKeeperRole", "TokenRefresherRole"],
    "OpenRefreshTokens": ["TokenKeeperRole", "TokenRefresherRole"],
}


def test_a_role_has_no_permission_but_those_written_in_it_and_those_of_refresh_tokens(template):
    assert not resources(template, "AWS::IAM::RolePolicy")
    found = {name: each["Properties"]["Roles"] for name, each in resources(template, "AWS::IAM::Policy")}
    assert found == {name: [{"Ref": role} for role in roles] for name, roles in OF_REFRESH_TOKENS.items()}
    for name, policy in resources(template, "AWS::IAM::ManagedPolicy"):
        assert not {"Roles", "Users", "Groups"} & set(policy["Properties"]), name
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
            # The key of refresh tokens is the stack's or the one that it is given, and there always is one.
            assert otherwise in ([], [NOTHING], [{"Ref": "RefreshTokenKeyArn"}]), (role, statement)


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


def test_a_role_is_lambdas_or_the_schedulers_and_nobody_elses(template):
    lambdas = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    of_this_account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    schedulers = {**lambdas, "Principal": {"Service": "scheduler.amazonaws.com"}, "Condition": of_this_account}
    for name, role in resources(template, "AWS::IAM::Role"):
        wanted = schedulers if name == "SweepScheduleRole" else lambdas
        assert role["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [wanted], name


def test_a_bots_policy_lets_it_call_the_routes_that_iam_authorizes_and_nothing_else(template):
    (statement,) = template["Resources"]["BotPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "execute-api:Invoke")
    api = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/$default/"
    events = [event for _, each in resources(template, "AWS::Serverless::Function") for event in each["Properties"]["Events"].values()]
    routes = [event["Properties"] for event in events if event["Properties"].get("Auth") == {"Authorizer": "AWS_IAM"}]
    assert statement["Resource"] == [{"Sub": f"{api}{route['Method']}{route['Path']}"} for route in routes]


# A key's policy beside IAM's: the tables under it are used through DynamoDB.
OF_TABLES = {"EncryptionKey", "TokenKey"}
KEYS = ["StateKey", "PkceKey", "LinkKey", "EncryptionKey", "TokenKey", "RefreshTokenKey"]
THROUGH_DYNAMODB = {
    "kms:CallerAccount": {"Ref": "AWS::AccountId"},
    "kms:ViaService": {"Sub": "dynamodb.${AWS::Region}.${AWS::URLSuffix}"},
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_used_by_leave_of_this_accounts_iam_or_through_its_tables(template, name):
    root = {"AWS": {"Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    iam, *others = template["Resources"][name]["Properties"]["KeyPolicy"]["Statement"]
    assert (iam["Effect"], iam["Principal"]) == ("Allow", root)
    allowing = [each for each in others if each["Effect"] != "Deny"]
    assert [each["Sid"] for each in allowing] == (["ThroughDynamoDb"] if name in OF_TABLES else [])
    assert len(allowing) == len(others) or name == "RefreshTokenKey"
    for statement in allowing:
        assert not any(action in ("*", "kms:*") for action in listed(statement["Action"]))
        assert statement["Condition"]["StringEquals"] == THROUGH_DYNAMODB


def test_the_token_tables_key_is_the_named_roles_if_any_are_named(template):
    _, through_dynamodb = template["Resources"]["TokenKey"]["Properties"]["KeyPolicy"]["Statement"]
    named = {"aws:PrincipalArn": {"Ref": "TokenReaderRoleArns"}}
    assert through_dynamodb["Condition"]["ArnLike"] == {"If": ["NamesTokenReaders", named, NOTHING]}
    _, of_other_tables = template["Resources"]["EncryptionKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert set(of_other_tables["Condition"]) == {"StringEquals"}


def test_nobody_seals_or_opens_refresh_tokens_but_the_roles_that_have_to(template):
    """Whatever IAM allows, also to a key's administrator: the deny leaves out these roles, and the next stack's of this name."""
    _, opening, sealing = template["Resources"]["RefreshTokenKey"]["Properties"]["KeyPolicy"]["Statement"]
    decrypting = {"kms:Decrypt", "kms:ReEncryptFrom"}
    encrypting = {"kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncryptTo"}
    for statement, actions, policy in ((opening, decrypting, "OpenRefreshTokens"), (sealing, encrypting, "SealRefreshTokens")):
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        # An owner is never locked out: who may change the policy, or delete the key, still may.
        assert set(statement["Action"]) == actions
        roles = OF_REFRESH_TOKENS[policy]
        named = [{"GetAtt": f"{role}.Arn"} for role in roles]
        named += [{"Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AWS::StackName}-" + f"{role}-*"} for role in roles]
        assert statement["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": named}}


def test_refresh_tokens_are_sealed_and_opened_for_their_own_purpose(template):
    purpose = {"StringEquals": {"kms:EncryptionContext:purpose": "refresh-token"}}
    for name, action in (("SealRefreshTokens", "kms:GenerateDataKey"), ("OpenRefreshTokens", "kms:Decrypt")):
        (statement,) = template["Resources"][name]["Properties"]["PolicyDocument"]["Statement"]
        assert (statement["Action"], statement["Condition"]) == (action, purpose)


def test_no_function_starts_before_its_role_may_use_refresh_tokens(template):
    for policy, roles in OF_REFRESH_TOKENS.items():
        for role in roles:
            assert policy in listed(template["Resources"][f"{role.removesuffix('Role')}Function"]["DependsOn"])


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


def test_once_operators_are_named_only_they_and_four_functions_send_to_the_exchange_queue(template):
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
    sending_roles = ["CallbackReceiverRole", "TokenExchangerRole", "TokenKeeperRole", "TokenRefresherRole"]
    roles = [{"GetAtt": f"{role}.Arn"} for role in sending_roles]
    assert senders == [",", {"Join": [",", [*roles, operators]]}]
    # Whoever may send by its role is not denied by the queue.
    sending = [
        role
        for role, each in statements(template)
        if "sqs:SendMessage" in listed(branches(each)[0]["Action"])
        and {"GetAtt": "ExchangeQueue.Arn"} in listed(branches(each)[0]["Resource"])
    ]
    assert sorted(sending) == sending_roles


def _through(template, role, service):
    """What a role may do with the encryption key through a service."""
    found = set()
    for holder, either in statements(template):
        statement = branches(either)[0]
        if holder == role and {"GetAtt": "EncryptionKey.Arn"} in listed(statement["Resource"]):
            services = listed(statement["Condition"]["StringEquals"].get("kms:ViaService", []))
            if {"Sub": f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}"} in services:
                found |= set(listed(statement["Action"]))
    return found


def test_whoever_uses_an_encrypted_queue_may_use_its_key_through_sqs(template):
    """A sender also decrypts: SQS verifies a data key before it uses it (SQS Developer Guide, "Key management"). Lambda and the
    scheduler use the queues by these roles, which no emulator shows.
    """
    needed = {"sqs:SendMessage": {"kms:GenerateDataKey", "kms:Decrypt"}, "sqs:ReceiveMessage": {"kms:Decrypt"}}
    encrypted = {name for name, queue in resources(template, "AWS::SQS::Queue") if "KmsMasterKeyId" in queue["Properties"]}
    seen = set()
    for role, either in statements(template):
        statement = branches(either)[0]
        queues = {each["GetAtt"].split(".")[0] for each in listed(statement["Resource"]) if isinstance(each, dict) and "GetAtt" in each}
        for action in set(listed(statement["Action"])) & set(needed):
            if queues & encrypted:
                assert needed[action] <= _through(template, role, "sqs"), (role, action)
                seen.add(role)
    assert len(seen) >= 5
