#!/usr/bin/env python3
"""The canary: the template on AWS itself, under a throw-away name, and somebody who connects. It removes all that it has made.

It deploys the stack to the account of the shell, with a stand-in beside it for Salesforce, WhatsApp and the bot
(`stand_in.py`), lets people connect, redrives a dead letter, ends a connection, asks `wasf doctor` and `wasf alarms`, and
prints what failed, the cold starts and the times of the stages. docs/DEPLOYING.md says what it needs and costs.

Settings, from the environment beside AWS's own:

    CONFIRM=1       do not ask: it costs money
    PEOPLE=3        how many connect, one at least
    REMOVE=wasf-canary-…
                    nothing but the removal, of a run that was killed
    LOGIN_URL=https://acme.my.salesforce.com
                    a real org in place of the stand-in, with CONSUMER_KEY and CONSUMER_SECRET of an app there. It waits while
                    you put the callback URL into the app, and while you log in
    BUILT, SAM, WASF  where `make canary` has put what `sam build` made, the SAM CLI and `wasf`

Exit codes: 0 all is well, and nothing is left; 1 something is not, or something could not be removed; 2 not confirmed, or
a setting that is invalid: nothing was done.
"""

import contextlib
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import sys
import time

import boto3
import measurements
from botocore.exceptions import BotoCoreError, ClientError
from parties import Person, Salesforce, StandIn
from removal import SECRETS, remove

DEPLOY_SECONDS, COMMAND_SECONDS, OUTCOME_SECONDS, ALARM_SECONDS = 1800, 300, 120, 1200
SENDER = "+14155238886"
# +1 555 is no area code: nobody has these numbers.
CHAT = "whatsapp:+155501{:05}"
NOTHING_MATCHED, IN_PART = 3, 4


class Failed(Exception):
    """A check that does not hold; its text says what was found."""


class World:
    """Where the canary runs: AWS as it is. The local cloud's differences are a subclass of the dry run."""

    def url_of_stand_in(self, url):
        """The stand-in's address, without a slash at the end, from its stack's output."""
        return url.rstrip("/")

    def parameters(self):
        """Further parameters of the stack."""
        return {}

    def prepare(self, stack):
        """What has to be done once the stack is there, before people come."""


class Canary:
    """One run: its names, what it has found, and what it has to remove."""

    def __init__(self, world):
        self.world, self.results, self.stages = world, [], []
        self.name = f"wasf-canary-{secrets.token_hex(4)}"
        self.outputs, self.stand_in, self.salesforce = {}, None, None

    # The steps

    def run(self):
        """Every step, in order; the first that fails ends the run. Whether all was well."""
        steps = (self.deploy_stand_in, self.store_secrets, self.deploy, self.diagnose)
        steps += (self.connect, self.refresh, self.redrive, self.end, self.alarms)
        for step in steps:
            began = time.monotonic()
            name = step.__name__.replace("_", " ")
            print(f"  {name} … ", end="", flush=True)
            try:
                found = step()
            except Exception as error:  # noqa: BLE001 — whatever it is, what was made is removed
                self.results.append((name, False, f"{type(error).__name__}: {error}"))
                print(f"FAILED: {error}", flush=True)
                return False
            self.results.append((name, True, found or ""))
            print(f"{time.monotonic() - began:.0f} s", flush=True)
        return True

    def deploy_stand_in(self):
        """Salesforce, WhatsApp and the bot, as a function behind a URL."""
        self.stand_in = StandIn(f"{self.name}-parties", self.world.url_of_stand_in)
        self.stand_in.deploy(DEPLOY_SECONDS)
        self.until(self.stand_in.answers, OUTCOME_SECONDS, "answer of the stand-in")
        self.salesforce = Salesforce.chosen(self.stand_in)

    def store_secrets(self):
        """The secrets that the stack reads, under its own name."""
        manager = boto3.client("secretsmanager")
        values = {**self.stand_in.secrets(), **self.salesforce.secrets()}
        for name in SECRETS:
            manager.create_secret(Name=f"{self.name}/{name}", SecretString=values[name])

    def deploy(self):
        """The template as `sam build` left it."""
        built = os.environ["BUILT"]
        command = [os.environ.get("SAM", "sam"), "deploy", "--template-file", f"{built}/template.yaml", "--stack-name", self.name]
        command += ["--resolve-s3", "--s3-prefix", self.name, "--capabilities", "CAPABILITY_IAM"]
        command += ["--no-confirm-changeset", "--no-progressbar"]
        command += ["--parameter-overrides", *(f"{key}={value}" for key, value in self.parameters().items())]
        said = run(command, DEPLOY_SECONDS)
        if said.returncode:
            raise Failed(f"sam deploy ended with {said.returncode}:\n{said.stdout[-2000:]}{said.stderr[-2000:]}")
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.world.prepare(self.name)
        self.stand_in.know("callback", self.outputs["CallbackUrl"])
        self.salesforce.register(self.outputs["CallbackUrl"])

    def parameters(self):
        url = self.stand_in.url
        return {
            "Architecture": architecture(pathlib.Path(os.environ["BUILT"])),
            "LoginUrls": self.salesforce.login_url,
            "WhatsAppProvider": "Twilio",
            "WhatsAppSender": f"whatsapp:{SENDER}",
            "BotPhoneNumber": SENDER,
            "WhatsAppApiUrl": url,
            "BotWebhookUrl": f"{url}/bot",
            "BrandName": "Canary",
            # A new account may run ten functions at once, and this one is to disturb no other.
            "MaximumConcurrency": "2",
            "UpkeepConcurrency": "2",
            "ClientIdSecretName": f"{self.name}/sf_client_id",
            "ClientSecretSecretName": f"{self.name}/sf_client_secret",
            "WhatsAppSecretName": f"{self.name}/whatsapp",
            "BotWebhookSecretName": f"{self.name}/bot_webhook",
            **self.world.parameters(),
        }

    def diagnose(self):
        """`wasf doctor` finds no problem."""
        found = self.wasf("doctor", exits=(0, 1))
        wrong = [f"{each['check']}: {each['text']}" for each in found["findings"] if each["level"] == "wrong"]
        if wrong:
            raise Failed("; ".join(wrong))
        return f"{len(found['findings'])} findings, no problem"

    def connect(self):
        """People connect, one after the other: tokens are stored, the chat and the bot are told."""
        people = int(os.environ.get("PEOPLE") or "3")
        for _ in range(people):
            chat = CHAT.format(secrets.randbelow(100_000))
            took = self.salesforce.approve(Person(), self.wasf("link", chat)["url"])
            seen = self.until(lambda: self.stand_in.heard(chat), self.salesforce.patience, "message and event of the connection")
            shown = self.wasf("connection", "show", chat)
            attempt = self.wasf("attempt", "show", shown["attempt_id"])
            if attempt["status"] != "connected":
                raise Failed(f"the attempt is {attempt['status']}")
            self.stages.append({**took, **measurements.stages(took, attempt, seen)})
            self.chat = chat
        return f"{people} connected"

    def refresh(self):
        """A connection's token is refreshed, by the call that bots make."""
        self.wasf("connection", "refresh", self.chat, "--confirm")

    def redrive(self):
        """A dead letter goes back by `wasf dlq redrive`, and is done."""
        sqs, dead, queue = boto3.client("sqs"), self.outputs["UpkeepDlqUrl"], self.outputs["UpkeepQueueUrl"]
        sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"v": 1, "sweep": {}}))

        def listed():
            return self.wasf("dlq", "list", "--queue", "upkeep", exits=(0, NOTHING_MATCHED)).get("messages")

        self.until(listed, OUTCOME_SECONDS, "dead letter")
        self.wasf("dlq", "redrive", "--queue", "upkeep", "--confirm")
        self.until(lambda: self.is_empty(dead) and self.is_empty(queue), OUTCOME_SECONDS, "empty upkeep queues")

    def is_empty(self, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return all(int(found[name]) == 0 for name in names)

    def end(self):
        """A connection ends by `wasf connection revoke`: the tokens are dead at Salesforce."""
        self.wasf("connection", "revoke", self.chat, "--confirm")
        if self.salesforce is self.stand_in:
            self.until(lambda: self.stand_in.has_revoked(), OUTCOME_SECONDS, "revocation")

    def alarms(self):
        """No alarm is firing: one that a dead letter raised falls silent."""
        found = self.until(
            lambda: (found := self.wasf("alarms", exits=(0, NOTHING_MATCHED, IN_PART))) and not found["firing"] and found,
            ALARM_SECONDS,
            "silent alarms",
        )
        if found["missing"]:
            raise Failed(f"alarms that CloudWatch does not have: {', '.join(found['missing'])}")
        return f"none of {found['total']} is firing"

    # Means

    def wasf(self, *arguments, exits=(0,)):
        """The JSON that `wasf` prints."""
        command = [os.environ.get("WASF", "wasf"), *arguments, "--stack-name", self.name, "--json"]
        said = run(command, COMMAND_SECONDS)
        if said.returncode not in exits:
            raise Failed(f"wasf {' '.join(arguments[:2])} ended with {said.returncode}: {said.stdout}{said.stderr}")
        return json.loads(said.stdout)

    @staticmethod
    def until(condition, seconds, what):
        """Waits until the condition holds, and returns it."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise Failed(f"no {what} within {seconds} s")
            time.sleep(2)
        return found


def run(command, seconds):
    """Runs a command where no samconfig.toml is in force: the account and the Region are the shell's."""
    return subprocess.run(command, cwd=os.sep, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=seconds)


def architecture(built):
    """What the functions were built for, by the header of a binary (ELF's `e_machine`)."""
    binary = sorted(built.glob("*/bootstrap"))[0]
    with open(binary, "rb") as file:
        return {b"\xb7\0": "arm64", b"\x3e\0": "x86_64"}[file.read(20)[18:]]


def invalid_settings(environment, is_terminal):
    """Why the run cannot go to its end with these settings, before anything is made; None where it can."""
    people = environment.get("PEOPLE") or "3"
    if not re.fullmatch(r"[0-9]{1,4}", people) or int(people) < 1:
        return f"PEOPLE={people}: give how many connect, 1 to 9999."
    if not environment.get("BUILT"):
        return "BUILT is not set: run make canary, which builds first."
    login_url = environment.get("LOGIN_URL")
    if not login_url:
        return None
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+/?", login_url):
        return f"LOGIN_URL={login_url}: give https://<host>."
    if missing := [name for name in ("CONSUMER_KEY", "CONSUMER_SECRET") if not environment.get(name)]:
        return f"LOGIN_URL needs {' and '.join(missing)}, of an app in that org."
    return None if is_terminal else "LOGIN_URL needs a terminal: you put the callback URL into the app, and log in."


def confirmed(name, verb):
    """Names the account, the Region and the stack, and asks, because it costs money."""
    identity = boto3.client("sts").get_caller_identity()
    print(f"Account {identity['Account']}, Region {boto3.session.Session().region_name}, as {identity['Arn']}")
    cost = ", and removes both. It costs a few cents (docs/DEPLOYING.md)" if verb == "Deploys" else ", with what they retain"
    print(f"{verb} {name} and {name}-parties{cost}.", flush=True)
    if os.environ.get("CONFIRM") == "1":
        return True
    with contextlib.suppress(EOFError):
        return input("Type yes to go on: ").strip() == "yes"
    return False


def main(world=None):
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    killed = os.environ.get("REMOVE")
    if killed and not re.fullmatch(r"wasf-canary-[0-9a-f]{8}", killed):
        print(f"REMOVE={killed} is no canary's name.", file=sys.stderr)
        return 2
    if not killed and (why := invalid_settings(os.environ, sys.stdin.isatty())):
        print(why, file=sys.stderr)
        return 2
    canary = Canary(world or World())
    try:
        is_confirmed = confirmed(killed or canary.name, "Removes" if killed else "Deploys")
    except (BotoCoreError, ClientError) as error:
        print(f"AWS does not answer: {str(error).rstrip('.')}. Set AWS_REGION and credentials.", file=sys.stderr)
        return 1
    if not is_confirmed:
        print("Not confirmed: nothing was done. CONFIRM=1 confirms.", file=sys.stderr)
        return 2
    well, left = bool(killed), ["the removal did not end"]
    try:
        if not killed:
            well = canary.run()
            measurements.report(canary)
    finally:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        left = remove(killed or canary.name)
        for each in left:
            print(f"NOT REMOVED: {each}", file=sys.stderr)
    return 0 if well and not left else 1


if __name__ == "__main__":
    sys.exit(main())
