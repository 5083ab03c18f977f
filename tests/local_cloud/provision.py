"""Deploys stacks into the emulator, with what an operator has set up around them, and reads their outputs.

Runs in MiniStack's virtual environment (boto3): a request in JSON on standard input, an answer in JSON on standard
output. What `sam deploy` would do takes it ten seconds; `make operate` has it do so.
"""

import hashlib
import io
import json
import pathlib
import sys
import time
import zipfile

import boto3
import yaml
from botocore.exceptions import ClientError

BOT = "whatsapp-bot"
CODE = "code"  # the bucket


def main():
    request = json.load(sys.stdin)
    answer = {"prepare": prepare, "deploy": deploy, "describe": describe}[request["do"]](**request["with"])
    json.dump(answer, sys.stdout)


def prepare(secrets, queue, bus):
    """Stores the secrets, and makes the bot's queue, its event bus and the user that the bot calls the API as."""
    for name, value in secrets.items():
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)
    sqs, iam = boto3.client("sqs"), boto3.client("iam")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    heard = _bus(sqs, bus)
    iam.create_user(UserName=BOT)
    key = iam.create_access_key(UserName=BOT)["AccessKey"]
    return {
        "bot_credentials": {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]},
        "bot_queue_arn": arn,
        "bot_queue_url": url,
        "event_bus_name": bus,
        "event_bus_target_url": heard,
    }


def _bus(sqs, name):
    """An event bus with a rule for everything of the stacks, as docs/EVENTS.md has it; returns the URL of its target, a queue."""
    url = sqs.create_queue(QueueName=f"{name}-target")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = boto3.client("events")
    events.create_event_bus(Name=name)
    pattern = json.dumps({"source": ["whatsapp-salesforce-connect"]})
    rule = events.put_rule(EventBusName=name, Name="connections", EventPattern=pattern)["RuleArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [allowed]})})
    events.put_targets(EventBusName=name, Rule="connections", Targets=[{"Id": "bot", "Arn": arn}])
    return url


def deploy(stack, template, bootstrap, parameters):
    """Creates or updates a stack: the SAM template, with each function's code from the file that `bootstrap` names."""
    document = yaml.load(pathlib.Path(template).read_text(), _Template)
    del document["Globals"]["Function"]["CodeUri"]
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=CODE)
    for logical_id, resource in document["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            binary = resource.pop("Metadata")["BuildProperties"]["Binary"]
            package = _package(pathlib.Path(bootstrap.format(logical_id=logical_id, binary=binary)))
            key = hashlib.sha256(package).hexdigest()
            s3.put_object(Bucket=CODE, Key=key, Body=package)
            resource["Properties"]["CodeUri"] = {"Bucket": CODE, "Key": key}
    s3.put_object(Bucket=CODE, Key=f"{stack}.json", Body=json.dumps(document))
    request = {
        "StackName": stack,
        "TemplateURL": f"{s3.meta.endpoint_url}/{CODE}/{stack}.json",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    }
    cloudformation = boto3.client("cloudformation")
    if _status(cloudformation, stack):
        try:
            cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
    else:
        cloudformation.create_stack(**request)
    while (status := _status(cloudformation, stack)).endswith("_IN_PROGRESS"):
        time.sleep(0.1)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        reasons = [f"{each['LogicalResourceId']}: {each['ResourceStatusReason']}" for each in events if each.get("ResourceStatusReason")]
        raise SystemExit("\n".join([f"the stack {stack} is {status}", *reasons]))


def _status(cloudformation, stack):
    """A stack's status; empty where it does not exist."""
    try:
        return cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return ""


def _package(binary):
    """A function's deployment package; the same bytes for the same binary."""
    archive, entry = io.BytesIO(), zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(entry, binary.read_bytes())
    return archive.getvalue()


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short functions, as their long forms."""


def _long_form(loader, name, node):
    construct = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
        yaml.MappingNode: lambda node: loader.construct_mapping(node, deep=True),
    }[type(node)]
    value = construct(node)
    if name == "GetAtt":
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Template.add_multi_constructor("!", _long_form)


def _map(domain, api):
    gateway = boto3.client("apigatewayv2")
    if not any(found["DomainName"] == domain for found in gateway.get_domain_names()["Items"]):
        certificate = boto3.client("acm").request_certificate(DomainName=domain)["CertificateArn"]
        configuration = {"CertificateArn": certificate, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
        gateway.create_domain_name(DomainName=domain, DomainNameConfigurations=[configuration])
    mapped = gateway.get_api_mappings(DomainName=domain)["Items"]
    if not any(mapping["ApiId"] == api for mapping in mapped):
        for mapping in mapped:
            gateway.delete_api_mapping(DomainName=domain, ApiMappingId=mapping["ApiMappingId"])
        gateway.create_api_mapping(DomainName=domain, ApiId=api, Stage="$default")


def describe(stack, domains):
    """Gives the stack's API these domains, if it has none yet, and the bot the stack's policy; returns the stack's outputs."""
    resources = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    (api,) = (
        resource["PhysicalResourceId"]
        for page in resources
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Api"
    )
    for domain in domains:
        _map(domain, api)
    (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    iam = boto3.client("iam")
    if any(user["UserName"] == BOT for user in iam.list_users()["Users"]):  # an account that is still empty has none
        iam.attach_user_policy(UserName=BOT, PolicyArn=outputs["BotPolicyArn"])
    return outputs


if __name__ == "__main__":
    main()
