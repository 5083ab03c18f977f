"""Puts into the emulator what an operator would have set up around the stack, and reads what the stack says.

Runs in MiniStack's virtual environment (boto3); `cloud.py` is its only caller: a request in JSON on standard input, an
answer in JSON on standard output.
"""

import json
import sys

import boto3

BOT = "whatsapp-bot"
# All that a bot needs on AWS: to ask for links. Reading tokens is a table's policy.
BOT_POLICY = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Action": "execute-api:Invoke",
        "Resource": "arn:aws:execute-api:*:*:*/*/POST/links",
    },
}


def main():
    request = json.load(sys.stdin)
    answer = {"prepare": prepare, "describe": describe}[request["do"]](**request["with"])
    json.dump(answer, sys.stdout)


def prepare(secrets, queue):
    """Stores the secrets, and makes the bot's queue and the user that the bot calls `POST /links` as."""
    for name, value in secrets.items():
        boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)
    sqs, iam = boto3.client("sqs"), boto3.client("iam")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    iam.create_user(UserName=BOT)
    iam.put_user_policy(UserName=BOT, PolicyName="links", PolicyDocument=json.dumps(BOT_POLICY))
    key = iam.create_access_key(UserName=BOT)["AccessKey"]
    return {
        "bot_credentials": {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]},
        "bot_queue_arn": arn,
        "bot_queue_url": url,
    }


def describe(stack, domain):
    """Gives the stack's API its own domain, if it has none yet, and returns the stack's outputs."""
    resources = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    (api,) = (
        resource["PhysicalResourceId"]
        for page in resources
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Api"
    )
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
    (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


if __name__ == "__main__":
    main()
