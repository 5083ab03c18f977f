"""An emulator for the tests of its fixes, and stacks to put into it."""

import io
import itertools
import json
import os
import pathlib
import signal
import sys
import time
import urllib.error
import urllib.request
import zipfile

import boto3
import emulator
import processes
import pytest
from botocore.config import Config

ACCOUNT = "000000000000"
_WAIT_SECONDS, _DEPLOY_SECONDS = 8, 60
_BUSY = 5  # so many times slower a machine may be that does much else
_without_fix = False

# A function's binary: Lambda's Runtime API in a few lines, around a `handle(event)` that the test gives.
_BOOTSTRAP = """#!{python} -S
import http.client, json, os

{handler}

runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    invocation = runtime.getresponse()
    event = json.loads(invocation.read())
    with open({journal!r}, "a") as journal:
        journal.write(json.dumps(event) + "\\n")
    try:
        outcome, answer = "response", handle(event)
    except Exception as error:
        outcome, answer = "error", {{"errorType": "Failure", "errorMessage": str(error)}}
    path = f"/2018-06-01/runtime/invocation/{{invocation.headers['Lambda-Runtime-Aws-Request-Id']}}/{{outcome}}"
    runtime.request("POST", path, body=json.dumps(answer))
    runtime.getresponse().read()
"""


_running = set()


def _end_all(number, _frame):
    """Ends the emulators, which lead sessions of their own, where the tests are ended from outside."""
    for each in list(_running):
        each.end()
    os._exit(128 + number)


signal.signal(signal.SIGTERM, _end_all)


class Cloud:
    """One emulator process and the means to look into it."""

    def __init__(self, directory, without=(), account_concurrency=None):
        self.directory, self._numbers = directory, itertools.count(1)
        self.port = processes.free_port()
        settings = {"without": without, "account_concurrency": account_concurrency}
        self.process = emulator.start(sys.executable, self.port, directory, **settings)
        _running.add(self)
        processes.wait_until_ready(self.process, emulator.ready_url(self.port))
        self.client("s3").create_bucket(Bucket="code")

    def end(self):
        processes.end_group(self.process.pid)
        _running.discard(self)

    def client(self, service, key=(emulator.ACCESS_KEY_ID, emulator.SECRET_ACCESS_KEY), token=None):
        return boto3.client(
            service,
            region_name=emulator.REGION,
            endpoint_url=emulator.endpoint(self.port),
            aws_access_key_id=key[0],
            aws_secret_access_key=key[1],
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def deploy(self, resources, parameters=None, functions=None, role_statements=None, ends="CREATE_COMPLETE"):
        """Deploys resources until the stack's status is `ends`, with a role named `Role` and with functions given as source: name → handler."""
        stack = f"stack{next(self._numbers)}"
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        template = {
            "Transform": "AWS::Serverless-2016-10-31",
            "Parameters": {name: {"Type": "Number"} for name in parameters or {}},
            "Resources": {"Role": _role(role_statements or [everything]), **resources},
        }
        for name, handler in (functions or {}).items():
            properties = template["Resources"].setdefault(name, {"Type": "AWS::Serverless::Function"})
            properties.setdefault("Properties", {}).update(self._code(stack, name, handler))
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=stack,
            TemplateBody=json.dumps(template),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": str(value)} for name, value in (parameters or {}).items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        found = eventually(lambda: settled(cloudformation, stack), _DEPLOY_SECONDS)
        assert found["StackStatus"] == ends, found.get("StackStatusReason")
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
        return Stack(self, stack, {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries})

    def _code(self, stack, name, handler):
        archive, entry = io.BytesIO(), zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        journal = str(self.journal(stack, name))
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr(entry, _BOOTSTRAP.format(python=sys.executable, handler=handler, journal=journal))
        key = f"{stack}/{name}"
        self.client("s3").put_object(Bucket="code", Key=key, Body=archive.getvalue())
        return {
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "CodeUri": {"Bucket": "code", "Key": key},
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        }

    def journal(self, stack, name):
        return self.directory / f"{stack}-{name}.jsonl"


class Stack:
    """A deployed stack: physical ids by logical id."""

    def __init__(self, cloud, name, resources):
        self.cloud, self.name, self.resources = cloud, name, resources

    def __getitem__(self, logical_id):
        return self.resources[logical_id]

    def events(self, function):
        """What the function was invoked with so far."""
        journal = self.cloud.journal(self.name, function)
        return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []

    def get(self, path, api="Api", method="GET", headers=None):
        """Calls the API and returns status and body."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.cloud.port}{path}",
            method=method,
            headers={"Host": f"{self[api]}.execute-api.localhost", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def _role(statements):
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ]
            },
            "Policies": [{"PolicyName": "role", "PolicyDocument": {"Statement": statements}}],
        },
    }


def settled(cloudformation, stack):
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return None if found["StackStatus"].endswith("_IN_PROGRESS") else found


def eventually(condition, seconds=_WAIT_SECONDS):
    """Waits until the condition holds and returns it; fails the test if it does not.

    `seconds` is how long to wait without a fix, where it is expected never to hold. With every fix the limit is for a
    machine that is busy.
    """
    limit = seconds if _without_fix else seconds * _BUSY
    deadline = time.monotonic() + limit
    while not (value := condition()):
        assert time.monotonic() < deadline, f"did not happen within {limit} s"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """An emulator with every fix. Each file has its own: names need be unique in a file only, whoever runs beside."""
    running = Cloud(tmp_path_factory.mktemp("cloud"))
    yield running
    running.end()


@pytest.fixture
def cloud_without(tmp_path, monkeypatch):
    """Starts an emulator without the fixes named."""
    monkeypatch.setattr(sys.modules[__name__], "_without_fix", True)
    running = []

    def start(*names):
        running.append(Cloud(tmp_path, without=names))
        return running[-1]

    yield start
    for each in running:
        each.end()
