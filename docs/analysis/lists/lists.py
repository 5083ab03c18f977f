"""How long `wasf`'s lists take on a table of a million attempts, and how many rows they read for those that they show.

    python lists.py [--rows 1000000] [--days 90] [--wasf target/…/wasf]

The table is one on an emulator of its own, filled by DynamoDB's import from S3, beside a stack that is nothing but its name. The
emulator is one Python process, which takes a millisecond or so for each query; AWS answers them beside each other. A list by
status asks each of eight partitions a day, so beside the time of the whole stands what `wasf` itself needs of it.

Exits with 1 where a list reads more than a third more rows than it shows and one of each partition that it merges, which are
never even.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests/local_cloud"))

from conftest import Cloud  # noqa: E402
import emulator  # noqa: E402

DAY_MS = 24 * 60 * 60 * 1000
TABLE, BUCKET, IN_OBJECT = "attempts", "rows", 50_000
SHARDS = 8  # as in shared/src/attempt/index.rs
# Of a hundred thousand attempts: what most stacks see, and one status that is rare.
STATUSES = {"connected": 70_000, "failed": 24_990, "ended": 5_000, "delayed": 10}
CHATS = 300_000
# How many partitions a list merges at first: eight of each status.
MERGED = 48
LISTS = (
    "attempt list --chat +15550000007",
    "attempt list --chat +15550000007 --status failed",
    "attempt list",
    "attempt list --since 90d",
    "attempt list --since 90d --until 30d --limit 1000",
    "attempt list --status failed",
    "attempt list --status failed --since 90d --limit 1000",
    "attempt list --status failed --since 1970-01-01T00:00:00Z",
    "attempt list --status delayed --since 90d",
    "attempt list --status unconfirmed --since 90d",
)


def main():
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        cloud = Cloud(pathlib.Path(folder))
        try:
            began = time.monotonic()
            _fill(cloud, arguments)
            print(f"{arguments.rows:,} attempts of {arguments.days} days, filled in {time.monotonic() - began:.0f} s\n")
            return _measure(cloud, arguments.wasf, pathlib.Path(folder))
        finally:
            cloud.end()


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--wasf", type=pathlib.Path, default=ROOT / "target" / "release" / "wasf")
    arguments = parser.parse_args()
    arguments.wasf = arguments.wasf.resolve()
    return arguments


def _fill(cloud, arguments):
    draw, now = random.Random(arguments.rows), int(time.time() * 1000)
    statuses, weights = list(STATUSES), list(STATUSES.values())
    files = cloud.client("s3")
    files.create_bucket(Bucket=BUCKET)
    for first in range(0, arguments.rows, IN_OBJECT):
        numbers = range(first, min(arguments.rows, first + IN_OBJECT))
        rows = (
            _row(number, draw.choices(statuses, weights)[0], now - draw.randrange(arguments.days * DAY_MS))
            for number in numbers
        )
        body = "\n".join(json.dumps({"Item": row}) for row in rows)
        files.put_object(Bucket=BUCKET, Key=f"{first:09}.json", Body=body.encode())
    _import(cloud.client("dynamodb"), arguments.rows)
    for key in files.list_objects_v2(Bucket=BUCKET)["Contents"]:
        files.delete_object(Bucket=BUCKET, Key=key["Key"])
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"AttemptTableName": {"Value": TABLE}}}
    cloud.client("cloudformation").create_stack(StackName="many", TemplateBody=json.dumps(template))


def _row(number, status, at):
    """An attempt that ended then."""
    day = time.strftime("%Y-%m-%d", time.gmtime(at / 1000))
    row = {
        "attempt_id": {"S": f"{number:032x}"},
        "wa_id": {"S": f"whatsapp:+1555{number % CHATS:07}"},
        "status": {"S": status},
        "status_day": {"S": f"{status}#{day}#{number % SHARDS}"},
        "receives": {"N": "1"},
        "created_at": {"N": f"{at - 500}"},
        "updated_at": {"N": f"{at}"},
        "notified_at": {"N": f"{at + 500}"},
        "expires_at": {"N": f"{(at + 90 * DAY_MS) // 1000}"},
    }
    return {**row, "reason": {"S": "denied"}} if status == "failed" else row


def _import(tables, rows):
    """The table with its two indexes, as the template makes them."""
    names = (("attempt_id", "S"), ("wa_id", "S"), ("status_day", "S"), ("updated_at", "N"))

    def index(name, key):
        schema = [{"AttributeName": key, "KeyType": "HASH"}, {"AttributeName": "updated_at", "KeyType": "RANGE"}]
        return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}

    table = {
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in names],
        "KeySchema": [{"AttributeName": "attempt_id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [index("by_chat", "wa_id"), index("by_status", "status_day")],
    }
    source = {"S3BucketSource": {"S3Bucket": BUCKET}, "InputFormat": "DYNAMODB_JSON"}
    arn = tables.import_table(**source, TableCreationParameters=table)["ImportTableDescription"]["ImportArn"]
    while (found := tables.describe_import(ImportArn=arn)["ImportTableDescription"])["ImportStatus"] == "IN_PROGRESS":
        time.sleep(1)
    if found["ImportStatus"] != "COMPLETED" or found["ImportedItemCount"] != rows:
        raise SystemExit(f"the import ended {found['ImportStatus']} with {found['ImportedItemCount']} rows")


def _measure(cloud, wasf, folder):
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": emulator.endpoint(cloud.port),
        "AWS_REGION": emulator.REGION,
        "AWS_ACCESS_KEY_ID": emulator.ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": emulator.SECRET_ACCESS_KEY,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    cost_of_one = _cost_of_a_query(cloud)
    print(f"{'list':58} {'shown':>6} {'read':>6} {'total':>8} {'wasf':>8}")
    excessive = []
    for arguments in LISTS:
        runs = []
        for _ in range(3):
            before, cpu = time.monotonic(), _children_cpu()
            command = [wasf, "--stack-name", "many", *arguments.split(), "--json"]
            said = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
            runs.append((time.monotonic() - before, _children_cpu() - cpu))
            listed = json.loads(said.stdout)
        if "error" in listed:
            raise SystemExit(f"{arguments}: {listed['error']}")
        (total, own), shown, read = min(runs), listed["found"], listed["rows_read"]
        print(f"{arguments:58} {shown:6} {read:6} {1000 * total:5.0f} ms {1000 * own:5.0f} ms")
        if read > shown + shown // 3 + MERGED:
            excessive.append(arguments)
    print(f"\nThe emulator takes {1000 * cost_of_one:.1f} ms for a query that finds nothing.")
    for arguments in excessive:
        print(f"{arguments} reads more than it shows", file=sys.stderr)
    return 1 if excessive else 0


def _children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cost_of_a_query(cloud):
    tables, number = cloud.client("dynamodb"), 50
    began = time.monotonic()
    for _ in range(number):
        tables.query(
            TableName=TABLE,
            IndexName="by_status",
            KeyConditionExpression="status_day = :day",
            ExpressionAttributeValues={":day": {"S": "nothing"}},
        )
    return (time.monotonic() - began) / number


if __name__ == "__main__":
    sys.exit(main())
