"""People on the local cloud: each has a link, has logged in and approved, and is about to be sent back with a code.

It drives the deployed stack from outside, over HTTP, and reads afterwards what each party saw and logged. It owns no
figure: what the times mean is for `latency.py`.
"""

import dataclasses
import datetime
import http.client
import json
import os
import pathlib
import time
import urllib.parse

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


BROKEN = 599
# What passes: too many requests, no room, no connection.
PASSING = (429, 500, 503, BROKEN)
TRIES = 30


@dataclasses.dataclass
class Walk:
    """One person, from before the callback on."""

    wa_id: str
    attempt_id: str
    callback: str
    cookie: str
    sent: float = 0.0
    answered: float = 0.0
    status: int = 0
    tries: int = 0

    def call_back(self):
        """Salesforce sends the browser back; where nobody answers, or only that it is too much, the person reloads. Times are in seconds since the epoch, as everybody else's."""
        self.sent = time.time()
        while self.status == 0 or (self.status in PASSING and self.tries < TRIES):
            self.tries += 1
            self.status = _status("GET", self.callback, headers={"Cookie": self.cookie, "Accept": "text/html"})
            if self.status in PASSING:
                time.sleep(min(self.tries, 5))
        self.answered = time.time()


class Cloud:
    """The local cloud that `LOCAL_CLOUD_STATE` describes."""

    def __init__(self):
        self.state = json.loads(pathlib.Path(os.environ["LOCAL_CLOUD_STATE"]).read_text())
        self.outputs = self.state["stacks"]["main"]["outputs"]

    def new_walk(self, number):
        """A link, the button, the login, the consent; a user of their own, because Salesforce keeps only five approvals of one."""
        wa_id = f"whatsapp:+1666{os.getpid() % 10_000:04}{number:05}"
        link = self.control("/control/bot/link", {"wa_id": wa_id})["body"]
        status, headers, _ = _http("POST", link["url"], headers={"Origin": _origin(link["url"])})
        if status != 303:
            raise RuntimeError(f"the link's button answered {status}")
        order = {"authorize_url": headers["Location"], "username": f"visitor-{number}@example.com"}
        callback = self.control("/control/login", order)["location"]
        cookie = headers["Set-Cookie"].split(";")[0]
        # Each press is an attempt of its own, which the cookie is called by.
        return Walk(wa_id, cookie.split("=")[0].rsplit("-", 1)[1], callback, cookie)

    def control(self, path, order):
        """Calls one of the sandbox's controls."""
        body = json.dumps(order)
        url = f"{self.state['sandbox_url']}{path}"
        status, _, answer = _http("POST", url, body, {"Content-Type": "application/json"})
        if status >= 300:
            raise RuntimeError(f"{path} answered {status}")
        return json.loads(answer) if answer else None

    def token(self, wa_id):
        """Asks for a chat's access token, as its bot does; the answer's status."""
        keys = self.state["bot_credentials"]
        credentials = Credentials(keys["access_key_id"], keys["secret_access_key"])
        url = f"{self.state['bot_api_url']}/connections/token"
        request = AWSRequest("POST", url, {"Content-Type": "application/json"}, json.dumps({"wa_id": wa_id}))
        SigV4Auth(credentials, "execute-api", self.state["region"]).add_auth(request)
        return _status("POST", url, request.body, dict(request.headers))

    def journal(self):
        """What the parties outside AWS saw: by endpoint and chat, the records in their order."""
        _, _, answer = _http("GET", f"{self.state['sandbox_url']}/control/journal")
        found = {}
        for endpoint, seen in json.loads(answer).items():
            for record in seen["records"]:
                found.setdefault((endpoint, record["wa_id"]), []).append(record)
        return found

    def log_lines(self):
        """What the functions logged, by attempt: each line as it is, with its time in seconds as `at`."""
        client = self._aws("logs")
        found = {}
        for group in client.describe_log_groups()["logGroups"]:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            for event in (event for page in pages for event in page["events"]):
                line = _json_object(event["message"])
                if "attempt_id" in line:
                    line["at"] = datetime.datetime.fromisoformat(line["timestamp"]).timestamp()
                    found.setdefault(line["attempt_id"], []).append(line)
        return found

    def waiting(self):
        """How many messages are in the exchange queue, and in its dead-letter queue."""
        client = self._aws("sqs")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

        def count(output):
            answer = client.get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=names)
            return sum(int(answer["Attributes"][name]) for name in names)

        return count("ExchangeQueueUrl"), count("ExchangeDlqUrl")

    def account_concurrency(self):
        """How many functions may run at once."""
        return self._aws("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]

    def emulator_cpu_seconds(self):
        """What the emulator's own process has used; the functions are processes of their own."""
        pid = self.state["processes"]["emulator"]["pid"]
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _aws(self, service):
        keys = self.state["credentials"]
        return boto3.client(
            service,
            endpoint_url=self.state["endpoint"],
            region_name=self.state["region"],
            aws_access_key_id=keys["access_key_id"],
            aws_secret_access_key=keys["secret_access_key"],
        )


def _status(*request, **headers):
    """The answer's status, or 599 where a connection broke: the local cloud has room for so many alone."""
    try:
        return _http(*request, **headers)[0]
    except OSError:
        return BROKEN


def _http(method, url, body=None, headers=None):
    """One request on a connection of its own; every host is this machine."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=60)
    try:
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request(method, target, body, {"Host": parts.netloc, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def _origin(url):
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _json_object(text):
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
