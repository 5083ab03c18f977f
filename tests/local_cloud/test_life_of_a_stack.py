"""The template's stacks in one account: two with defaults, one deleted and deployed again, one from before.

Their functions are never invoked, so any file is their code.
"""

import emulator
import provision
import pytest
from conftest import Cloud, eventually, settled
from test_upgrade import TEMPLATE

USUAL = "whatsapp-salesforce-connect"
PLAIN_NAMES = {"TokenTableName": "salesforce_tokens", "AttemptTableName": "connection_attempts"}
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
        self.cloudformation, self.tables = cloud.client("cloudformation"), cloud.client("dynamodb")
        self.lambdas = cloud.client("lambda")
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

    def adoption(self, outputs):
        """What `wasf init` finds for a stack whose tables are there."""
        stream = self.tables.describe_table(TableName=outputs["AttemptTableName"])["Table"]["LatestStreamArn"]
        names = {name: outputs[name] for name in PLAIN_NAMES}
        return {"CreateTokenTable": "No", "CreateAttemptTable": "No", "AttemptStreamArn": stream, **names}


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
    with pytest.raises(SystemExit, match="already exists"):
        account.deploy(USUAL)
    account.cloudformation.delete_stack(StackName=USUAL)
    eventually(lambda: not provision._status(account.cloudformation, USUAL), 30)
    adopted = account.adoption(before)
    assert names(account.deploy(USUAL, **adopted)) == PLAIN_NAMES
    assert account.tables.scan(TableName="salesforce_tokens")["Items"] == [ROW]
    # And once more: a table that the stack only uses outlives it too.
    account.delete(USUAL)
    assert names(account.deploy(USUAL, **adopted)) == PLAIN_NAMES


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
