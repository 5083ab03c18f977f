"""What the template makes for a login that waits for its chat, as AWS would evaluate it: with which settings it can be asked for,
and who may hold, confirm and read such a login.
"""

import pytest
from botocore.exceptions import ClientError
from test_custody import SEALING, _allowed, _as, _deploy, _make_role
from test_life_of_a_stack import account  # noqa: F401

KINDS = ("AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::Logs::LogGroup")
ROLES = ("CallbackReceiverRole", *SEALING)
REQUIRED = {"ChatProof": "Required", "BotPhoneNumber": "+15550000000"}
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def stack(cloud):
    return _deploy(cloud, "proof", KINDS, ROLES, WhatsAppSender="whatsapp:+15550000000", **REQUIRED)


def _hold(stack, proof):
    """The transaction that holds a login, as the exchanger writes it."""
    row = {
        "TableName": stack["PendingTable"],
        "Key": {"proof": {"S": proof}},
        "UpdateExpression": "SET attempt_id = :attempt, wa_id = :chat, confirm_until = :until",
        "ConditionExpression": "attribute_not_exists(attempt_id)",
        "ExpressionAttributeValues": {":attempt": {"S": "0a" * 16}, ":chat": {"S": "whatsapp:+15551234567"}, ":until": {"N": f"{HOUR_MS}"}},
    }
    attempt = {
        "TableName": stack["AttemptTable"],
        "Key": {"attempt_id": {"S": "0a" * 16}},
        "UpdateExpression": "SET #status = :unconfirmed",
        "ConditionExpression": "attribute_not_exists(#status) OR #status = :unconfirmed",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":unconfirmed": {"S": "unconfirmed"}},
    }
    return {"TransactItems": [{"Update": row}, {"Update": attempt}]}


def _send(stack, proof):
    """The update by which the keeper records who has sent the code."""
    return {
        "TableName": stack["PendingTable"],
        "Key": {"proof": {"S": proof}},
        "UpdateExpression": "SET sender = :sender",
        "ConditionExpression": "attribute_not_exists(sender)",
        "ExpressionAttributeValues": {":sender": {"S": "whatsapp:+15551234567"}},
        "ReturnValues": "ALL_OLD",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


@pytest.mark.parametrize(
    ("wrong", "needed"),
    [
        ({"StatePolicy": "AcceptPlain"}, "StatePolicy=Signed"),
        ({"BrowserBinding": "Observe"}, "BrowserBinding=Enforce"),
        ({"BotPhoneNumber": ""}, "BotPhoneNumber"),
    ],
    ids=lambda each: str(each),
)
def test_a_proof_is_required_only_where_a_browser_can_give_it(account, wrong, needed):  # noqa: F811
    with pytest.raises((ClientError, SystemExit), match=f"ChatProof=Required needs {needed}"):
        account.deploy("unprovable", **{**REQUIRED, **wrong})
    # Each of them may be as it is where no proof is required.
    account.deploy("provable", **{**REQUIRED, **wrong, "ChatProof": "Off"})


@pytest.mark.parametrize("minutes", ["0", "16"])
def test_a_proof_is_waited_for_no_longer_than_a_message_is_delayed(account, minutes):  # noqa: F811
    with pytest.raises((ClientError, SystemExit), match="ProofMinutes"):
        account.deploy("patient", **REQUIRED, ProofMinutes=minutes)


def test_a_stack_that_is_there_turns_the_proof_on_and_off_and_keeps_its_table(account):  # noqa: F811
    cloudwatch = account.cloud.client("cloudwatch")
    settings, alarms = [], []
    for given in ({}, {**REQUIRED, "ProofMinutes": "5"}, {**REQUIRED, "ChatProof": "Off"}):
        outputs = account.deploy("turned", **given)
        receiver = account.lambdas.get_function_configuration(FunctionName=outputs["CallbackReceiverFunctionName"])
        variables = receiver["Environment"]["Variables"]
        settings.append((variables["CHAT_PROOF"], variables["PROOF_MINUTES"], outputs["PendingTableName"]))
        kinds = ("UnconfirmedLoginsAlarm", "WrongChatsAlarm")
        named = [cloudwatch.describe_alarms(AlarmNamePrefix=f"turned-{kind}")["MetricAlarms"] for kind in kinds]
        alarms.append([len(each) for each in named])
    table = settings[0][2]
    assert settings == [("Off", "10", table), ("Required", "5", table), ("Off", "10", table)]
    assert alarms == [[0, 0], [1, 1], [0, 0]]


def test_the_table_of_logins_that_wait_ends_with_the_stack(account):  # noqa: F811
    table = account.deploy("ended")["PendingTableName"]
    expiry = account.tables.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    backups = account.tables.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert expiry == {"AttributeName": "expires_at", "TimeToLiveStatus": "ENABLED"}
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    account.delete("ended")
    assert table not in account.tables.list_tables()["TableNames"]


def test_the_exchanger_holds_a_login_and_its_attempt_together_or_not_at_all(cloud, stack):
    rows = _as(cloud, stack["TokenExchangerRole"], "dynamodb")
    assert _allowed(rows.transact_write_items, **_hold(stack, "held"))
    assert _allowed(rows.get_item, TableName=stack["PendingTable"], Key={"proof": {"S": "held"}})["Item"]
    rows.update_item(
        TableName=stack["AttemptTable"],
        Key={"attempt_id": {"S": "0a" * 16}},
        UpdateExpression="SET #status = :failed",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":failed": {"S": "failed"}},
    )
    with pytest.raises(ClientError, match="TransactionCanceled"):
        rows.transact_write_items(**_hold(stack, "another"))
    assert "Item" not in rows.get_item(TableName=stack["PendingTable"], Key={"proof": {"S": "another"}})


def test_the_exchanger_queues_the_end_of_a_logins_time(cloud, stack):
    sqs = _as(cloud, stack["TokenExchangerRole"], "sqs")
    assert _allowed(sqs.send_message, QueueUrl=stack["UpkeepQueue"], MessageBody="later", DelaySeconds=900)
    delayed = "ApproximateNumberOfMessagesDelayed"
    found = cloud.client("sqs").get_queue_attributes(QueueUrl=stack["UpkeepQueue"], AttributeNames=[delayed])
    assert found["Attributes"] == {delayed: "1"}


def test_the_keeper_confirms_a_login_and_counts_guesses(cloud, stack):
    rows = _as(cloud, stack["TokenKeeperRole"], "dynamodb")
    assert _allowed(rows.update_item, **_send(stack, "sent"))
    with pytest.raises(ClientError) as refused:
        rows.update_item(**_send(stack, "sent"))
    assert refused.value.response["Item"]["sender"] == {"S": "whatsapp:+15551234567"}
    assert _allowed(rows.get_item, TableName=stack["PendingTable"], Key={"proof": {"S": "sent"}})["Item"]
    guess = {"Key": {"id": {"S": "guess:whatsapp:+15551234567"}}, "UpdateExpression": "SET told_at_0 = :now"}
    guess["ExpressionAttributeValues"] = {":now": {"N": "1"}}
    assert _allowed(rows.update_item, TableName=stack["LimitTable"], **guess)


@pytest.mark.parametrize("role", ["TokenKeeperRole", "TokenRefresherRole"])
def test_whoever_hands_a_login_to_the_exchanger_reads_no_message_of_its_queue(cloud, stack, role):
    sqs = _as(cloud, stack[role], "sqs")
    assert _allowed(sqs.send_message, QueueUrl=stack["ExchangeQueue"], MessageBody="decided")
    assert not _allowed(sqs.receive_message, QueueUrl=stack["ExchangeQueue"])


def test_the_keeper_opens_no_token_of_a_login_that_waits(cloud, stack):
    purpose = {"purpose": "checkpoint"}
    key = {"KeyId": stack["EncryptionKey"], "EncryptionContext": purpose}
    exchanger, keeper = (_as(cloud, stack[role], "kms") for role in ("TokenExchangerRole", "TokenKeeperRole"))
    sealed = exchanger.generate_data_key(**key, KeySpec="AES_256")["CiphertextBlob"]
    assert _allowed(exchanger.decrypt, **key, CiphertextBlob=sealed)
    assert not _allowed(keeper.decrypt, **key, CiphertextBlob=sealed)


@pytest.mark.parametrize("role", ["TokenExchangerRole", "TokenKeeperRole"])
def test_nobody_lists_or_deletes_logins_that_wait(cloud, stack, role):
    rows, table = _as(cloud, stack[role], "dynamodb"), {"TableName": stack["PendingTable"]}
    assert not _allowed(rows.scan, **table)
    assert not _allowed(rows.delete_item, **table, Key={"proof": {"S": "held"}})
    assert not _allowed(rows.put_item, **table, Item={"proof": {"S": "forged"}})


@pytest.mark.parametrize("role", ["CallbackReceiverRole", "TokenRefresherRole"])
def test_no_other_function_reaches_logins_that_wait(cloud, stack, role):
    rows = _as(cloud, stack[role], "dynamodb")
    assert not _allowed(rows.get_item, TableName=stack["PendingTable"], Key={"proof": {"S": "held"}})
    assert not _allowed(rows.update_item, **_send(stack, "held"))


def test_where_operators_are_named_logins_are_still_handed_over(cloud):
    operators = "arn:aws:iam::000000000000:role/nobody"
    guarded = _deploy(cloud, "guarded", KINDS, ROLES, WhatsAppSender="whatsapp:+15550000000", QueueOperatorRoleArns=operators)
    for role in ("TokenKeeperRole", "TokenRefresherRole"):
        assert _allowed(_as(cloud, guarded[role], "sqs").send_message, QueueUrl=guarded["ExchangeQueue"], MessageBody="decided"), role
    anywhere = _make_role(cloud, "sends-anywhere", {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"})
    assert not _allowed(_as(cloud, anywhere, "sqs").send_message, QueueUrl=guarded["ExchangeQueue"], MessageBody="forged")
