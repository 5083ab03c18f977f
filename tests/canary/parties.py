"""Who the stack speaks to: a person with a browser, and the stand-in that plays Salesforce, WhatsApp and the bot; or a real org."""

import base64
import json
import os
import pathlib
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3

HERE = pathlib.Path(__file__).resolve().parent
USERNAME = "canary@example.com"
SECONDS = 40  # API Gateway answers within 30


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


class Person:
    """A browser, reduced to what a connect needs: it keeps cookies, and follows no redirect by itself."""

    def __init__(self):
        self.cookies, self._opener = {}, urllib.request.build_opener(_NoRedirects)

    def visit(self, method, url, form=None):
        """(status, where it leads) of a request."""
        headers = {"Accept": "text/html", "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        data = urllib.parse.urlencode(form or {}).encode() if method == "POST" else None
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            answer = self._opener.open(request, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.split(";")[0].partition("=")
                self.cookies[name] = value
            return answer.status, answer.headers.get("Location")

    def expect(self, status, method, url, form=None):
        """Where the answer leads, which must have this status. Its address may hold a code, so it is not shown."""
        found, location = self.visit(method, url, form)
        if found != status:
            raise AssertionError(f"{method} {urllib.parse.urlsplit(url).path.split('/')[1]} answered {found} in place of {status}")
        return location


class Salesforce:
    """A real org, with an app whose consumer key and secret are in the environment. A human logs in."""

    patience = 900  # seconds from the link to the outcome

    def __init__(self, login_url):
        self.login_url = login_url

    @staticmethod
    def chosen(stand_in):
        """The org that LOGIN_URL names, else the stand-in."""
        return Salesforce(os.environ["LOGIN_URL"]) if os.environ.get("LOGIN_URL") else stand_in

    def secrets(self):
        return {"sf_client_id": os.environ["CONSUMER_KEY"], "sf_client_secret": os.environ["CONSUMER_SECRET"]}

    def register(self, callback):
        """Waits until the app has this callback URL."""
        input(f"\nPut {callback} into the app at {self.login_url}. Salesforce takes some minutes. Then press Enter. ")

    def approve(self, _person, link):
        print(f"\nOpen this link and log in: {link}", flush=True)
        return {"approved_at": int(time.time() * 1000)}


class StandIn:
    """The stand-in, by its stack; its secrets are random, and end with it."""

    patience = 120

    def __init__(self, stack, address):
        self.stack, self._address, self.url, self._journal = stack, address, "", None
        self._secrets = {
            "ClientId": f"3MVG9.{secrets.token_urlsafe(40)}",
            "ClientSecret": secrets.token_hex(32).upper(),
            "Password": secrets.token_urlsafe(24),
            "TwilioAccount": f"AC{secrets.token_hex(16)}",
            "TwilioToken": secrets.token_hex(16),
            "WebhookSecret": f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}",
        }

    def deploy(self, seconds):
        template = json.loads((HERE / "stand_in.json").read_text())
        template["Resources"]["Function"]["Properties"]["Code"]["ZipFile"] = (HERE / "stand_in.py").read_text()
        cloudformation = boto3.client("cloudformation")
        cloudformation.create_stack(
            StackName=self.stack,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in self._secrets.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=self.stack, WaiterConfig={"Delay": 2, "MaxAttempts": seconds // 2})
        (found,) = cloudformation.describe_stacks(StackName=self.stack)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}
        self.url, self._journal = self._address(outputs["Url"]), boto3.resource("dynamodb").Table(outputs["Journal"])
        self.know("base", self.url)

    def answers(self):
        """Whether its address leads to it yet: names and permissions take some seconds."""
        try:
            return Person().visit("GET", f"{self.url}/services/oauth2/authorize")[0] == 400
        except OSError:
            return False

    def know(self, key, value):
        """Tells the stand-in something that is known only now."""
        self._journal.put_item(Item={"pk": key, "value": value})

    @property
    def login_url(self):
        return self.url

    def secrets(self):
        known = self._secrets
        twilio = {"account_sid": known["TwilioAccount"], "auth_token": known["TwilioToken"]}
        return {
            "sf_client_id": known["ClientId"],
            "sf_client_secret": known["ClientSecret"],
            "whatsapp": json.dumps(twilio),
            "bot_webhook": known["WebhookSecret"],
        }

    def register(self, callback):
        self.know("callback", callback)

    def approve(self, person, link):
        """A person opens the link, logs in and comes to the callback; what each took, in milliseconds."""
        took = {}

        def timed(name, *arguments):
            began = time.monotonic()
            location = person.expect(*arguments)
            took[name] = (time.monotonic() - began) * 1000
            return location

        timed("page", 200, "GET", link)
        login = timed("press", 303, "POST", link)
        person.expect(200, "GET", login)
        callback = person.expect(302, "POST", login, {"username": USERNAME, "password": self._secrets["Password"]})
        took["approved_at"] = int(time.time() * 1000)
        timed("callback", 200, "GET", callback)
        return took

    def heard(self, chat):
        """When the chat and the bot were told, in milliseconds since the epoch; None before both were."""
        items = self._items()
        message = [int(item["at"]) for item in items if item["pk"].startswith("message#") and item["to"] == chat]
        created = ("connection.created", chat)
        event = [int(item["at"]) for item in items if item["pk"].startswith("event#") and (item["type"], item["chat"]) == created]
        return {"message": min(message), "event": min(event)} if message and event else None

    def has_revoked(self):
        return any(item["pk"].startswith("token#") and not item["alive"] for item in self._items())

    def _items(self):
        return self._journal.scan(ConsistentRead=True)["Items"]
