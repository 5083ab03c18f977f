"""The canary's own program, whole, on a local cloud: every step, what it prints, and that nothing is left.

What differs from AWS is `LocalCloud`: where the stand-in and the API are. Lambda's REPORT lines have no cold starts there, and
no alarm takes minutes.
"""

import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.request

import boto3
import canary
import pytest
from botocore.exceptions import BotoCoreError

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATE = json.loads(pathlib.Path(os.environ["LOCAL_CLOUD_STATE"]).read_text())
HERE = f"http://localhost:{STATE['ports']['emulator']}"


class LocalCloud(canary.World):
    """The local cloud, where names under `.localhost` do not resolve for functions."""

    def __init__(self):
        self.strangers, self.url = [], ""

    def url_of_stand_in(self, url):
        self.url = f"{HERE}/_aws/lambda-url/{url.split('//')[1].split('.')[0]}"
        return self.url

    def parameters(self):
        return {"CallbackUri": f"{HERE}/callback"}

    def prepare(self, stack):
        request = json.dumps({"do": "describe", "with": {"stack": stack, "domains": ["localhost"]}})
        python = ROOT / ".local/venv-ministack/bin/python"
        subprocess.run([python, ROOT / "tests/local_cloud/provision.py"], input=request, text=True, check=True, capture_output=True)
        self.strangers = [_stranger(self.url, *each) for each in STRANGERS]


# Requests of somebody who does not know this run's secrets.
STRANGERS = [
    ("GET", "/services/oauth2/authorize?client_id=x&response_type=code", None),
    ("POST", "/services/oauth2/authorize?client_id=x&response_type=code", "password=x"),
    ("POST", "/services/oauth2/token", "grant_type=authorization_code&code=x&client_id=x&client_secret=x"),
    ("GET", "/services/oauth2/userinfo", None),
    ("POST", "/services/oauth2/revoke", "token=x"),
    ("POST", "/services/oauth2/introspect", "token=x"),
    ("POST", "/bot", "{}"),
    ("POST", "/2010-04-01/Accounts/AC0/Messages.json", "To=x"),
    ("GET", "/", None),
]


def _stranger(url, method, path, body):
    request = urllib.request.Request(url + path, body and body.encode(), method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(autouse=True)
def account(monkeypatch):
    credentials = STATE["credentials"]
    settings = {
        "AWS_ENDPOINT_URL": STATE["endpoint"],
        "AWS_REGION": STATE["region"],
        "AWS_DEFAULT_REGION": STATE["region"],
        "AWS_ACCESS_KEY_ID": credentials["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": credentials["secret_access_key"],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "BUILT": str(ROOT / ".local/build"),
        "CONFIRM": "1",
        "PEOPLE": "2",
        "SAM": str(ROOT / ".local/venv-tools/bin/sam"),
        "SAM_CLI_TELEMETRY": "0",
        "WASF": str(ROOT / "target" / f"{os.uname().machine}-unknown-linux-gnu" / "debug" / "wasf"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(canary.measurements, "_LATE_SECONDS", 0)
    boto3.setup_default_session()


def _left():
    """What a run has left in the account."""
    stacks = [each["StackName"] for each in boto3.client("cloudformation").describe_stacks()["Stacks"]]
    secrets = [each["Name"] for each in boto3.client("secretsmanager").list_secrets()["SecretList"]]
    kms = boto3.client("kms")
    keys = [each["KeyId"] for each in kms.list_keys()["Keys"]]
    tables = boto3.client("dynamodb").list_tables()["TableNames"]
    return {
        "stacks": [name for name in stacks if name.startswith("wasf-canary-")],
        "secrets": [name for name in secrets if name.startswith("wasf-canary-")],
        "tables": [name for name in tables if name.startswith("wasf-canary-")],
        "keys": [key for key in keys if kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion"],
        "code": _code(),
    }


def _code():
    s3 = boto3.client("s3")
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"].startswith("aws-sam-cli-managed-default")]
    return [each["Key"] for bucket in buckets for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


NOTHING = {"stacks": [], "secrets": [], "tables": [], "keys": [], "code": []}


def test_a_run_finds_all_well_and_leaves_nothing(capsys):
    world = LocalCloud()
    code = canary.main(world)
    out, err = capsys.readouterr()
    with capsys.disabled():
        print(out, err)
    assert code == 0, out + err
    assert _left() == NOTHING
    for step in ("deploy stand in", "diagnose", "connect", "refresh", "redrive", "end", "alarms"):
        assert f"\n{step:24}ok" in out, step
    assert "2 connected" in out and "message at WhatsApp" in out
    assert all(status in (400, 401, 403, 404) for status in world.strangers), world.strangers


def test_a_run_that_fails_says_where_and_leaves_nothing(capsys, monkeypatch):
    monkeypatch.setenv("SAM", "false")
    code = canary.main(LocalCloud())
    out, _ = capsys.readouterr()
    assert code == 1
    assert f"\n{'deploy':24}FAILED" in out and "sam deploy ended with 1" in out
    assert _left() == NOTHING


def test_nothing_is_done_before_it_is_confirmed(capsys, monkeypatch):
    monkeypatch.delenv("CONFIRM")
    monkeypatch.setattr("builtins.input", lambda _prompt: "no")
    assert canary.main(LocalCloud()) == 2
    out, _ = capsys.readouterr()
    assert f"Account 000000000000, Region {STATE['region']}" in out
    assert _left() == NOTHING


def test_what_cannot_be_removed_is_named(capsys, monkeypatch):
    monkeypatch.setenv("SAM", "false")

    def refuse(_secret):
        raise BotoCoreError

    with monkeypatch.context() as broken:
        broken.setattr("removal._delete_secret", refuse)
        code = canary.main(LocalCloud())
    _, err = capsys.readouterr()
    assert code == 1 and "NOT REMOVED: secret wasf-canary-" in err
    for secret in _left()["secrets"]:
        boto3.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def test_what_a_run_that_was_killed_has_left_is_removed_by_its_name(capsys, monkeypatch):
    name = "wasf-canary-0123abcd"
    boto3.client("secretsmanager").create_secret(Name=f"{name}/whatsapp", SecretString="{}")
    monkeypatch.setenv("REMOVE", name)
    assert canary.main(LocalCloud()) == 0
    assert f"Removes {name} and" in capsys.readouterr().out
    assert _left() == NOTHING


def test_nothing_but_a_canary_is_removed(monkeypatch):
    monkeypatch.setenv("REMOVE", "whatsapp-salesforce-connect")
    monkeypatch.setattr(canary, "remove", lambda name: pytest.fail(f"{name} is no canary"))
    assert canary.main(LocalCloud()) == 2
