"""Each fix restores one behaviour of AWS: it is there with the fix, and missing without it.

The functions in these tests are a few lines of Python behind the real Runtime API; see `conftest.py`.
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from conftest import ACCOUNT, eventually, settled
from emulator import ACCESS_KEY_ID, HERE, REGION, SECRET_ACCESS_KEY

EXPECTATIONS = {}


def expectation(function):
    """Registers what holds on AWS, under the name of the fix that restores it."""
    EXPECTATIONS[function.__name__] = function
    return function


@pytest.mark.parametrize("fix", EXPECTATIONS)
def test_behaves_as_aws(fix, cloud):
    EXPECTATIONS[fix](cloud)


@pytest.mark.parametrize("fix", EXPECTATIONS)
def test_does_not_without_the_fix(fix, cloud_without):
    with pytest.raises((AssertionError, ClientError, urllib.error.HTTPError)):
        EXPECTATIONS[fix](cloud_without(fix))


def test_every_fix_has_an_expectation():
    command = [sys.executable, "-c", "import fixes; print(*fixes.names())"]
    listed = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout.split()
    assert set(listed) == set(EXPECTATIONS)


ANSWER = 'def handle(event): return {"statusCode": 200, "body": "hello"}'
FAIL = 'def handle(event): raise ValueError("inner detail")'
NOTHING = "def handle(event): return None"


def api(**properties):
    return {"Type": "AWS::Serverless::HttpApi", "Properties": properties}


def function(*routes, auth=None, **properties):
    """A function behind routes such as `GET /hello`, or `$default`."""
    events = {}
    for number, route in enumerate(routes):
        method, _, path = route.partition(" ")
        event = {"ApiId": {"Ref": "Api"}, **({"Method": method, "Path": path} if path else {})}
        if auth:
            event["Auth"] = {"Authorizer": auth}
        events[f"Route{number}"] = {"Type": "HttpApi", "Properties": event}
    return {"Type": "AWS::Serverless::Function", "Properties": {"Events": events, **properties}}


def queue(**properties):
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def table(**properties):
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            **properties,
        },
    }


def queue_mapping(**properties):
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
            "FunctionName": {"Ref": "Function"},
            **properties,
        },
    }


def stream_mapping(**properties):
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": {"Fn::GetAtt": ["Table", "StreamArn"]},
            "FunctionName": {"Ref": "Function"},
            "StartingPosition": "TRIM_HORIZON",
            **properties,
        },
    }


STREAM = {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def arn_of(cloud, queue_url):
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return attributes["Attributes"]["QueueArn"]


def waiting(cloud, queue_url):
    names = ["ApproximateNumberOfMessages"]
    found = cloud.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
    return int(found["Attributes"][names[0]])


def log_lines(cloud, group):
    return [event["message"] for event in cloud.client("logs").filter_log_events(logGroupName=group)["events"]]


# API Gateway


@expectation
def http_api_body(cloud):
    stack = cloud.deploy(
        {
            "Api": api(Auth={"EnableIamAuthorizer": True}),
            "Open": function("GET /open/{name}"),
            "Secured": function("POST /secured", auth="AWS_IAM"),
        },
        functions={"Open": ANSWER, "Secured": ANSWER},
    )
    assert stack.get("/open/door") == (200, "hello")
    assert stack.events("Open")[0]["pathParameters"] == {"name": "door"}
    assert stack.get("/open/door", method="POST") == (404, '{"message":"Not Found"}')
    assert stack.get("/open/door", method="HEAD")[0] == 404, "a GET route does not answer HEAD"
    assert stack.get("/secured", method="POST")[0] == 403
    assert stack.events("Secured") == []
    rest = cloud.deploy(
        {"Api": api(Auth={"EnableIamAuthorizer": True}), "Rest": function("$default"), "Secured": function("POST /secured", auth="AWS_IAM")},
        functions={"Rest": ANSWER, "Secured": ANSWER},
    )
    assert rest.get("/missing") == (200, "hello")
    assert rest.events("Rest")[0]["routeKey"] == "$default"
    assert rest.get("/secured", method="POST")[0] == 403, "it opens no route"


@expectation
def domain_localhost(cloud):
    stack = cloud.deploy({"Api": api(), "Open": function("GET /open/{name}")}, functions={"Open": ANSWER})
    gateway = cloud.client("apigatewayv2")
    if not any(found["DomainName"] == "localhost" for found in gateway.get_domain_names()["Items"]):
        gateway.create_domain_name(DomainName="localhost")
    gateway.create_api_mapping(DomainName="localhost", ApiId=stack["Api"], Stage="$default")
    address = f"http://localhost:{cloud.port}"
    with urllib.request.urlopen(f"{address}/open/door", timeout=10) as answer:
        assert answer.read() == b"hello"
    s3 = boto3.client("s3", endpoint_url=address, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["code"], "AWS itself is still there"


@expectation
def http_api_import_warnings(cloud):
    def deploy(path, ends, **properties):
        cloud.deploy({"Api": api(**properties), "Open": function(f"GET {path}")}, functions={"Open": ANSWER}, ends=ends)

    deploy("/open/{name}", "CREATE_COMPLETE")
    deploy("/open", "CREATE_COMPLETE", FailOnWarnings=True)
    deploy("/open/{name}", "ROLLBACK_COMPLETE", FailOnWarnings=True)


@expectation
def http_api_errors(cloud):
    stack = cloud.deploy(
        {"Api": api(), "Failing": function("GET /fails"), "Full": function("GET /full")},
        functions={"Failing": FAIL, "Full": ANSWER},
    )
    cloud.client("lambda").put_function_concurrency(FunctionName=stack["Full"], ReservedConcurrentExecutions=0)
    assert stack.get("/fails") == (500, '{"message":"Internal Server Error"}')
    assert stack.get("/full") == (503, '{"message":"Service Unavailable"}')


@expectation
def http_api_empty_body(cloud):
    redirect = "def handle(event): return {'statusCode': 303, 'headers': {}, 'body': None}"
    stack = cloud.deploy({"Api": api(), "Function": function("GET /")}, functions={"Function": redirect})
    assert stack.get("/") == (303, "")


@expectation
def http_api_request_cookies(cloud):
    stack = cloud.deploy({"Api": api(), "Function": function("GET /")}, functions={"Function": ANSWER})
    stack.get("/", headers={"Cookie": "first=1; second=2"})
    stack.get("/", headers={"Cookie": "\xa0first=1;\t second=2;\x85third=3"})
    stack.get("/")
    with_cookies, with_white_space, without = stack.events("Function")
    assert with_cookies.get("cookies") == ["first=1", "second=2"]
    assert "cookie" not in with_cookies["headers"]
    # White space of other kinds belongs to a cookie's name.
    first, second, third = with_white_space.get("cookies")
    assert (first.endswith("first=1"), second, third.endswith("third=3")) == (True, "second=2", True)
    assert first != "first=1" and third != "third=3"
    assert "cookies" not in without


@expectation
def http_api_throttling(cloud):
    limits = {"ThrottlingRateLimit": 1, "ThrottlingBurstLimit": 3}
    stack = cloud.deploy(
        {"Api": api(DefaultRouteSettings=limits), "Function": function("GET /", "GET /other")},
        functions={"Function": ANSWER},
    )
    answers = [stack.get("/") for _ in range(5)]
    assert answers[0] == (200, "hello")
    assert answers[-1] == (429, '{"message":"Too Many Requests"}')
    assert stack.get("/other")[0] == 200, "each route has its own limit"


@expectation
def http_api_access_log(cloud):
    log_format = "$context.requestId $context.httpMethod $context.routeKey $context.status $context.authorizer.error"
    settings = {"DestinationArn": {"Fn::GetAtt": ["Log", "Arn"]}, "Format": log_format}
    stack = cloud.deploy(
        {
            "Log": {"Type": "AWS::Logs::LogGroup"},
            "Api": api(AccessLogSettings=settings),
            "Function": function("GET /{name}"),
        },
        functions={"Function": ANSWER},
    )
    stack.get("/a?secret=1")
    stack.get("/b/c")
    request_id = stack.events("Function")[0]["requestContext"]["requestId"]
    lines = log_lines(cloud, stack["Log"])
    assert len(lines) == 2
    found, missing = lines
    assert found == f"{request_id} GET GET /{{name}} 200 -"
    assert missing.endswith(" GET - 404 -")


@expectation
def saved_queries(cloud):
    query = {"Name": "all", "QueryString": "fields @message", "LogGroupNames": [{"Ref": "Log"}]}
    stack = cloud.deploy(
        {"Log": {"Type": "AWS::Logs::LogGroup"}, "Query": {"Type": "AWS::Logs::QueryDefinition", "Properties": query}}
    )
    found = cloud.client("logs").describe_query_definitions()["queryDefinitions"]
    assert [(each["name"], each["logGroupNames"]) for each in found] == [("all", [stack["Log"]])]


@expectation
def reading_while_functions_write(cloud):
    handler = "import time\ndef handle(event): time.sleep(event)"
    name = cloud.deploy({}, functions={"Function": handler})["Function"]
    invoke, logs, group = cloud.client("lambda").invoke, cloud.client("logs"), f"/aws/lambda/{name}"
    invoke(FunctionName=name, Payload="0")
    # Enough of them for a walk through the group to take longer than a thread keeps the interpreter.
    event = {"timestamp": int(time.time() * 1000), "message": "a line"}
    for number in range(20):
        stream = f"of another time {number}"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event] * 10_000)
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            writing = [threads.submit(invoke, FunctionName=name, Payload=str(wait / 50)) for wait in range(8)]
            found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
            assert [each["logGroupName"] for each in found] == [group]
            for each in writing:
                each.result()


@expectation
def pages_of_log_events(cloud):
    logs, group, stream = cloud.client("logs"), "searched", "stream"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    lines = [f"line {number}" for number in range(10_002)]
    for some in (lines[:6_000], lines[6_000:]):
        events = [{"timestamp": now + int(line.split()[1]) // 5, "message": line} for line in some]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    search = logs.get_paginator("filter_log_events").paginate
    pages = [[event["message"] for event in page["events"]] for page in search(logGroupName=group)]
    assert [len(page) for page in pages] == [10_000, 2] and sum(pages, []) == lines
    few = search(logGroupName=group, filterPattern="9999", limit=1)
    assert [event["message"] for page in few for event in page["events"]] == ["line 9999"]
    times = search(logGroupName=group, endTime=now, limit=2)
    assert [event["message"] for page in times for event in page["events"]] == lines[:5]


# IAM


@expectation
def secure_transport(cloud):
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Statement": [deny]}}
    stack = cloud.deploy({"Queue": queue(), "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": policy}})
    cloud.client("sqs").send_message(QueueUrl=stack["Queue"], MessageBody="hello")


@expectation
def principal_of_a_role_session(cloud):
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": {"Fn::GetAtt": ["Role", "Arn"]}}},
    }
    policy = {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Statement": [deny]}}
    stack = cloud.deploy({"Queue": queue(), "Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": policy}})
    role = f"arn:aws:iam::{ACCOUNT}:role/{stack['Role']}"
    given = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="sender")["Credentials"]
    sqs = cloud.client("sqs", (given["AccessKeyId"], given["SecretAccessKey"]), given["SessionToken"])
    sqs.send_message(QueueUrl=stack["Queue"], MessageBody="hello")


@expectation
def batches_of_messages(cloud):
    stack = cloud.deploy({"Queue": queue()})
    iam = cloud.client("iam")
    iam.create_user(UserName="sender")
    allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    iam.put_user_policy(UserName="sender", PolicyName="send", PolicyDocument=json.dumps({"Statement": [allow]}))
    made = iam.create_access_key(UserName="sender")["AccessKey"]
    sqs = cloud.client("sqs", (made["AccessKeyId"], made["SecretAccessKey"]))
    sqs.send_message_batch(QueueUrl=stack["Queue"], Entries=[{"Id": "1", "MessageBody": "hello"}])
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.delete_message_batch(QueueUrl=stack["Queue"], Entries=[{"Id": "1", "ReceiptHandle": "any"}])


@expectation
def kms_condition_keys(cloud):
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    iam = cloud.client("iam")
    iam.create_user(UserName="sealer")
    allow = {
        "Effect": "Allow",
        "Action": "kms:Encrypt",
        "Resource": key,
        "Condition": {"StringEquals": {"kms:EncryptionContext:purpose": "link"}},
    }
    iam.put_user_policy(UserName="sealer", PolicyName="seal", PolicyDocument=json.dumps({"Statement": [allow]}))
    made = iam.create_access_key(UserName="sealer")["AccessKey"]
    kms = cloud.client("kms", (made["AccessKeyId"], made["SecretAccessKey"]))
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.encrypt(KeyId=key, Plaintext=b"hello", EncryptionContext={"purpose": "other"})
    kms.encrypt(KeyId=key, Plaintext=b"hello", EncryptionContext={"purpose": "link"})


@expectation
def simulated_context(cloud):
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    allow = {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": key,
        "Condition": {"StringEquals": {"kms:ViaService": ["sqs.amazonaws.com", "dynamodb.amazonaws.com"]}},
    }
    iam.put_role_policy(RoleName="reader", PolicyName="read", PolicyDocument=json.dumps({"Statement": [allow]}))

    def decisions(*values):
        entry = {"ContextKeyName": "kms:ViaService", "ContextKeyValues": list(values), "ContextKeyType": "string"}
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role,
            ActionNames=["kms:Decrypt", "kms:Encrypt"],
            ResourceArns=[key],
            ContextEntries=[entry] if values else [],
        )
        return [result["EvalDecision"] for result in answer["EvaluationResults"]]

    assert decisions("sqs.amazonaws.com") == ["allowed", "implicitDeny"]
    assert decisions("s3.amazonaws.com") == ["implicitDeny", "implicitDeny"]
    assert decisions() == ["implicitDeny", "implicitDeny"]


# Event source mappings


@expectation
def mapping_numbers(cloud):
    scaling = {"MaximumConcurrency": {"Ref": "Concurrency"}}
    stack = cloud.deploy(
        {"Queue": queue(), "Mapping": queue_mapping(ScalingConfig=scaling, BatchSize={"Ref": "Batch"})},
        parameters={"Concurrency": 2, "Batch": 1},
        functions={"Function": NOTHING},
    )
    cloud.client("sqs").send_message(QueueUrl=stack["Queue"], MessageBody="hello")
    eventually(lambda: stack.events("Function"))


@expectation
def mapping_permissions(cloud):
    read = {"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:GetQueueAttributes"], "Resource": "*"}
    delete = {"Effect": "Allow", "Action": "sqs:DeleteMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}
    resources = {"Queue": queue(), "Mapping": queue_mapping()}
    cloud.deploy(dict(resources), functions={"Function": NOTHING}, role_statements=[read, delete])
    cloud.deploy(dict(resources), functions={"Function": NOTHING}, role_statements=[read], ends="ROLLBACK_COMPLETE")


@expectation
def filter_absent_fields(cloud):
    pattern = {"dynamodb": {"NewImage": {"status": {"S": ["done"]}, "notified_at": {"N": [{"exists": False}]}}}}
    stack = cloud.deploy(
        {
            "Table": table(StreamSpecification=STREAM),
            "Mapping": stream_mapping(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]}),
        },
        functions={"Function": NOTHING},
    )
    items = cloud.client("dynamodb")
    for item in (
        {"id": {"S": "told"}, "status": {"S": "done"}, "notified_at": {"N": "1"}},
        {"id": {"S": "open"}, "status": {"S": "doing"}},
        {"id": {"S": "without"}},
        {"id": {"S": "due"}, "status": {"S": "done"}},
    ):
        items.put_item(TableName=stack["Table"], Item=item)
    eventually(lambda: stack.events("Function"))
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in stack.events("Function")[0]["Records"]] == ["due"]


@expectation
def sqs_invalid_partial_responses(cloud):
    handler = """
first = True
def handle(event):
    global first
    failures = [{"itemIdentifier": ""}] if first else []
    first = False
    return {"batchItemFailures": failures}
"""
    stack = cloud.deploy(
        {
            "Queue": queue(VisibilityTimeout=1),
            "Mapping": queue_mapping(FunctionResponseTypes=["ReportBatchItemFailures"]),
        },
        functions={"Function": handler},
    )
    cloud.client("sqs").send_message(QueueUrl=stack["Queue"], MessageBody="hello")
    eventually(lambda: len(stack.events("Function")) == 2, seconds=5)


@expectation
def stream_mappings(cloud):
    # Of the items 0 to 5, item 3 fails whenever it is seen.
    handler = """
def handle(event):
    failed = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]
              if record["dynamodb"]["Keys"]["id"]["S"] == "3"]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
"""
    stack = cloud.deploy(
        {
            "Failures": queue(),
            "Table": table(StreamSpecification=STREAM),
            "Mapping": stream_mapping(
                Enabled=False,
                BatchSize=10,
                FunctionResponseTypes=["ReportBatchItemFailures"],
                BisectBatchOnFunctionError=True,
                MaximumRetryAttempts={"Ref": "Retries"},
                DestinationConfig={"OnFailure": {"Destination": {"Fn::GetAtt": ["Failures", "Arn"]}}},
            ),
        },
        parameters={"Retries": 1},
        functions={"Function": handler},
    )
    for number in range(6):
        cloud.client("dynamodb").put_item(TableName=stack["Table"], Item={"id": {"S": str(number)}})
    cloud.client("lambda").update_event_source_mapping(UUID=stack["Mapping"], Enabled=True)
    eventually(lambda: waiting(cloud, stack["Failures"]))

    def deliveries():
        return [
            "".join(record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"])
            for event in stack.events("Function")
        ]

    eventually(lambda: deliveries()[-1] == "45")
    # From the failed record on; then split until it stands alone; then once more; then the rest.
    assert deliveries() == ["012345", "345", "3", "3", "45"]
    (message,) = cloud.client("sqs").receive_message(QueueUrl=stack["Failures"])["Messages"]
    pointer = json.loads(message["Body"])
    assert pointer["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert pointer["DDBStreamBatchInfo"]["batchSize"] == 1


# Functions


@expectation
def reserved_concurrency(cloud):
    stack = cloud.deploy(
        {"Function": function(ReservedConcurrentExecutions={"Ref": "Limit"})},
        parameters={"Limit": 0},
        functions={"Function": ANSWER},
    )
    found = cloud.client("lambda").get_function_concurrency(FunctionName=stack["Function"])
    assert found.get("ReservedConcurrentExecutions") == 0
    with pytest.raises(ClientError, match="TooManyRequests"):
        cloud.client("lambda").invoke(FunctionName=stack["Function"])


def network():
    """A VPC with a subnet that is open to the internet."""
    return {
        "Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.66.0.0/24"}},
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Network"}, "CidrBlock": "10.66.0.0/28"}},
    }


@expectation
def reservations_leave_a_hundred(cloud):
    name = cloud.deploy({}, functions={"Reserving": NOTHING})["Reserving"]
    client = cloud.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=800)
    try:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901)
        code = None
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
    assert code == "InvalidParameterValueException"
    client.delete_function_concurrency(FunctionName=name)
    too_many = {"Type": "AWS::Serverless::Function", "Properties": {"ReservedConcurrentExecutions": 901}}
    cloud.deploy({"Greedy": too_many}, functions={"Greedy": NOTHING}, ends="ROLLBACK_COMPLETE")


@expectation
def function_networks(cloud):
    inside = {"SubnetIds": [{"Ref": "Subnet"}], "SecurityGroupIds": ["sg-1"]}
    stack = cloud.deploy({**network(), "Inside": function(VpcConfig=inside)}, functions={"Inside": ANSWER, "Outside": ANSWER})

    def found(name):
        return cloud.client("lambda").get_function_configuration(FunctionName=stack[name]).get("VpcConfig", {})

    assert (found("Inside").get("SubnetIds"), found("Inside").get("VpcId")) == ([stack["Subnet"]], stack["Network"])
    assert not found("Outside").get("SubnetIds")


# Networks


def address():
    return {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}}


@expectation
def elastic_ips(cloud):
    stack = cloud.deploy({"One": address(), "Other": address()})
    ec2 = cloud.client("ec2")
    found = {each["PublicIp"] for each in ec2.describe_addresses()["Addresses"]}
    assert {stack["One"], stack["Other"]} <= found and stack["One"] != stack["Other"]
    cloudformation = cloud.client("cloudformation")
    cloudformation.delete_stack(StackName=stack.name)
    eventually(lambda: not {stack["One"], stack["Other"]} & {each["PublicIp"] for each in ec2.describe_addresses()["Addresses"]})


@expectation
def nat_gateways(cloud):
    allocation = {"Fn::GetAtt": ["Address", "AllocationId"]}
    gateway = {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": {"Ref": "Subnet"}, "AllocationId": allocation}}
    stack = cloud.deploy({**network(), "Address": address(), "Gateway": gateway})
    ec2 = cloud.client("ec2")
    (found,) = ec2.describe_nat_gateways(NatGatewayIds=[stack["Gateway"]])["NatGateways"]
    assert (found["SubnetId"], found["VpcId"]) == (stack["Subnet"], stack["Network"])
    (used,) = (each for each in ec2.describe_addresses()["Addresses"] if each["PublicIp"] == stack["Address"])
    assert used.get("AssociationId")


@expectation
def deleted_functions_end(cloud):
    handler = "def handle(event): return {'process': os.getpid()}"
    stack = cloud.deploy({}, functions={"Function": handler})
    answer = cloud.client("lambda").invoke(FunctionName=stack["Function"])
    process = json.loads(answer["Payload"].read())["process"]
    assert _lives(process)
    cloud.client("cloudformation").delete_stack(StackName=stack.name)
    eventually(lambda: not _lives(process), seconds=5)


def _lives(process):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


@expectation
def updates_let_invocations_end(cloud):
    handler = """
import time
def handle(event):
    time.sleep(event)
    return {"process": os.getpid(), "word": os.environ.get("WORD")}
"""
    name = cloud.deploy({}, functions={"Function": handler})["Function"]

    def invoke(seconds):
        answer = cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(seconds))
        return json.loads(answer["Payload"].read())

    before = invoke(0)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(invoke, 2)
        time.sleep(0.5)
        cloud.client("lambda").update_function_configuration(
            FunctionName=name, Environment={"Variables": {"WORD": "new"}}
        )
        assert invoke(0)["word"] == "new"
        assert running.result() == before
    eventually(lambda: not _lives(before["process"]), seconds=5)


@expectation
def runtime_api_latency(cloud):
    assert _fastest_call(cloud, "def handle(event): print('a line', flush=True)") < 0.03


@expectation
def response_before_logs(cloud):
    assert _fastest_call(cloud, NOTHING) < 0.03

    lines = [f"line {number}" for number in range(3000)]
    handler = f"def handle(event): print(*{lines}, sep='\\n', flush=True)"
    name = cloud.deploy({}, functions={"Function": handler})["Function"]
    invoke, logs, group = cloud.client("lambda").invoke, cloud.client("logs"), f"/aws/lambda/{name}"
    invoke(FunctionName=name)
    with ThreadPoolExecutor() as threads:
        for running in [threads.submit(invoke, FunctionName=name) for _ in range(8)]:
            running.result()
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert len(streams) == 9
    for stream in streams:
        found = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
        printed = [event["message"] for event in found["events"] if event["message"].startswith("line")]
        assert printed == lines, "what an invocation printed is in its own log"


def _fastest_call(cloud, handler):
    stack, functions, seconds = cloud.deploy({}, functions={"Function": handler}), cloud.client("lambda"), []
    for _ in range(20):
        started = time.monotonic()
        functions.invoke(FunctionName=stack["Function"])
        seconds.append(time.monotonic() - started)
    return min(seconds)


# CloudFormation


@expectation
def split_in_conditions(cloud):
    cloudformation, name = cloud.client("cloudformation"), "split"
    first = {"Fn::Select": [0, {"Fn::Split": [":", {"Ref": "Bus"}]}]}
    template = {
        "Parameters": {"Bus": {"Type": "String", "Default": "arn:aws:events"}, "Other": {"Type": "String", "Default": ""}},
        "Conditions": {
            "IsArn": {"Fn::Equals": [first, "arn"]},
            "IsOther": {"Fn::Equals": [{"Fn::Select": [0, {"Fn::Split": [":", {"Ref": "Other"}]}]}, "arn"]},
        },
        "Resources": {"Queue": {**queue(), "Condition": "IsArn"}, "Topic": {"Type": "AWS::SNS::Topic", "Condition": "IsOther"}},
    }
    try:
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    except ResponseParserError as error:  # an internal error
        raise AssertionError from error
    assert eventually(lambda: settled(cloudformation, name))["StackStatus"] == "CREATE_COMPLETE"
    listed = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    assert {each["LogicalResourceId"] for each in listed} == {"Queue"}


@expectation
def stack_name_in_conditions(cloud):
    cloudformation, name = cloud.client("cloudformation"), "named"
    template = {
        "Conditions": {"IsNamed": {"Fn::Equals": [{"Ref": "AWS::StackName"}, name]}},
        "Resources": {"Queue": {**queue(), "Condition": "IsNamed"}, "Topic": {"Type": "AWS::SNS::Topic"}},
    }
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    assert eventually(lambda: settled(cloudformation, name))["StackStatus"] == "CREATE_COMPLETE"
    listed = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    assert {each["LogicalResourceId"] for each in listed} == {"Queue", "Topic"}


# Secrets Manager


@expectation
def secret_ref(cloud):
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "value"}}
    stack = cloud.deploy({"Secret": secret})
    assert stack["Secret"].startswith(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:")
    assert cloud.client("secretsmanager").get_secret_value(SecretId=stack["Secret"])["SecretString"] == "value"


@expectation
def secret_decryption(cloud):
    key, secrets = cloud.client("kms").create_key()["KeyMetadata"]["Arn"], cloud.client("secretsmanager")
    secret = secrets.create_secret(Name="sealed", SecretString="value", KmsKeyId=key)["ARN"]
    iam = cloud.client("iam")
    iam.create_user(UserName="reader")
    read = {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}

    def allow(*statements):
        policy = json.dumps({"Statement": [read, *statements]})
        iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)

    def decrypt(service):
        through = {"StringEquals": {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}}
        return {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key, "Condition": through}

    allow()
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    theirs = cloud.client("secretsmanager", (made["AccessKeyId"], made["SecretAccessKey"]))

    def read_alone():
        try:
            return theirs.get_secret_value(SecretId=secret)["SecretString"]
        except ClientError as error:
            return error.response["Error"]["Message"]

    for statements in ([], [decrypt("dynamodb")]):
        allow(*statements)
        assert read_alone() == "Access to KMS is not allowed"
        (error,) = theirs.batch_get_secret_value(SecretIdList=[secret])["Errors"]
        assert error["ErrorCode"] == "AccessDeniedException"
    allow(decrypt("secretsmanager"))
    assert read_alone() == "value"
    assert theirs.batch_get_secret_value(SecretIdList=[secret])["SecretValues"][0]["SecretString"] == "value"


@expectation
def encryption_at_rest(cloud):
    key, iam = cloud.client("kms").create_key()["KeyMetadata"]["Arn"], cloud.client("iam")
    encrypted = table(SSESpecification={"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key})
    stack = cloud.deploy({"Queue": queue(KmsMasterKeyId=key), "Table": encrypted})
    iam.create_user(UserName="user")
    use = {"Effect": "Allow", "Action": ["sqs:*", "dynamodb:*"], "Resource": "*"}
    made = iam.create_access_key(UserName="user")["AccessKey"]
    theirs = {name: cloud.client(name, (made["AccessKeyId"], made["SecretAccessKey"])) for name in ("sqs", "dynamodb")}

    def refusals(service, *actions):
        """What a user is refused who may use the key for these actions, through this service."""
        through = {"StringEquals": {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}}
        with_key = {"Effect": "Allow", "Action": list(actions) or "kms:Verify", "Resource": key, "Condition": through}
        iam.put_user_policy(UserName="user", PolicyName="use", PolicyDocument=json.dumps({"Statement": [use, with_key]}))
        item = {"id": {"S": "1"}}
        calls = {
            "send": lambda: theirs["sqs"].send_message(QueueUrl=stack["Queue"], MessageBody="x"),
            "receive": lambda: theirs["sqs"].receive_message(QueueUrl=stack["Queue"]),
            "put": lambda: theirs["dynamodb"].put_item(TableName=stack["Table"], Item=item),
            "get": lambda: theirs["dynamodb"].get_item(TableName=stack["Table"], Key=item),
            "write": lambda: theirs["dynamodb"].transact_write_items(TransactItems=[{"Put": {"TableName": stack["Table"], "Item": item}}]),
            "count": lambda: theirs["sqs"].get_queue_attributes(QueueUrl=stack["Queue"], AttributeNames=["All"]),
        }
        return {name for name, call in calls.items() if _is_denied(call)}

    everything = {"send", "receive", "put", "get", "write"}
    assert refusals("sqs") == everything
    assert refusals("sqs", "kms:Decrypt") == everything - {"receive"}
    assert refusals("sqs", "kms:GenerateDataKey", "kms:Decrypt") == everything - {"receive", "send"}
    assert refusals("dynamodb", "kms:GenerateDataKey", "kms:Decrypt") == {"send", "receive"}


def _is_denied(call):
    try:
        call()
    except ClientError as error:
        assert "AccessDenied" in error.response["Error"]["Code"], error
        return True
    return False


# DynamoDB


@expectation
def table_time_to_live(cloud):
    specification = {"AttributeName": "expires_at", "Enabled": True}
    stack = cloud.deploy({"Table": table(TimeToLiveSpecification=specification)})
    found = cloud.client("dynamodb").describe_time_to_live(TableName=stack["Table"])["TimeToLiveDescription"]
    assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


@expectation
def table_point_in_time_recovery(cloud):
    specification = {"PointInTimeRecoveryEnabled": True}
    stack = cloud.deploy({"Table": table(PointInTimeRecoverySpecification=specification)})
    found = cloud.client("dynamodb").describe_continuous_backups(TableName=stack["Table"])
    recovery = found["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


@expectation
def table_encryption(cloud):
    specification = {"SSEEnabled": True, "SSEType": "KMS"}
    stack = cloud.deploy({"Table": table(SSESpecification=specification)})
    found = cloud.client("dynamodb").describe_table(TableName=stack["Table"])["Table"]
    assert found.get("SSEDescription", {}).get("Status") == "ENABLED"


@expectation
def deleted_queue_name_blocked(cloud):
    sqs, cloudformation = cloud.client("sqs"), cloud.client("cloudformation")
    first = cloud.deploy({"Queue": queue(QueueName="of-a-stack")})
    cloudformation.delete_stack(StackName=first.name)
    eventually(lambda: first.name not in _stacks(cloudformation))
    cloud.deploy({"Queue": queue(QueueName="of-a-stack-2")})
    cloud.deploy({"Queue": queue(QueueName="of-a-stack")}, ends="ROLLBACK_COMPLETE")
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName="of-a-person")["QueueUrl"])
    with pytest.raises(ClientError, match="must wait 60 seconds"):
        sqs.create_queue(QueueName="of-a-person")


@expectation
def existing_table_refused(cloud):
    kept = {**table(TableName="kept"), "DeletionPolicy": "Retain"}
    stack, cloudformation = cloud.deploy({"Table": kept}), cloud.client("cloudformation")
    cloud.client("dynamodb").put_item(TableName="kept", Item={"id": {"S": "a"}})
    cloudformation.delete_stack(StackName=stack.name)
    eventually(lambda: stack.name not in _stacks(cloudformation))
    cloud.deploy({"Table": kept}, ends="ROLLBACK_COMPLETE")
    assert cloud.client("dynamodb").scan(TableName="kept")["Count"] == 1
    cloud.client("dynamodb").delete_table(TableName="kept")


def _stacks(cloudformation):
    return {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"] if stack["StackStatus"] != "DELETE_COMPLETE"}


@expectation
def one_index_per_table_update(cloud):
    def indexed(*names):
        attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", *names)]
        indexes = [
            {
                "IndexName": name,
                "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for name in names
        ]
        properties = {"GlobalSecondaryIndexes": indexes} if indexes else {}
        return table(AttributeDefinitions=attributes, **properties)

    cloudformation = cloud.client("cloudformation")
    stack = cloud.deploy({"Table": indexed()})

    def update(*names):
        template = {"Resources": {"Table": indexed(*names)}}
        cloudformation.update_stack(StackName=stack.name, TemplateBody=json.dumps(template))
        return eventually(lambda: settled(cloudformation, stack.name))["StackStatus"]

    assert update("a", "b") == "UPDATE_ROLLBACK_COMPLETE"
    assert update("a") == "UPDATE_COMPLETE"
    assert update("a", "b") == "UPDATE_COMPLETE"
    assert update() == "UPDATE_ROLLBACK_COMPLETE"


@expectation
def index_item_count(cloud):
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "a")]
    index = {
        "IndexName": "by_a",
        "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    stack = cloud.deploy({"Table": table(AttributeDefinitions=attributes, GlobalSecondaryIndexes=[index])})
    items = cloud.client("dynamodb")
    for name, rest in (("one", {}), ("two", {"a": {"S": "x"}}), ("three", {"a": {"S": "y"}})):
        items.put_item(TableName=stack["Table"], Item={"id": {"S": name}, **rest})
    found = items.describe_table(TableName=stack["Table"])["Table"]
    assert (found["ItemCount"], found["GlobalSecondaryIndexes"][0].get("ItemCount")) == (3, 2)


@expectation
def expired_items_in_stream(cloud):
    expiry = {"AttributeName": "expires_at", "Enabled": True}
    stack = cloud.deploy(
        {
            "Table": table(StreamSpecification=STREAM),
            "Mapping": stream_mapping(
                FilterCriteria={"Filters": [{"Pattern": json.dumps({"eventName": ["REMOVE"]})}]},
            ),
        },
        functions={"Function": NOTHING},
    )
    items = cloud.client("dynamodb")
    items.update_time_to_live(TableName=stack["Table"], TimeToLiveSpecification=expiry)
    for name, expires_at in (("old", 1), ("new", int(time.time()) + 600)):
        items.put_item(TableName=stack["Table"], Item={"id": {"S": name}, "expires_at": {"N": str(expires_at)}})
    (event,) = eventually(lambda: stack.events("Function"), seconds=4)
    (record,) = event["Records"]
    assert record["dynamodb"]["Keys"] == {"id": {"S": "old"}}
    assert record["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


# SQS


@expectation
def message_move_tasks(cloud):
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 1}
    stack = cloud.deploy({"Dead": queue(), "Source": queue(VisibilityTimeout=0, RedrivePolicy=redrive)})
    sqs, dead = cloud.client("sqs"), arn_of(cloud, stack["Dead"])
    sqs.send_message(QueueUrl=stack["Source"], MessageBody="hello")
    (first,) = sqs.receive_message(QueueUrl=stack["Source"])["Messages"]
    assert "Messages" not in sqs.receive_message(QueueUrl=stack["Source"])
    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue"):
        sqs.start_message_move_task(SourceArn=arn_of(cloud, stack["Source"]))
    sqs.start_message_move_task(SourceArn=dead)
    eventually(lambda: sqs.list_message_move_tasks(SourceArn=dead)["Results"][0]["Status"] == "COMPLETED")
    (again,) = sqs.receive_message(
        QueueUrl=stack["Source"], MessageSystemAttributeNames=["ApproximateReceiveCount"]
    )["Messages"]
    assert again["Body"] == "hello"
    assert again["MessageId"] != first["MessageId"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "1"


@expectation
def message_delay_limit(cloud):
    sqs, to = cloud.client("sqs"), {"QueueUrl": cloud.deploy({"Queue": queue()})["Queue"], "MessageBody": "hello"}
    entries = [{"Id": f"{seconds}", "MessageBody": "hello", "DelaySeconds": seconds} for seconds in (900, 901)]
    answer = sqs.send_message_batch(QueueUrl=to["QueueUrl"], Entries=entries)
    assert [[each["Id"] for each in answer.get(part, [])] for part in ("Successful", "Failed")] == [["900"], ["901"]]
    sqs.send_message(**to, DelaySeconds=900)
    for seconds in (901, -1):
        with pytest.raises(ClientError, match="DelaySeconds is invalid"):
            sqs.send_message(**to, DelaySeconds=seconds)


# SNS


@expectation
def pending_subscriptions(cloud):
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://127.0.0.1:9/alarms")
    (found,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert found["SubscriptionArn"] == "PendingConfirmation"


# CloudWatch


@expectation
def embedded_metrics(cloud):
    line = {
        "_aws": {
            "Timestamp": 1,
            "CloudWatchMetrics": [
                {"Namespace": "Shop", "Dimensions": [["kind"]], "Metrics": [{"Name": "sold", "Unit": "Count"}]}
            ],
        },
        "kind": "tea",
        "sold": 3,
    }
    handler = f"def handle(event): print({json.dumps(line)!r}, flush=True)"
    stack = cloud.deploy({}, functions={"Function": handler})
    cloud.client("lambda").invoke(FunctionName=stack["Function"])
    eventually(lambda: _total(cloud, "Shop", "sold", kind="tea") == 3, seconds=4)


@expectation
def function_metrics(cloud):
    stack = cloud.deploy({"Queue": queue(), "Mapping": queue_mapping()}, functions={"Function": NOTHING})
    cloud.client("sqs").send_message(QueueUrl=stack["Queue"], MessageBody="hello")
    eventually(lambda: stack.events("Function"))
    name = stack["Function"]
    eventually(lambda: _total(cloud, "AWS/Lambda", "Invocations", FunctionName=name) == 1, seconds=4)


@expectation
def api_metrics(cloud):
    stack = cloud.deploy({"Api": api(), "Function": function("GET /fail")}, functions={"Function": FAIL})
    stack.get("/fail")
    stack.get("/missing")
    assert [_total(cloud, "AWS/ApiGateway", name, ApiId=stack["Api"]) for name in ("Count", "4xx", "5xx")] == [2, 1, 1]
    assert _total(cloud, "AWS/ApiGateway", "Latency", ApiId=stack["Api"]) > 0


@expectation
def iterator_age(cloud):
    stack = cloud.deploy(
        {"Table": table(StreamSpecification=STREAM), "Mapping": stream_mapping()}, functions={"Function": NOTHING}
    )
    cloud.client("dynamodb").put_item(TableName=stack["Table"], Item={"id": {"S": "1"}})
    eventually(lambda: stack.events("Function"))
    eventually(lambda: _total(cloud, "AWS/Lambda", "IteratorAge", FunctionName=stack["Function"]) > 0, seconds=4)


@expectation
def queue_metrics(cloud):
    stack, queues = cloud.deploy({"Queue": queue(QueueName="measured", VisibilityTimeout=0)}), cloud.client("sqs")

    def visible():
        return _total(cloud, "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="measured")

    def age():
        return _total(cloud, "AWS/SQS", "ApproximateAgeOfOldestMessage", QueueName="measured")

    def published():
        before = visible()
        eventually(lambda: visible() > before, seconds=4)

    queues.send_message(QueueUrl=stack["Queue"], MessageBody="hello")
    published()
    eventually(age, seconds=4)
    for _ in range(3):
        eventually(lambda: queues.receive_message(QueueUrl=stack["Queue"]).get("Messages"))
    # It is still there, and too often received to have an age.
    published()
    before = age()
    published()
    assert age() == before > 0


@expectation
def alarm_evaluation(cloud):
    def alarm(name):
        return {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "Namespace": "Shop",
                "MetricName": "waiting",
                "Dimensions": [{"Name": "queue", "Value": name}],
                "Statistic": "Maximum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 0,
                "TreatMissingData": "notBreaching",
            },
        }

    stack = cloud.deploy({"Long": alarm("long"), "Empty": alarm("empty")})
    dimensions = [{"Name": "queue", "Value": "long"}]
    cloud.client("cloudwatch").put_metric_data(
        Namespace="Shop", MetricData=[{"MetricName": "waiting", "Dimensions": dimensions, "Value": 1}]
    )

    def states():
        found = cloud.client("cloudwatch").describe_alarms(AlarmNames=[stack["Long"], stack["Empty"]])
        return {each["AlarmName"]: each["StateValue"] for each in found["MetricAlarms"]}

    eventually(lambda: states() == {stack["Long"]: "ALARM", stack["Empty"]: "OK"}, seconds=5)


@expectation
def metric_math(cloud):
    def metric(name):
        read = {"Namespace": "Shop", "MetricName": name, "Dimensions": []}
        return {"Id": name, "MetricStat": {"Metric": read, "Stat": "Sum", "Period": 300}, "ReturnData": False}

    def alarm(expression):
        rate = {"Id": "rate", "Expression": expression}
        properties = {
            "Metrics": [rate, *(metric(name) for name in ("sold", "returned", "broken", "missing"))],
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0.5,
            "TreatMissingData": "notBreaching",
        }
        return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}

    expressions = {
        "High": "IF(returned >= 10 AND returned > sold, returned / (sold + returned), 0)",
        "Filled": "FILL(missing, 0) + FILL(broken, 0)",
        "Low": "IF(broken >= 10, 1, 0)",
        "Nothing": "missing + returned",
    }
    stack = cloud.deploy({name: alarm(expression) for name, expression in expressions.items()})
    values = {"sold": 5, "returned": 12, "broken": 1}
    data = [{"MetricName": name, "Value": value} for name, value in values.items()]
    cloud.client("cloudwatch").put_metric_data(Namespace="Shop", MetricData=data)

    def states():
        names = [stack[name] for name in expressions]
        found = cloud.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
        states = {each["AlarmName"]: each["StateValue"] for each in found}
        return {name: states[stack[name]] for name in expressions}

    eventually(lambda: states() == {"High": "ALARM", "Filled": "ALARM", "Low": "OK", "Nothing": "OK"}, seconds=5)


def _on_bus(cloud, *entries):
    """The answer to PutEvents on a bus whose rule takes everything, and what the rule's target received."""
    url = cloud.deploy({"Queue": queue()})["Queue"]
    bus, events = url.rsplit("/", 1)[1], cloud.client("events")
    events.create_event_bus(Name=bus)
    events.put_rule(EventBusName=bus, Name="all", EventPattern=json.dumps({"account": [ACCOUNT]}))
    events.put_targets(EventBusName=bus, Rule="all", Targets=[{"Id": "queue", "Arn": arn_of(cloud, url)}])
    answer = events.put_events(Entries=[{"EventBusName": bus, **entry} for entry in entries])
    received = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return answer, [json.loads(message["Body"]) for message in received.get("Messages", [])]


ENTRY = {"Source": "shop", "DetailType": "sold", "Detail": "{}"}


@expectation
def event_times(cloud):
    _, (received,) = _on_bus(cloud, {**ENTRY, "Time": 1_790_000_000.123})
    assert received["time"] == "2026-09-21T14:13:20Z"


@expectation
def incomplete_entries(cloud):
    wrong = ({"Detail": "{"}, {"Detail": "[]"}, {"Source": ""}, {"DetailType": ""})
    answer, received = _on_bus(cloud, ENTRY, *({**ENTRY, **each} for each in wrong))
    assert answer["FailedEntryCount"] == len(wrong)
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == [None, "MalformedDetail", "MalformedDetail", "InvalidArgument", "InvalidArgument"]
    assert len(received) == 1


@expectation
def requests_by_the_model(cloud):
    url, arn = cloud.client("sqs").create_queue(QueueName="modelled")["QueueUrl"], f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    secrets = [f"secret{number}" for number in range(21)]
    for service, target, request in (
        ("sqs", "AmazonSQS.SendMessages", {"QueueUrl": url, "MessageBody": "x"}),
        ("sqs", "AmazonSQS.SendMessage", {"QueueUrl": url}),
        ("sqs", "AmazonSQS.SendMessage", {"QueueUrl": url, "MessageBody": "x", "Delay": 1}),
        ("sqs", "AmazonSQS.SendMessage", {"QueueUrl": url, "MessageBody": "x", "DelaySeconds": "1"}),
        ("sqs", "AmazonSQS.ChangeMessageVisibility", {"QueueUrl": url, "ReceiptHandle": "r", "VisibilityTimeout": 43_201}),
        ("sqs", "AmazonSQS.ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 11}),
        ("kms", "TrentService.Sign", {"KeyId": arn, "Message": "eA==", "SigningAlgorithm": "ED25519"}),
        ("kms", "TrentService.Sign", {"KeyId": arn, "Message": "", "SigningAlgorithm": "ED25519_SHA_512"}),
        ("secretsmanager", "secretsmanager.BatchGetSecretValue", {"SecretIdList": secrets}),
        ("dynamodb", "DynamoDB_20120810.TransactWriteItems", {"TransactItems": []}),
        ("dynamodb", "DynamoDB_20120810.GetItem", {"TableName": "name with spaces", "Key": {"id": {"S": "1"}}}),
        ("dynamodb", "DynamoDB_20120810.GetItem", {"TableName": "t", "Key": {"id": {"X": "1"}}}),
    ):
        status, error = _asked_by_hand(cloud, service, target, request)
        assert (status, error.get("__type")) == (400, "ValidationException"), (target, request, error)
    as_the_model_says = {"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 0}
    status, _ = _asked_by_hand(cloud, "sqs", "AmazonSQS.SendMessage", as_the_model_says)
    assert status == 200


def _asked_by_hand(cloud, service, target, request):
    """Status and body of a request that boto3 would not send."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
    signed = AWSRequest("POST", f"http://127.0.0.1:{cloud.port}/", headers, json.dumps(request))
    SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), service, REGION).add_auth(signed)
    try:
        sent = urllib.request.Request(signed.url, signed.data.encode(), dict(signed.headers))
        with urllib.request.urlopen(sent) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def _total(cloud, namespace, name, **dimensions):
    now = time.time()
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - 600,
        EndTime=now + 60,
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)
