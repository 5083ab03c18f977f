"""What the template makes for token custody, as AWS would evaluate it: who opens refresh tokens, what a bot may call, whom the
schedule tells, and the network of fixed addresses."""

import json

import emulator
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from conftest import ACCOUNT, eventually
from test_fixes import ANSWER, api, function
from test_life_of_a_stack import account  # noqa: F401
from test_queue_policy import TEMPLATE

RESOURCES = TEMPLATE["Resources"]
PURPOSE = {"purpose": "refresh-token"}
SEALING = ("TokenExchangerRole", "TokenKeeperRole", "TokenRefresherRole")
OPENING = ("TokenKeeperRole", "TokenRefresherRole")
CALLS = ("/links", "/connections/token", "/connections/status", "/connections/disconnect", "/confirmations")


def _deploy(cloud, stack, kinds, names=(), change=None, **parameters):
    """The template's resources of these kinds and names, by logical id."""
    resources = {name: each for name, each in RESOURCES.items() if each["Type"] in kinds or name in names}
    body = {name: TEMPLATE[name] for name in ("AWSTemplateFormatVersion", "Parameters", "Conditions")}
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps({**body, "Resources": {**resources, **(change or {})}}),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )

    def created():
        return cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"

    eventually(created, seconds=30)
    found = cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}


def _assume(cloud, role):
    """Credentials of somebody in this role."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    given = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


def _as(cloud, role, service):
    key, secret, token = _assume(cloud, role)
    return cloud.client(service, (key, secret), token)


def _make_role(cloud, name, statement=None, policies=()):
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    if statement:
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return name


def _allowed(call, **arguments):
    """What AWS answers, or nothing where it denies the call."""
    try:
        return call(**arguments)
    except ClientError as error:
        assert "AccessDenied" in error.response["Error"]["Code"], error
        return None


@pytest.fixture(scope="module")
def custody(cloud):
    kinds = ("AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::IAM::Policy")
    return _deploy(cloud, "custody", kinds, SEALING, WhatsAppSender="whatsapp:+15550000000")


def _sealed(cloud, custody):
    kms = _as(cloud, custody["TokenExchangerRole"], "kms")
    return kms.generate_data_key(KeyId=custody["RefreshTokenKey"], KeySpec="AES_256", EncryptionContext=PURPOSE)["CiphertextBlob"]


@pytest.mark.parametrize("role", SEALING)
def test_a_role_that_stores_refresh_tokens_seals_them(cloud, custody, role):
    kms = _as(cloud, custody[role], "kms")
    key = {"KeyId": custody["RefreshTokenKey"], "KeySpec": "AES_256"}
    assert _allowed(kms.generate_data_key, **key, EncryptionContext=PURPOSE)
    assert not _allowed(kms.generate_data_key, **key, EncryptionContext={"purpose": "checkpoint"})
    assert not _allowed(kms.generate_data_key, **key)


@pytest.mark.parametrize("role", SEALING)
def test_the_keeper_and_the_refresher_open_refresh_tokens_and_the_exchanger_does_not(cloud, custody, role):
    kms, sealed = _as(cloud, custody[role], "kms"), _sealed(cloud, custody)
    found = _allowed(kms.decrypt, KeyId=custody["RefreshTokenKey"], CiphertextBlob=sealed, EncryptionContext=PURPOSE)
    assert bool(found) is (role in OPENING)


def test_an_administrator_of_keys_neither_opens_nor_seals_refresh_tokens_and_can_still_change_the_policy(cloud, custody):
    name = _make_role(cloud, "key-administrator", {"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    kms, key = _as(cloud, name, "kms"), custody["RefreshTokenKey"]
    sealed = _sealed(cloud, custody)
    assert not _allowed(kms.decrypt, KeyId=key, CiphertextBlob=sealed, EncryptionContext=PURPOSE)
    assert not _allowed(kms.generate_data_key, KeyId=key, KeySpec="AES_256", EncryptionContext=PURPOSE)
    assert not _allowed(kms.encrypt, KeyId=key, Plaintext=b"token", EncryptionContext=PURPOSE)
    # The seal is this key's alone: with another key the same person does all of it.
    assert _allowed(kms.generate_data_key, KeyId=custody["EncryptionKey"], KeySpec="AES_256", EncryptionContext=PURPOSE)
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    assert _allowed(kms.put_key_policy, KeyId=key, PolicyName="default", Policy=policy)


def test_whoever_reads_the_whole_token_table_finds_no_refresh_token_to_use(cloud, custody):
    sealed = _sealed(cloud, custody)
    row = {"wa_id": {"S": "whatsapp:+15551234567"}, "data_key": {"B": sealed}}
    cloud.client("dynamodb").put_item(TableName=custody["TokenTable"], Item=row)
    name = _make_role(cloud, "reader", {"Effect": "Allow", "Action": ["dynamodb:*", "kms:*"], "Resource": "*"})
    kms = _as(cloud, name, "kms")
    (found,) = _as(cloud, name, "dynamodb").scan(TableName=custody["TokenTable"])["Items"]
    key = found["data_key"]["B"]
    assert key == sealed
    assert not _allowed(kms.decrypt, CiphertextBlob=key, EncryptionContext=PURPOSE)


def test_the_next_stack_of_the_same_name_opens_what_this_one_sealed(cloud, custody):
    statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    next_stacks = _make_role(cloud, "custody-TokenKeeperRole-ABCDEFGHIJKL", statement)
    anothers = _make_role(cloud, "other-TokenKeeperRole-ABCDEFGHIJKL", statement)
    arguments = {"KeyId": custody["RefreshTokenKey"], "CiphertextBlob": _sealed(cloud, custody), "EncryptionContext": PURPOSE}
    assert _allowed(_as(cloud, next_stacks, "kms").decrypt, **arguments)
    assert not _allowed(_as(cloud, anothers, "kms").decrypt, **arguments)


def _call(cloud, stack, path, role=None):
    """The status of a call of the API, signed by somebody in this role."""
    host = f"{stack['Api']}.execute-api.localhost"
    request = AWSRequest("POST", f"http://{host}{path}", headers={"Host": host})
    if role:
        SigV4Auth(Credentials(*_assume(cloud, role)), "execute-api", emulator.REGION).add_auth(request)
    status, _ = stack.get(path, method="POST", headers=dict(request.headers.items()))
    return status


@pytest.fixture(scope="module")
def bot(cloud):
    """A stack with the bot's calls and one that is none of its; a role with the bot's policy alone."""
    routes = [f"POST {path}" for path in (*CALLS, "/others")]
    resources = {
        "Api": api(Auth={"EnableIamAuthorizer": True}),
        "Function": function(*routes, auth="AWS_IAM"),
        "BotPolicy": RESOURCES["BotPolicy"],
    }
    stack = cloud.deploy(resources, functions={"Function": ANSWER})
    return stack, _make_role(cloud, "bot", policies=[stack["BotPolicy"]])


@pytest.mark.parametrize("path", CALLS)
def test_a_bot_with_its_policy_makes_its_calls(cloud, bot, path):
    stack, role = bot
    assert _call(cloud, stack, path, role) == 200
    assert _call(cloud, stack, path) == 403
    assert _call(cloud, stack, path, _make_role(cloud, f"nobody{path.replace('/', '-')}")) == 403


def test_a_bot_with_its_policy_may_do_nothing_else(cloud, bot, custody):
    stack, role = bot
    assert _call(cloud, stack, "/others", role) == 403
    rows = _as(cloud, role, "dynamodb")
    assert not _allowed(rows.get_item, TableName=custody["TokenTable"], Key={"wa_id": {"S": "whatsapp:+15551234567"}})
    assert not _allowed(rows.scan, TableName=custody["TokenTable"])
    assert not _allowed(_as(cloud, role, "sqs").send_message, QueueUrl=custody["UpkeepQueue"], MessageBody="{}")
    assert not _allowed(_as(cloud, role, "secretsmanager").list_secrets)


def test_the_schedule_puts_its_message_on_the_upkeep_queue(cloud):
    schedule = json.loads(json.dumps(RESOURCES["SweepSchedule"]))
    schedule["Properties"]["ScheduleExpression"] = "at(2026-01-01T00:00:00)"  # due at once
    kinds = ("AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Logs::LogGroup")
    names = (*SEALING, "SweepScheduleRole")
    stack = _deploy(cloud, "swept", kinds, names, {"SweepSchedule": schedule}, WhatsAppSender="whatsapp:+15550000000")

    def received():
        return cloud.client("sqs").receive_message(QueueUrl=stack["UpkeepQueue"], WaitTimeSeconds=1).get("Messages")

    (message,) = eventually(received, seconds=30)
    assert json.loads(message["Body"]) == {"v": 1, "sweep": {}}


def test_the_schedules_role_sends_to_the_upkeep_queues_and_nowhere_else(cloud):
    kinds = ("AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Logs::LogGroup")
    stack = _deploy(cloud, "scheduled", kinds, (*SEALING, "SweepScheduleRole"), WhatsAppSender="whatsapp:+15550000000")
    # Nobody but the Scheduler takes this role; for a moment anybody does.
    anybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
    cloud.client("iam").update_assume_role_policy(RoleName=stack["SweepScheduleRole"], PolicyDocument=document)
    sqs = _as(cloud, stack["SweepScheduleRole"], "sqs")
    for queue in ("UpkeepQueue", "UpkeepDeadLetterQueue"):
        assert _allowed(sqs.send_message, QueueUrl=stack[queue], MessageBody="{}")
    assert not _allowed(sqs.send_message, QueueUrl=stack["ExchangeQueue"], MessageBody="{}")


def test_with_fixed_egress_what_speaks_to_salesforce_leaves_by_two_addresses(account):  # noqa: F811
    outputs = account.deploy("fixed", FixedEgress="Yes")
    ec2, lambdas = account.cloud.client("ec2"), account.lambdas
    addresses = outputs["EgressAddresses"].split(",")
    known = {each["PublicIp"]: each["AllocationId"] for each in ec2.describe_addresses()["Addresses"]}
    assert len(set(addresses)) == 2 and set(addresses) <= set(known)
    gateways = {each["NatGatewayId"] for each in ec2.describe_nat_gateways()["NatGateways"]}
    inside, subnets = set(), set()
    for name, value in outputs.items():
        if name.endswith("FunctionName"):
            network = lambdas.get_function_configuration(FunctionName=value).get("VpcConfig", {})
            if network.get("SubnetIds"):
                inside.add(name.removesuffix("FunctionName"))
                subnets |= set(network["SubnetIds"])
    assert inside == {"TokenExchanger", "TokenKeeper", "TokenRefresher"}
    tables = ec2.describe_route_tables()["RouteTables"]
    ways = {
        association["SubnetId"]: [route.get("NatGatewayId") for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
        for table in tables
        for association in table["Associations"]
        if association.get("SubnetId") in subnets
    }
    # Each zone has a gateway of its own.
    assert set(ways) == subnets and len(subnets) == 2
    assert {gateway for (gateway,) in ways.values()} == gateways and len(gateways) == 2


def test_fixed_egress_can_be_turned_on_and_off(account):  # noqa: F811
    before = account.deploy("turned")
    assert "EgressAddresses" not in before
    assert account.deploy("turned", FixedEgress="Yes")["EgressAddresses"]
    assert account.deploy("turned", FixedEgress="No").keys() == before.keys()
    assert not account.cloud.client("ec2").describe_addresses()["Addresses"]


def test_fixed_egress_and_subnets_of_ones_own_are_refused_together(account):  # noqa: F811
    with pytest.raises((ClientError, SystemExit), match="FixedEgress"):
        account.deploy("both", FixedEgress="Yes", SubnetIds="subnet-1", SecurityGroupIds="sg-1")


@pytest.mark.parametrize("custody", ["Stack", "Bot"])
def test_only_a_stack_that_holds_the_tokens_sweeps(account, custody):
    account.deploy("swept", TokenCustody=custody)
    schedules = account.cloud.client("scheduler").list_schedules()["Schedules"]
    assert len(schedules) == (custody == "Stack")


def test_a_key_that_is_given_is_used_in_place_of_one_of_the_stacks(account):  # noqa: F811
    first = account.deploy("shop")
    account.delete("shop")
    key = account.keys.describe_key(KeyId=first["RefreshTokenKeyArn"])["KeyMetadata"]
    assert key["KeyState"] == "Enabled", "the key outlives the stack"
    again = account.deploy("shop", **account.adoption(first), RefreshTokenKeyArn=first["RefreshTokenKeyArn"])
    assert again["RefreshTokenKeyArn"] == first["RefreshTokenKeyArn"]
    settings = account.lambdas.get_function_configuration(FunctionName=again["TokenKeeperFunctionName"])
    assert settings["Environment"]["Variables"]["TOKEN_KEY_ID"] == first["RefreshTokenKeyArn"]
