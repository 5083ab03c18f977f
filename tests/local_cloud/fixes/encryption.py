"""Queues and tables under a KMS key: who may use them needs the key too, through their service."""

from ministack.core import iam_evaluator
from ministack.services import dynamodb, kms, sqs

from . import fix

# What SQS asks of KMS for the caller. A sender also decrypts: SQS verifies the data key before it uses it.
_OF_MESSAGES = {
    "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
    "sqs:ReceiveMessage": ("kms:Decrypt",),
}
_OF_ITEMS = {
    f"dynamodb:{operation}"
    for operation in "GetItem BatchGetItem PutItem UpdateItem DeleteItem BatchWriteItem ConditionCheckItem Query Scan".split()
}


@fix
def encryption_at_rest():
    """A message or an item under a key of the account's own is for those alone who may use that key through SQS or DynamoDB.

    MiniStack encrypts nothing, and asks for no permission, so that nothing would show a role without it. SQS asks KMS
    every five minutes at most, and DynamoDB does for each caller; here both ask each time.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    enforce = iam_evaluator.enforce

    def enforce_key(access_key, action, service, region, resource_arn="*", service_context=None):
        denied = enforce(access_key, action, service, region, resource_arn, service_context)
        if denied:
            return denied
        key, actions = _needed(action, resource_arn)
        if not key:
            return None
        through = {"kms:ViaService": f"{service}.{region}.amazonaws.com", "kms:CallerAccount": resource_arn.split(":")[4]}
        needed = (enforce(access_key, each, "kms", region, key, through) for each in actions)
        return next((each for each in needed if each), None)

    iam_evaluator.enforce = enforce_key


def _needed(action, resource_arn):
    """The key's ARN, and what of KMS the caller has to be allowed; None where it is AWS's own key."""
    if action in _OF_MESSAGES:
        queue = sqs._queue_by_arn(resource_arn)
        return _arn(queue and queue["attributes"].get("KmsMasterKeyId")), _OF_MESSAGES[action]
    if action in _OF_ITEMS and ":table/" in resource_arn:
        table = dynamodb._tables.get(resource_arn.split(":table/")[1].split("/")[0])
        return _arn(table and (table.get("SSEDescription") or {}).get("KMSMasterKeyArn")), ("kms:Decrypt",)
    return None, ()


def _arn(key_id):
    """A key of the account's own."""
    key = kms._resolve_key(key_id) if key_id and "alias/aws/" not in key_id else None
    return key and key["Arn"]
