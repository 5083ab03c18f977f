"""Checks of the whole repository: the template against the code, and rules that no compiler checks."""

import json
import pathlib
import re
import subprocess
import tomllib

import pytest
from conftest import ROOT, branches, listed, resources, statements

FUNCTIONS = sorted(path.name for path in (ROOT / "functions").iterdir())
SAM = ROOT / ".local/venv-tools/bin/python"
# Settings that the code reads from the environment if they are there; the template names their secrets instead.
OVERRIDES = {"SF_CLIENT_ID", "SF_CLIENT_SECRET", "BOT_WEBHOOK_SECRET", "WHATSAPP_SECRET"}
# Settings that the template gives before the code reads them.
AHEAD = {}
# Actions without a resource type.
WITHOUT_RESOURCE = {"secretsmanager:BatchGetSecretValue", "dynamodb:ListStreams"}

DEAD_LETTERS_OF = {
    "ExchangeQueue": "ExchangeDeadLetterQueue",
    "NotifierRetryQueue": "NotifierRetryDeadLetterQueue",
    "UpkeepQueue": "UpkeepDeadLetterQueue",
}

# The stack's interface to operators and other programs.
PARAMETERS = """
    Architecture StatePolicy BrowserBinding LinkLifetimeMinutes RelinkLifetimeHours LoginUrls Scopes CallbackUri TokenTableName
    AttemptTableName ClientIdSecretName ClientSecretSecretName CallbackUriSecretName WhatsAppProvider WhatsAppSender
    WhatsAppApiUrl WhatsAppTemplate WhatsAppSecretName BotWebhookUrl BotWebhookSecretName BotQueueUrl BotQueueArn EventBusName
    BotPhoneNumber SubnetIds SecurityGroupIds AlarmEmail LogLevel TokenReaderRoleArns QueueOperatorRoleArns
    ReceiverReservedConcurrency TwilioMessagingServiceSid TokenCustody KeepAliveDays TokenMaxAgeMinutes RefreshTokenKeyArn
    UpkeepConcurrency FixedEgress KeeperReservedConcurrency ChatProof ProofMinutes
    DefaultLanguage
    BrandName PrivacyUrl BrandColor BrandLogo
""".split()
OUTPUTS = """
    CallbackUrl LinksUrl ConnectUrl ExchangeQueueUrl ExchangeDlqUrl ExchangeDlqArn NotifierFailureQueueUrl
    NotifierRetryQueueUrl NotifierRetryDlqUrl NotifierRetryDlqArn
    TokenTableName AttemptTableName LimitTableName DashboardUrl ConnectLinkFunctionName CallbackReceiverFunctionName
    TokenExchangerFunctionName NotifierFunctionName TokenKeyArn BotPolicyArn ConnectionTokenUrl ConnectionStatusUrl
    ConnectionDisconnectUrl UpkeepQueueUrl UpkeepDlqUrl UpkeepDlqArn RefreshTokenKeyArn EgressAddresses
    TokenKeeperFunctionName TokenRefresherFunctionName ConfirmationsUrl PendingTableName
""".split()


@pytest.fixture(scope="module")
def functions(template):
    """The functions' properties, by the name of their binary."""
    return {
        resource["Metadata"]["BuildProperties"]["Binary"]: resource["Properties"]
        for _, resource in resources(template, "AWS::Serverless::Function")
    }


def _of_type(template, kind):
    """The properties of the resources of a type, by name."""
    return {name: resource["Properties"] for name, resource in resources(template, kind)}


def _allowed(template):
    """(role, statement) of everything that roles may do, whatever the condition."""
    return [(role, branches(either)[0]) for role, either in statements(template)]


def _routes(functions):
    """The properties of the API's events, by route."""
    events = [event for function in functions.values() for event in function["Events"].values()]
    routes = [event["Properties"] for event in events if event["Type"] == "HttpApi"]
    return {f"{route['Method']} {route['Path']}" if "Path" in route else "$default": route for route in routes}


def _sources(folder):
    """Each Rust file below a folder, without its unit tests."""
    for path in sorted((ROOT / folder).rglob("*.rs")):
        if path.name != "tests.rs":
            yield path, path.read_text().split("#[cfg(test)]\nmod tests {")[0]


def test_each_function_is_built_from_its_folder(functions):
    assert sorted(functions) == FUNCTIONS


def test_the_names_that_others_rely_on_are_there(template):
    assert set(PARAMETERS) <= set(template["Parameters"])
    assert set(OUTPUTS) <= set(template["Outputs"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_reads_the_settings_that_the_template_gives_it(name, template, functions):
    given = set(functions[name]["Environment"]["Variables"])
    # These two are read wherever logging starts, and TLS.
    given |= set(template["Globals"]["Function"]["Environment"]["Variables"]) - {"LOG_LEVEL", "SSL_CERT_FILE"}
    if name == "callback-receiver":
        assert not any("SECRET" in setting for setting in given), "the receiver holds no secret"
    source = "".join(text for path, text in _sources(f"functions/{name}/src") if path.name == "config.rs")
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"|"(SCOPES)"', source))
    read = {name or other for name, other in read} - OVERRIDES
    if "Meter::read(settings)" in source:
        read.add("STACK_NAME")
    if "custody::Config::read(settings)" in source:
        read |= set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', (ROOT / "shared/src/custody/config.rs").read_text().split("mod tests")[0]))
        read = read - OVERRIDES | {"STACK_NAME"}
    if "CallbackUriSource::read(settings)" in source:
        read |= {"SF_REDIRECT_URI", "SF_CALLBACK_URI_SECRET_NAME", "API_DOMAIN_SUFFIX"}
    if "Brand::read(settings)" in source:
        read |= {"BRAND_NAME", "PRIVACY_URL", "BRAND_COLOR", "BRAND_LOGO"}
    if "StateSettings::read(settings)" in source:
        read |= {"STATE_POLICY", "STATE_KEY_IDS", "STATE_PUBLIC_KEYS"}
    assert given - AHEAD.get(name, set()) == read - AHEAD.get(name, set())


def test_the_attempt_table_has_the_indexes_that_wasf_reads(template):
    index, item = ((ROOT / f"shared/src/attempt/{name}.rs").read_text() for name in ("index", "item"))
    names = set(re.findall(r'pub const BY_\w+: &str = "(\w+)"', index))
    attributes = set(re.findall(r'pub const \w+: &str = "(\w+)"', item))
    table = template["Resources"]["AttemptTable"]["Properties"]
    _, (by_chat, by_status), _ = table["GlobalSecondaryIndexes"]["If"]
    indexes = [by_chat, by_status["If"][1]]
    assert {each["IndexName"] for each in indexes} == names
    for each in indexes:
        keys = {key["AttributeName"] for key in each["KeySchema"]}
        projected = set(each["Projection"]["NonKeyAttributes"])
        assert keys | projected <= attributes and not keys & projected
        # The marks of who was notified change one after the other.
        assert not projected & {"messaged_at", "bot_told_at", "message_error", "code_sha256", "username"}


def test_an_attribute_is_defined_while_an_index_uses_it(template):
    """DynamoDB refuses a table with definitions that no key uses, and with keys that have none."""
    table = template["Resources"]["AttemptTable"]["Properties"]
    defined = {
        definition["If"][1]["AttributeName"]: definition["If"][0]
        for definition in table["AttributeDefinitions"]
        if "If" in definition
    }
    assert defined == {"wa_id": "IndexesChats", "updated_at": "IndexesChats", "status_day": "IndexesStatuses"}


@pytest.mark.parametrize(
    ("queue", "function"),
    [("ExchangeQueue", "token-exchanger"), ("NotifierRetryQueue", "notifier"), ("UpkeepQueue", "token-refresher")],
)
def test_a_queue_waits_six_times_as_long_as_its_function_may_take(template, functions, queue, function):
    assert template["Resources"][queue]["Properties"]["VisibilityTimeout"] >= 6 * functions[function]["Timeout"]


def _seconds(path, constant):
    """A duration in the code."""
    (unit, value), = re.findall(rf"{constant}: Duration = Duration::from_(secs|mins)\((\d+)\)", (ROOT / path).read_text())
    return int(value) * {"secs": 1, "mins": 60}[unit]


def test_a_lease_outlasts_the_invocation_that_holds_it(functions):
    assert _seconds("shared/src/attempt/ledger.rs", "LEASE") > functions["token-exchanger"]["Timeout"]


@pytest.mark.parametrize(
    ("name", "limit"), [("connect-link", "DEADLINE"), ("notifier", "BATCH_TIME")], ids=lambda value: value
)
def test_a_function_responds_before_lambda_ends_it(name, limit, functions):
    assert _seconds(f"functions/{name}/src/lib.rs", limit) < functions[name]["Timeout"]



def test_the_exchanger_has_receives_left_after_its_last_try(template, functions):
    redrive = template["Resources"]["ExchangeQueue"]["Properties"]["RedrivePolicy"]
    tries = int(functions["token-exchanger"]["Environment"]["Variables"]["MAX_TRIES"])
    assert redrive["maxReceiveCount"] == tries + 3 >= 5


def test_dead_letters_outlive_the_queue(template):
    retention = {name: queue["MessageRetentionPeriod"] for name, queue in _of_type(template, "AWS::SQS::Queue").items()}
    for queue in DEAD_LETTERS_OF:
        assert retention[DEAD_LETTERS_OF[queue]] > retention[queue], queue


@pytest.mark.parametrize("queue", DEAD_LETTERS_OF)
def test_a_dead_letter_queue_accepts_only_its_own_queue(template, queue):
    queues = _of_type(template, "AWS::SQS::Queue")
    assert queues[queue]["RedrivePolicy"]["deadLetterTargetArn"] == {"GetAtt": f"{DEAD_LETTERS_OF[queue]}.Arn"}
    allowed = queues[DEAD_LETTERS_OF[queue]]["RedriveAllowPolicy"]
    assert allowed["redrivePermission"] == "byQueue"
    (source,) = allowed["sourceQueueArns"]
    assert source["Sub"].endswith(f":{queues[queue]['QueueName']['Sub']}")


def test_no_outcome_passes_the_streams_filter_for_a_mark_of_who_was_told(functions):
    stream = functions["notifier"]["Events"]["Outcome"]["Properties"]
    new, redelivered = (json.loads(each["Pattern"])["dynamodb"]["NewImage"] for each in stream["FilterCriteria"]["Filters"])
    absent, present = [{"exists": False}], [{"exists": True}]
    item = (ROOT / "shared/src/attempt/item.rs").read_text()
    marks = re.search(r"const MARKS: .*?= \[(.*?)\];", item, flags=re.DOTALL)[1].split(",")
    names = dict(re.findall(r'pub const (\w+): &str = "(\w+)";', item))
    assert {name for name, rule in new.items() if absent in rule.values()} == {names[mark.strip()] for mark in marks if mark.strip()}
    assert new["status"] == redelivered["status"]
    assert redelivered["notified_at"] == {"N": absent} and redelivered["redelivered_at"] == {"N": present}


def test_what_holds_codes_or_tokens_is_encrypted_by_the_stacks_keys(template):
    key = {"GetAtt": "EncryptionKey.Arn"}
    for name, queue in _of_type(template, "AWS::SQS::Queue").items():
        assert queue.get("KmsMasterKeyId") == (None if name == "NotifierFailureQueue" else key), name
    for name, table in _of_type(template, "AWS::DynamoDB::Table").items():
        wanted = {"GetAtt": "TokenKey.Arn"} if name == "TokenTable" else key
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": wanted}, name


def test_tables_of_people_can_be_restored_and_outlive_the_stack(template):
    tables = _of_type(template, "AWS::DynamoDB::Table")
    # Limits matter for minutes, and so do logins that wait, whose tokens no backup is to keep.
    for name in ("LimitTable", "PendingTable"):
        assert not {"TableName", "PointInTimeRecoverySpecification"} & set(tables.pop(name)), name
        assert template["Resources"][name]["DeletionPolicy"] == "Delete", name
    for name, table in tables.items():
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
        assert table["DeletionProtectionEnabled"] is True, name
        assert template["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate", name
        assert template["Resources"][name]["UpdateReplacePolicy"] == "Retain", name


def test_the_keys_of_tables_outlive_the_stack_and_the_others_go_with_it(template):
    keys = {name: key for name, key in template["Resources"].items() if key["Type"] == "AWS::KMS::Key"}
    kept = {name for name, key in keys.items() if key["DeletionPolicy"] == "RetainExceptOnCreate"}
    assert kept == {"EncryptionKey", "TokenKey", "RefreshTokenKey"}
    assert all(key["DeletionPolicy"] == "Delete" for name, key in keys.items() if name not in kept)
    assert all(key["UpdateReplacePolicy"] == "Retain" for key in keys.values())


def test_no_message_is_lost_with_a_queue_that_is_replaced(template):
    """A queue with a name of its own is replaced where the name changes, and the old one is deleted unless it is retained."""
    named = {name for name, queue in _of_type(template, "AWS::SQS::Queue").items() if "QueueName" in queue}
    assert named == set(DEAD_LETTERS_OF)
    for name in named:
        assert template["Resources"][name]["UpdateReplacePolicy"] == "Retain", name


def test_a_name_that_the_template_gives_has_the_stacks_name_in_it(template):
    """What two stacks of an account would otherwise fight for."""
    properties = ("AlarmName", "DashboardName", "FunctionName", "LogGroupName", "ManagedPolicyName", "Name", "QueueName", "RoleName", "TableName", "TopicName")
    given = {
        f"{logical_id}.{name}": resource["Properties"][name]
        for logical_id, resource in template["Resources"].items()
        for name in properties
        if name in resource.get("Properties", {})
    }
    # A table's name is a parameter's, or has the stack's name unless that is the usual one.
    tables = {name: value for name, value in given.items() if name.endswith(".TableName")}
    assert set(tables) == {"TokenTable.TableName", "AttemptTable.TableName"}
    for value in tables.values():
        condition, usual, other = value["If"][2]["If"]
        assert (condition, other) == ("HasTheUsualName", {"Sub": f"${{AWS::StackName}}-{usual}"})
    for name in given.keys() - tables.keys():
        assert "${AWS::StackName}" in given[name]["Sub"], name
    assert not any("Export" in output for output in template["Outputs"].values())


def test_the_api_does_not_fail_on_warnings(template):
    """The import warns of each path parameter that SAM writes, so a deployment would fail on AWS."""
    assert "FailOnWarnings" not in template["Resources"]["Api"]["Properties"]
    assert "HttpApi" not in template.get("Globals", {})


def test_the_webhooks_address_is_shown_nowhere(template):
    assert template["Parameters"]["BotWebhookUrl"]["NoEcho"] is True
    shown = [template["Outputs"], *_of_type(template, "AWS::CloudWatch::Dashboard").values()]
    shown += _of_type(template, "AWS::CloudWatch::Alarm").values()
    shown += [function["Description"] for function in _of_type(template, "AWS::Serverless::Function").values()]
    assert "BotWebhookUrl" not in json.dumps(shown)


def test_only_what_answers_callbacks_and_calls_may_reserve_concurrency(functions):
    reserved = {name: each["ReservedConcurrentExecutions"] for name, each in functions.items() if "ReservedConcurrentExecutions" in each}
    amount = {name: {"If": [f"Reserves{name}", {"Ref": f"{name}ReservedConcurrency"}, {"Ref": "AWS::NoValue"}]} for name in ("Keeper", "Receiver")}
    assert reserved == {"callback-receiver": amount["Receiver"], "token-keeper": amount["Keeper"]}


def test_the_tables_streams_carry_outcomes_and_no_token(template):
    tables = _of_type(template, "AWS::DynamoDB::Table").items()
    streams = {name: table.get("StreamSpecification") for name, table in tables}
    assert streams == {"AttemptTable": {"StreamViewType": "NEW_IMAGE"}, "TokenTable": None, "LimitTable": None, "PendingTable": None}


def test_a_record_that_always_fails_blocks_the_stream_for_a_while_only(functions):
    events = functions["notifier"]["Events"].values()
    (stream,) = (event["Properties"] for event in events if event["Type"] == "DynamoDB")
    assert stream["BisectBatchOnFunctionError"] is True
    assert stream["MaximumRetryAttempts"] > 0
    assert 0 < stream["MaximumRecordAgeInSeconds"] < 86_400, "DynamoDB drops a record after a day"
    assert stream["DestinationConfig"]["OnFailure"]["Destination"] == {"GetAtt": "NotifierFailureQueue.Arn"}
    assert stream["StartingPosition"] == "TRIM_HORIZON"


def test_every_event_source_reports_failures_by_item(functions):
    sources = [
        event["Properties"]
        for function in functions.values()
        for event in function["Events"].values()
        if event["Type"] in ("SQS", "DynamoDB")
    ]
    assert len(sources) == 4
    assert all(source["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for source in sources)


def test_the_access_log_holds_no_path_no_query_and_no_header(template):
    log = template["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"]
    assert set(re.findall(r"\$context\.([A-Za-z.]+)", log)) <= {
        "requestId", "routeKey", "status", "responseLatency", "integrationErrorMessage",
    }
    json.loads(log)


def test_the_access_log_needs_no_line_in_the_accounts_log_delivery_policy(template):
    """CloudWatch Logs' resource policy has 5,120 characters, and groups of this prefix share one statement of it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
    """
    assert template["Resources"]["ApiLogGroup"]["Properties"]["LogGroupName"]["Sub"].startswith("/aws/vendedlogs/")


def test_head_is_answered_wherever_get_is(functions):
    routes = _routes(functions)
    for route in routes:
        if route.startswith("GET "):
            assert route.replace("GET", "HEAD") in routes


def test_the_bots_routes_alone_are_authorized_by_iam(functions):
    asking = {route: given["Auth"] for route, given in _routes(functions).items() if "Auth" in given}
    of_connections = [f"POST /connections/{call}" for call in ("disconnect", "status", "token")]
    assert sorted(asking) == ["POST /confirmations", *of_connections, "POST /links"]
    assert all(auth == {"Authorizer": "AWS_IAM"} for auth in asking.values())


def test_each_function_logs_to_a_group_of_its_own_with_a_retention(template, functions):
    groups = _of_type(template, "AWS::Logs::LogGroup")
    used = [function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions.values()]
    assert len(set(used)) == len(functions)
    assert all(group["RetentionInDays"] <= 30 for group in groups.values())
    written = {role: statement["Resource"] for role, statement in _allowed(template) if statement["Sid"] == "Log"}
    assert written == {f"{name.removesuffix('LogGroup')}Role": {"GetAtt": f"{name}.Arn"} for name in used}


def test_a_role_uses_the_encryption_key_only_through_a_service_or_for_its_own_purpose(template):
    purposes = {"TokenExchangerRole": "checkpoint"}
    for role, statement in _allowed(template):
        if {"GetAtt": "EncryptionKey.Arn"} in listed(statement["Resource"]):
            (condition,) = statement["Condition"]["StringEquals"].items()
            if condition[0] == "kms:EncryptionContext:purpose":
                assert condition[1] == purposes[role]
            else:
                assert condition[0] == "kms:ViaService", role


def test_only_who_makes_links_may_derive_their_key(template):
    using = [each for each in _allowed(template) if {"GetAtt": "LinkKey.Arn"} in listed(each[1]["Resource"])]
    assert [(role, statement["Action"]) for role, statement in using] == [
        ("ConnectLinkRole", "kms:GenerateMac"), ("TokenKeeperRole", "kms:GenerateMac"), ("NotifierRole", "kms:GenerateMac"),
    ]


def test_a_role_uses_the_token_tables_key_only_through_dynamodb(template):
    using = [each for each in _allowed(template) if {"GetAtt": "TokenKey.Arn"} in listed(each[1]["Resource"])]
    assert [role for role, _ in using] == ["TokenExchangerRole", "TokenKeeperRole", "TokenRefresherRole"]
    for _, statement in using:
        through = {"kms:ViaService": {"Sub": "dynamodb.${AWS::Region}.${AWS::URLSuffix}"}}
        assert statement["Condition"] == {"StringEquals": through}


def test_whoever_reads_secrets_may_decrypt_them_with_a_key_of_the_accounts_through_secrets_manager_alone(template):
    readers = {role for role, statement in _allowed(template) if "secretsmanager:GetSecretValue" in listed(statement["Action"])}
    using = [each for each in _allowed(template) if {"Ref": "SecretsKeyArn"} in listed(each[1]["Resource"])]
    assert [role for role, _ in using] == sorted(readers, key=list(template["Resources"]).index)
    assert "CallbackReceiverRole" not in readers
    for role, statement in using:
        through = {"kms:ViaService": {"Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}}
        assert (statement["Action"], statement["Condition"]) == ("kms:Decrypt", {"StringEquals": through}), role


def test_the_certificates_that_every_function_trusts_are_a_parameter(template):
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["SSL_CERT_FILE"] == {"If": ["HasCertificates", {"Ref": "SslCertFile"}, {"Ref": "AWS::NoValue"}]}
    assert template["Parameters"]["SslCertFile"]["Default"] == ""


def test_each_function_has_a_role_of_its_own(functions):
    roles = [json.dumps(function["Role"]) for function in functions.values()]
    assert len(set(roles)) == len(roles)


def test_a_role_names_actions_and_resources(template):
    for role, statement in _allowed(template):
        actions = listed(statement["Action"])
        assert not any("*" in action for action in actions), (role, actions)
        # Lambda creates network interfaces in a VPC; they have no name in advance.
        if "*" in listed(statement["Resource"]) and not all(action.startswith("ec2:") for action in actions):
            assert set(actions) <= WITHOUT_RESOURCE, (role, actions)


def test_only_the_exchanger_the_keeper_and_the_refresher_may_access_tokens(template):
    reaching = {role for role, statement in _allowed(template) if "TokenTable" in json.dumps(statement["Resource"])}
    assert reaching == {"TokenExchangerRole", "TokenKeeperRole", "TokenRefresherRole"}


def test_only_the_refresher_reads_the_token_table_from_end_to_end(template):
    assert {role for role, statement in _allowed(template) if "dynamodb:Scan" in listed(statement["Action"])} == {"TokenRefresherRole"}


def test_the_schedule_sends_what_the_refresher_reads_and_runs_only_where_the_stack_holds_tokens(template):
    schedule = template["Resources"]["SweepSchedule"]
    target = schedule["Properties"]["Target"]
    assert schedule["Condition"] == "HoldsTokens"
    assert json.loads(target["Input"]) == {"v": 1, "sweep": {}}
    assert target["Arn"] == {"GetAtt": "UpkeepQueue.Arn"}
    assert target["DeadLetterConfig"] == {"Arn": {"GetAtt": "UpkeepDeadLetterQueue.Arn"}}


def test_only_the_exchanger_and_the_keeper_reach_the_logins_that_wait_and_neither_lists_nor_deletes_them(template):
    reaching = [(role, set(each["Action"])) for role, each in _allowed(template) if {"GetAtt": "PendingTable.Arn"} in listed(each["Resource"])]
    actions = {"dynamodb:GetItem", "dynamodb:UpdateItem"}
    assert reaching == [("TokenExchangerRole", actions), ("TokenKeeperRole", actions)]


def test_the_pending_tables_key_and_expiry_are_the_codes(template):
    names = dict(re.findall(r'pub const (\w+): &str = "(\w+)"', (ROOT / "shared/src/proof/pending.rs").read_text()))
    table = template["Resources"]["PendingTable"]["Properties"]
    assert table["KeySchema"] == [{"AttributeName": names["PROOF"], "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": names["EXPIRES_AT"], "Enabled": True}


def test_a_login_waits_no_longer_than_sqs_delays_a_message(template):
    minutes = template["Parameters"]["ProofMinutes"]
    assert 1 <= minutes["MinValue"] <= minutes["Default"] <= minutes["MaxValue"] == 900 // 60


def test_a_proof_is_off_unless_it_is_asked_for(template):
    assert template["Parameters"]["ChatProof"]["Default"] == "Off"


def test_what_speaks_to_salesforce_has_the_fixed_addresses_and_nothing_else(template, functions):
    made = {"SubnetIds": [{"Ref": "PrivateSubnetA"}, {"Ref": "PrivateSubnetB"}], "SecurityGroupIds": [{"Ref": "EgressSecurityGroup"}]}
    inside = {name for name, function in functions.items() if "VpcConfig" in function}
    assert inside == {"token-exchanger", "token-keeper", "token-refresher"}
    for name in inside:
        condition, network, otherwise = functions[name]["VpcConfig"]["If"]
        assert (condition, network) == ("MakesNetwork", made), name
        assert otherwise["If"][0] == "HasSubnets"
    network = [each for each in template["Resources"].values() if each["Type"].startswith("AWS::EC2::")]
    assert all(each["Condition"] == "MakesNetwork" for each in network)


def test_nothing_reaches_the_network_from_outside(template):
    group = template["Resources"]["EgressSecurityGroup"]["Properties"]
    assert "SecurityGroupIngress" not in group
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [("tcp", 443, 443)]


def test_only_adapters_name_aws_crates():
    adapters = re.compile(
        r"shared/src/aws/|functions/callback-receiver/src/queue\.rs|functions/token-exchanger/src/(queue|tables)\.rs"
        r"|functions/token-keeper/src/tables\.rs|functions/notifier/src/(attempts|queue)\.rs|shared/src/bot/(bus|queue)\.rs|cli/src/(aws/|error\.rs)"
        r"|functions/token-refresher/src/table\.rs|shared/src/custody/(holder|tables)\.rs"
    )
    for folder in ("functions", "shared", "cli"):
        for path, text in _sources(folder):
            if "/tests/" not in path.as_posix() and re.search(r"\baws_(sdk|smithy|types|credential)", text):
                assert adapters.search(path.as_posix()), f"{path.relative_to(ROOT)} names an AWS crate"


def test_what_only_unix_has_stands_behind_a_guard_where_wasf_may_run_elsewhere():
    for folder in ("cli/src", "shared/src", "shared/build"):
        for path, text in _sources(folder):
            # An item behind the guard: to its closing brace at the line's beginning, or the end of a statement of one line.
            others = re.sub(r"#\[cfg\(unix\)\]\n(?:.*;\n|(?:.*\n)*?\}\n)", "", text)
            assert not re.search(r"\bos::(unix|linux|fd)\b|\bsignal::unix\b|\b(libc|nix|rustix)::|\"/(dev|proc|tmp|etc)/", others), path


def test_only_one_module_names_backoff():
    names = [path.name for folder in ("functions", "shared") for path, text in _sources(folder) if re.search(r"\bbackoff::", text)]
    assert names == ["pauses.rs"]


def test_the_clock_the_environment_and_randomness_are_read_in_one_place():
    disallowed = {each["path"] for each in _toml("clippy.toml")["disallowed-methods"]}
    assert disallowed >= {
        "std::time::SystemTime::now",
        "std::time::Instant::now",
        "std::env::var",
        "std::env::vars",
        "ring::rand::SystemRandom::new",
    }
    allowing = [
        path.relative_to(ROOT).as_posix()
        for folder in ("functions", "shared", "cli")
        for path, text in _sources(folder)
        if "clippy::disallowed_methods" in text
    ]
    # Cargo tells a build script by the environment where it is.
    assert allowing == ["shared/build/main.rs", "shared/src/process.rs"]


def _toml(path):
    return tomllib.loads((ROOT / path).read_text())


_PEER_APART = "tests/bench/peers/receiver-aws-defaults"


def _packages():
    """Each crate of both workspaces, as cargo knows it."""
    for workspace in ("Cargo.toml", f"{_PEER_APART}/Cargo.toml"):
        command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--locked", "--manifest-path", workspace]
        metadata = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        yield from json.loads(metadata)["packages"]


def test_every_crate_keeps_the_workspaces_lints():
    lints = _toml("Cargo.toml")["workspace"]["lints"]
    for lint in ("dbg_macro", "print_stdout", "print_stderr", "todo", "unwrap_used"):
        assert lints["clippy"][lint] == "warn"
    assert lints["rust"]["unsafe_code"] == "forbid"
    own = {
        "receiver-aws-defaults": lints,
        "standard-output": {**lints, "rust": {**lints["rust"], "unsafe_code": "deny"}},
    }
    for package in _packages():
        manifest = tomllib.loads(pathlib.Path(package["manifest_path"]).read_text())
        assert manifest["lints"] == own.get(package["name"], {"workspace": True}), package["name"]


def test_one_crate_uses_a_macro_with_unsafe_code_and_none_has_its_own():
    for folder in ("cli", "functions", "shared", "tests"):
        for path, text in _sources(folder):
            code = re.sub(r"//.*", "", text)
            own = code.replace("#[ctor(unsafe)]", "") if path == ROOT / "cli/standard-output/src/lib.rs" else code
            assert not re.search(r"\bunsafe\b|\ballow\(unsafe_code", own), path


# A comment is not in what TOML's parser returns, so this one reads lines.
@pytest.mark.parametrize(
    ("path", "section"), [("Cargo.toml", "[workspace.dependencies]"), (f"{_PEER_APART}/Cargo.toml", "[dependencies]")]
)
def test_every_dependency_says_what_it_is_for(path, section):
    manifest = (ROOT / path).read_text()
    lines = manifest.split(section)[1].split("\n[")[0].splitlines()
    for line in lines:
        if re.match(r"[a-z]", line) and "path = " not in line:
            assert " # " in line, line


def test_the_rules_of_the_model_are_the_functions_own():
    # What breaks a rule on purpose, to show that it is noticed, writes what no function does.
    broken = ROOT / "tests/model/src/proof/rules.rs"
    source = "".join(text for path, text in _sources("tests/model/src") if path != broken)
    # An outcome that is written by other means than the ledger's would go unchecked.
    for rule in (r"\.claim", r"\.finish", r"\.release", r"\.lease", r"\bmark\.write"):
        assert re.search(rf"{rule}\(", source), rule
    assert "Guard::Exchanged" in source
    assert "Condition::" not in source and "ConditionalWrite::only_if" not in source


def test_the_peer_apart_is_compiled_as_the_functions_are():
    assert _toml("Cargo.toml")["profile"]["release"] == _toml(f"{_PEER_APART}/Cargo.toml")["profile"]["release"]


@pytest.mark.parametrize("crate", ["lambda_runtime", "tokio", "hyper", "rustls", "ring", "serde_json"])
def test_the_peer_apart_has_the_same_versions(crate):
    ours, theirs = (
        [package["version"] for package in _toml(lock)["package"] if package["name"] == crate]
        for lock in ("Cargo.lock", f"{_PEER_APART}/Cargo.lock")
    )
    assert ours == theirs != []


@pytest.mark.parametrize("crate", ["sandbox", "system"])
def test_what_tests_from_outside_shares_no_code_with_what_it_tests(crate):
    packages = {package["name"]: package for package in _packages()}
    # Of every kind (also for tests, builds and some platforms), by the name of the package and not by what it is called here.
    used = {dependency["name"] for dependency in packages[crate]["dependencies"]}
    assert not used & (set(packages) - {"sandbox", "system"})


@pytest.mark.parametrize("path", sorted((ROOT / "events").glob("*.json")), ids=lambda path: path.name)
def test_a_sample_event_is_json_and_belongs_to_a_route_or_source(path, functions):
    event = json.loads(path.read_text())
    if "routeKey" in event:
        assert event["routeKey"] in _routes(functions)
    else:
        assert {record["eventSource"] for record in event["Records"]} <= {"aws:sqs", "aws:dynamodb"}


def test_every_way_into_a_function_has_a_sample(functions):
    events = [json.loads(path.read_text()) for path in (ROOT / "events").glob("*.json")]
    shown = {event["routeKey"] for event in events if "routeKey" in event}
    # HEAD is GET without a body.
    assert shown == {route for route in _routes(functions) if not route.startswith("HEAD ")}
    shown = {record["eventSource"] for event in events for record in event.get("Records", [])}
    assert shown == {"aws:sqs", "aws:dynamodb"}


def _features(edges):
    """What each crate is compiled with, by cargo's own reckoning: the features, by name and version."""
    command = ["cargo", "tree", "--locked", "--workspace", "--target", "x86_64-unknown-linux-gnu", "--prefix", "none"]
    command += ["--edges", edges, "--format", "{p}|{f}"]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    found = {}
    for crate, features in (line.removesuffix(" (*)").split("|") for line in lines if line):
        found.setdefault(crate, set()).add(features)
    return found


def test_a_build_without_tests_has_the_features_that_the_tests_have():
    with_tests = _features("normal,build,dev")
    for crate, features in _features("normal,build").items():
        assert features <= with_tests[crate], f"make up and make test compile {crate} once each; see tests/system/Cargo.toml"


# Where people's texts are chosen, and none is written: those are in shared/texts.
SPEAKERS = """
    functions/notifier/src/messages.rs functions/notifier/src/messages/connected.rs
    functions/token-keeper/src/confirmations/messages.rs
    functions/connect-link/src/pages.rs functions/connect-link/src/refusal.rs
    functions/callback-receiver/src/reply.rs functions/callback-receiver/src/refusal.rs
    functions/callback-receiver/src/confirmation.rs functions/connect-link/src/notice.rs
    shared/src/page.rs shared/src/page/brand.rs
""".split()


@pytest.mark.parametrize("path", SPEAKERS)
def test_no_text_for_people_stands_outside_of_the_catalogue(path):
    code = (ROOT / path).read_text().split("#[cfg(test)]")[0]
    code = re.sub(r"^ *//.*", "", code, flags=re.MULTILINE)
    code = re.sub(r'r(#+)".*?"\1', '""', code, flags=re.DOTALL)
    literals = re.findall(r'"((?:[^"\\]|\\.)*)"', code, flags=re.DOTALL)
    # What programs and operators read begins with a small letter, or with a name.
    assert not [text for text in literals if re.match(r"\W*(?!Salesforce )[A-Z]\w*[a-z](\W|$)", text)]


def test_the_languages_are_the_same_wherever_they_are_listed(template):
    files = {path.stem for path in (ROOT / "shared/texts").iterdir()}
    events = json.loads((ROOT / "docs/contract/events.schema.json").read_text())
    assert set(template["Parameters"]["DefaultLanguage"]["AllowedValues"]) == files
    assert set(events["$defs"]["Language"]["examples"]) == files
    said = (ROOT / "docs/API.md").read_text().split("### Languages")[1].split("\n\n")[1]
    assert set(re.findall(r"\(`([A-Za-z-]+)`\)", said)) == files


def test_the_sam_cli_reads_what_wasf_writes_into_samconfig():
    written = [(value, word) for value, word in json.loads((ROOT / "cli/src/samconfig/words.json").read_text()) if word is not None]
    program = "import json, sys; from samcli.cli.types import CfnParameterOverridesType as Type; print(json.dumps([Type().convert(each, None, None) for each in json.load(sys.stdin)]))"
    lists = [["First=1", f"Value={word}", "Last=2"] for _, word in written]
    said = subprocess.run([SAM, "-c", program], input=json.dumps(lists), capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == [{"First": "1", "Value": value, "Last": "2"} for value, _ in written]
