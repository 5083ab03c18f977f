"""Takes away all that a canary has made, by its name: its stacks, what they retain, its secrets and its code in S3.

What it retains is what the template retains for good reasons: nobody's tokens are in the tables of a canary. It goes on
whatever fails, and says what is left.
"""

import contextlib

import boto3
from botocore.exceptions import BotoCoreError, ClientError

WAIT = {"Delay": 5, "MaxAttempts": 360}
KEY_DAYS = 7  # the least that KMS waits; a key that waits costs nothing
# What the template retains, in the order in which it can go: a table before the key that it is encrypted with.
RETAINED = ("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SQS::Queue")

# By their names: a list of secrets comes some seconds late.
SECRETS = ("sf_client_id", "sf_client_secret", "whatsapp", "bot_webhook")


def remove(name):
    """Removes the run of this name; what could not be removed, in words."""
    left = []
    resources = _attempt(left, f"resources of the stack {name}", lambda: _resources(name)) or []
    of_type = {kind: [physical for found, physical in resources if found == kind] for kind in RETAINED}
    for table in of_type["AWS::DynamoDB::Table"]:
        _attempt(left, f"table {table}'s protection", lambda table=table: _unprotect(table))
    for stack in (name, f"{name}-parties"):
        _attempt(left, f"stack {stack}", lambda stack=stack: _delete_stack(stack))
    for kind, delete in (("AWS::DynamoDB::Table", _delete_table), ("AWS::KMS::Key", _delete_key), ("AWS::SQS::Queue", _delete_queue)):
        for physical in of_type[kind]:
            _attempt(left, f"{kind} {physical}", lambda delete=delete, physical=physical: delete(physical))
    for secret in SECRETS:
        secret = f"{name}/{secret}"
        _attempt(left, f"secret {secret}", lambda secret=secret: _delete_secret(secret))
    _attempt(left, f"code in S3 under {name}/", lambda: _delete_code(name))
    return left


def _attempt(left, what, action):
    try:
        return action()
    except (BotoCoreError, ClientError) as error:
        left.append(f"{what}: {error}")
        return None


def _is_gone(error):
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "NotFound" in code or "NonExistent" in code or "DoesNotExist" in code or "does not exist" in message


@contextlib.contextmanager
def _or_gone():
    """What is not there any more needs no removal."""
    try:
        yield
    except ClientError as error:
        if not _is_gone(error):
            raise


def _resources(stack):
    """(type, physical id) of what a stack has; nothing where it was never made."""
    with _or_gone():
        pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        return [
            (each["ResourceType"], each["PhysicalResourceId"])
            for page in pages
            for each in page["StackResourceSummaries"]
            if each.get("PhysicalResourceId")
        ]
    return []


def _unprotect(table):
    with _or_gone():
        dynamodb = boto3.client("dynamodb")
        if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
            dynamodb.get_waiter("table_exists").wait(TableName=table)


def _delete_stack(stack):
    cloudformation = boto3.client("cloudformation")
    with _or_gone():
        cloudformation.describe_stacks(StackName=stack)
        cloudformation.delete_stack(StackName=stack)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=WAIT)


def _delete_table(table):
    dynamodb = boto3.client("dynamodb")
    with _or_gone():
        dynamodb.delete_table(TableName=table)
        dynamodb.get_waiter("table_not_exists").wait(TableName=table)


def _delete_key(key):
    kms = boto3.client("kms")
    with _or_gone():
        if kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion":
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=KEY_DAYS)


def _delete_queue(url):
    with _or_gone():
        boto3.client("sqs").delete_queue(QueueUrl=url)


def _delete_secret(secret):
    with _or_gone():
        boto3.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def _delete_code(name):
    """What `sam deploy` put into the account's bucket for it, in each version: the bucket keeps them."""
    with _or_gone():
        found = boto3.client("cloudformation").describe_stack_resources(StackName="aws-sam-cli-managed-default")["StackResources"]
        for bucket in (each["PhysicalResourceId"] for each in found if each["ResourceType"] == "AWS::S3::Bucket"):
            boto3.resource("s3").Bucket(bucket).object_versions.filter(Prefix=f"{name}/").delete()
