"""The template's queue policies, as IAM evaluates them: who may send to the exchange queue."""

import json
import pathlib

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, eventually
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = yaml_parse((pathlib.Path(__file__).parents[2] / "template.yaml").read_text())
# What the policies need: without functions, nothing has to be compiled.
KINDS = ("AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::Logs::LogGroup")
ROLES = ("CallbackReceiverRole", "TokenExchangerRole", "TokenKeeperRole", "TokenRefresherRole")


def _deploy(cloud, stack, **parameters):
    """The template's keys, tables, queues and the roles that send, by logical id."""
    resources = {name: each for name, each in TEMPLATE["Resources"].items() if each["Type"] in KINDS or name in ROLES}
    used = {name: TEMPLATE[name] for name in ("AWSTemplateFormatVersion", "Parameters", "Conditions")}
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps({**used, "Resources": resources}),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )

    def created():
        return cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"

    eventually(created, seconds=30)
    found = cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}


def _may_send(cloud, role, queue):
    """Whether somebody in this role may send to the queue."""
    given = cloud.client("sts").assume_role(RoleArn=_arn(role), RoleSessionName="test")["Credentials"]
    sqs = cloud.client("sqs", (given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"])
    try:
        sqs.send_message(QueueUrl=queue, MessageBody="hello")
    except ClientError as error:
        assert "AccessDenied" in error.response["Error"]["Code"]
        return False
    return True


def _arn(role):
    return f"arn:aws:iam::{ACCOUNT}:role/{role}"


def _role_that_may_send_anywhere(cloud, name):
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    # The queue's key too, as docs/PERMISSIONS.md says of whoever redrives.
    actions = ["sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"]
    allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName=name, PolicyName="send", PolicyDocument=document)
    return name


@pytest.mark.parametrize("named", [False, True], ids=["nobody is named", "operators are named"])
def test_named_operators_are_the_only_ones_who_may_send_beside_the_stack(cloud, named):
    name = "with-operators" if named else "without-operators"
    operator, other = (_role_that_may_send_anywhere(cloud, f"{name}-{role}") for role in ("operator", "other"))
    parameters = {"QueueOperatorRoleArns": f"{_arn('nobody')},{_arn('*-operator')}"} if named else {}
    stack = _deploy(cloud, name, WhatsAppSender="whatsapp:+15550000000", **parameters)
    assert _may_send(cloud, operator, stack["ExchangeQueue"])
    assert _may_send(cloud, other, stack["ExchangeQueue"]) is not named
    assert _may_send(cloud, other, stack["ExchangeDeadLetterQueue"])
    for role in ROLES:
        assert _may_send(cloud, stack[role], stack["ExchangeQueue"]), role
