"""The template's stacks in one account: two with defaults, one deleted and deployed again, one from before, one whose
table was restored from a backup by the commands of docs/UPGRADE.md.

Their functions are never invoked, so any file is their code.
"""

import shlex

import emulator
import jmespath
import provision
import pytest
from conftest import Cloud, eventually, settled
from test_upgrade import TEMPLATE

USUAL = "whatsapp-salesforce-connect"
PLAIN_NAMES = {"TokenTableName": "salesforce_tokens", "AttemptTableName": "connection_attempts"}
UPGRADE = TEMPLATE.parent / "docs" / "UPGRADE.md"
ROW = {"wa_id": {"S": "whatsapp:+15551234567"}, "access_token": {"S": "token"}}


@pytest.fixture
def account(tmp_path, monkeypatch):
    """An account with nothing in it."""
    cloud = Cloud(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint(cloud.port))
    monkeypatch.setenv("AWS_DEFAULT_REGION", emulator.REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", emulator.ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", emulator.SECRET_ACCESS_KEY)
    yield Account(cloud, tmp_path)
    cloud.end()


class Account:
    def __init__(self, cloud, folder):
        self.cloud = cloud
        self.cloudformation, self.tables = cloud.client("cloudformation"), cloud.client("dynamodb")
        self.lambdas, self.keys = cloud.client("lambda"), cloud.client("kms")
        self.code = folder / "bootstrap"
        self.code.write_text("#!/bin/sh\n")

    def deploy(self, stack, **parameters):
        """Deploys with these parameters and the template's defaults; the outputs."""
        given = {"WhatsAppProvider": "None", **parameters}
        provision.deploy(stack, str(TEMPLATE), str(self.code), given)
        outputs = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def delete(self, stack):
        identity = self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        self.cloudformation.delete_stack(StackName=stack)
        assert eventually(lambda: settled(self.cloudformation, identity), 30)["StackStatus"] == "DELETE_COMPLETE"

    def resource(self, stack, name):
        found = self.cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=name)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def adoption(self, outputs, queues="-again"):
        """What `wasf init` finds for a stack whose tables are there."""
        stream = self.tables.describe_table(TableName=outputs["AttemptTableName"])["Table"]["LatestStreamArn"]
        names = {name: outputs[name] for name in PLAIN_NAMES}
        created = {"CreateTokenTable": "No", "CreateAttemptTable": "No"}
        return {**created, **names, "AttemptStreamArn": stream, "QueueNameSuffix": queues}

    def follow(self, commands, stack):
        """Runs commands of a document as a shell would: those of `aws`, variables, and `make deploy`."""
        variables = {}
        for line in commands.replace("\\\n", " ").splitlines():
            for name, value in variables.items():
                line = line.replace(f"${name}", value)
            variable, _, inner = line.partition("=$(")
            match shlex.split(inner.rstrip(")") if inner else line, comments=True):
                case ["aws", "dynamodb", *words]:
                    variables[variable if inner else "_"] = self._aws(*words)
                case ["make", "deploy", parameters]:
                    given = parameters.removeprefix("PARAMETERS=").split()
                    self.deploy(stack, **dict(each.split("=", 1) for each in given))
                case ["wasf", "doctor"]:
                    pass
                case other:
                    raise AssertionError(f"an unknown command: {other}")

    def _aws(self, operation, *words):
        """What `aws dynamodb` does with these words; the text that it prints."""
        if operation == "wait":
            waiter, *words = words
            return self.tables.get_waiter(waiter.replace("-", "_")).wait(**_arguments(words)) or ""
        arguments = _arguments(words)
        query, _ = arguments.pop("Query", None), arguments.pop("Output", None)
        answer = getattr(self.tables, operation.replace("-", "_"))(**arguments)
        return jmespath.search(query, answer) if query else ""


def _arguments(words):
    """`--table-name t --point-in-time …=true` as boto3 takes it."""
    given = {}
    for word in words:
        if word.startswith("--"):
            name = "".join(part.capitalize() for part in word.removeprefix("--").split("-"))
            given[name] = True
        elif "=" in word:
            pairs = (pair.split("=") for pair in word.split(","))
            given[name] = {key: {"true": True}.get(value, value) for key, value in pairs}
        else:
            given[name] = word
    return given


def documented(heading):
    """The first block of commands below this heading."""
    return UPGRADE.read_text().split(f"\n## {heading}\n")[1].split("```sh\n")[1].split("```")[0]


def names(outputs):
    return {name: outputs[name] for name in PLAIN_NAMES}


def test_two_stacks_with_defaults_have_tables_of_their_own(account):
    first, second = account.deploy(USUAL), account.deploy("shop")
    assert names(first) == PLAIN_NAMES
    assert names(second) == {"TokenTableName": "shop-salesforce_tokens", "AttemptTableName": "shop-connection_attempts"}


def test_a_stack_from_before_keeps_its_tables(account):
    """Its names were defaults, which a deployment that does not give them sends again; or it has the usual name."""
    old = account.deploy("older", **PLAIN_NAMES)
    account.tables.put_item(TableName=old["TokenTableName"], Item=ROW)
    table = account.resource("older", "TokenTable")
    previous = [{"ParameterKey": name, "UsePreviousValue": True} for name in ("WhatsAppProvider", *PLAIN_NAMES)]
    parameters = [*previous, {"ParameterKey": "LogLevel", "ParameterValue": "warn"}]
    body = {"UsePreviousTemplate": True, "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]}
    account.cloudformation.update_stack(StackName="older", Parameters=parameters, **body)
    assert eventually(lambda: settled(account.cloudformation, "older"), 30)["StackStatus"] == "UPDATE_COMPLETE"
    assert account.resource("older", "TokenTable") == table == "salesforce_tokens"
    assert account.tables.scan(TableName=table)["Items"] == [ROW]


def test_a_stack_of_the_usual_name_keeps_its_tables_even_by_defaults(account):
    account.deploy(USUAL, **PLAIN_NAMES)
    account.tables.put_item(TableName="salesforce_tokens", Item=ROW)
    empty = {name: "" for name in PLAIN_NAMES}
    assert names(account.deploy(USUAL, **empty, LogLevel="warn")) == PLAIN_NAMES
    assert account.tables.scan(TableName="salesforce_tokens")["Items"] == [ROW]


def test_a_deleted_stack_is_deployed_again_on_its_tables(account):
    before = account.deploy(USUAL)
    account.tables.put_item(TableName=before["TokenTableName"], Item=ROW)
    account.delete(USUAL)
    with pytest.raises(SystemExit, match="You must wait 60 seconds"):
        account.deploy(USUAL, **account.adoption(before, queues=""))
    account.cloudformation.delete_stack(StackName=USUAL)
    eventually(lambda: not provision._status(account.cloudformation, USUAL), 30)
    with pytest.raises(SystemExit, match="already exists"):
        account.deploy(USUAL, QueueNameSuffix="-second")
    account.cloudformation.delete_stack(StackName=USUAL)
    eventually(lambda: not provision._status(account.cloudformation, USUAL), 30)
    adopted = account.adoption(before)
    assert names(account.deploy(USUAL, **adopted)) == PLAIN_NAMES
    assert account.tables.scan(TableName="salesforce_tokens")["Items"] == [ROW]
    # And once more: a table that the stack only uses outlives it too.
    account.delete(USUAL)
    assert names(account.deploy(USUAL, **account.adoption(before, queues="-third"))) == PLAIN_NAMES


def test_of_a_deleted_stacks_keys_those_of_its_tables_stay(account):
    account.deploy(USUAL)
    keys = {name: account.resource(USUAL, name) for name in ("TokenKey", "EncryptionKey", "StateKey", "PkceKey", "LinkKey")}
    account.delete(USUAL)
    state = {name: account.keys.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for name, key in keys.items()}
    assert state == {
        **dict.fromkeys(("TokenKey", "EncryptionKey"), "Enabled"),
        **dict.fromkeys(("StateKey", "PkceKey", "LinkKey"), "PendingDeletion"),
    }


def test_a_restored_table_is_set_up_and_used_by_the_documented_commands(account):
    before = account.deploy(USUAL)
    attempt = {"attempt_id": {"S": "07070707070707070707070707070707"}, "status": {"S": "connected"}}
    account.tables.put_item(TableName="connection_attempts", Item=attempt)
    commands = documented("A table that was restored from a backup")
    restoring = commands.partition("aws dynamodb update-table")[0]
    account.follow(restoring, USUAL)
    assert settings(account, "connection_attempts_2") == {}
    account.tables.delete_table(TableName="connection_attempts_2")

    account.follow(commands, USUAL)
    assert settings(account, "connection_attempts_2") == settings(account, "connection_attempts")
    assert account.tables.scan(TableName="connection_attempts_2")["Items"] == [attempt]
    assert account.tables.scan(TableName="connection_attempts")["Items"] == [attempt], "the table that it replaces stays"
    stream = account.tables.describe_table(TableName="connection_attempts_2")["Table"]["LatestStreamArn"]
    mappings = account.lambdas.list_event_source_mappings(FunctionName=before["NotifierFunctionName"])["EventSourceMappings"]
    followed = {mapping["EventSourceArn"] for mapping in mappings}
    assert stream in followed and not any("/connection_attempts/" in source for source in followed)


def settings(account, table):
    """What a table has besides items, keys and encryption."""
    found = account.tables.describe_table(TableName=table)["Table"]
    expiry = account.tables.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    backups = account.tables.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    every = {
        "stream": found.get("StreamSpecification"),
        "protected": found.get("DeletionProtectionEnabled"),
        "expiry": expiry.get("AttributeName"),
        "recovery": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED",
    }
    return {name: value for name, value in every.items() if value}


def test_the_notifier_follows_a_table_that_was_adopted(account):
    before = account.deploy("old")
    account.delete("old")
    adopted = account.adoption(before)
    after = account.deploy("new", **adopted)
    mappings = account.lambdas.list_event_source_mappings(FunctionName=after["NotifierFunctionName"])
    assert adopted["AttemptStreamArn"] in {mapping["EventSourceArn"] for mapping in mappings["EventSourceMappings"]}


@pytest.mark.parametrize("missing", ["TokenTableName", "AttemptTableName", "AttemptStreamArn"])
def test_a_table_that_exists_is_used_only_by_its_name(account, missing):
    stream = f"arn:aws:dynamodb:{emulator.REGION}:000000000000:table/a/stream/2026"
    given = {"CreateTokenTable": "No", "TokenTableName": "t_1", "CreateAttemptTable": "No", "AttemptTableName": "a_1", "AttemptStreamArn": stream}
    del given[missing]
    with pytest.raises(Exception, match=f"needs {missing}"):
        account.deploy("stack", **given)
