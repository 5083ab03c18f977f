"""An example bot: it answers questions in WhatsApp with what the person's own Salesforce account knows.

It stores nothing. A question of somebody who is not connected becomes the `reference` of their connect link, comes back
in the event `connection.created`, and is answered then. To run it, with the environment variables that `Twilio`, `main`
and `ConnectClient.from_environment` read:

    pip install --require-hashes -r requirements.txt
    python bot.py

Twilio posts people's messages to PUBLIC_URL/messages. The stack posts its events to `BotWebhookUrl`: PUBLIC_URL/events.
"""

import base64
import hashlib
import hmac
import logging
import os
import re
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import requests

from connect_client import (
    BadEvent,
    Confirmation,
    ConnectClient,
    ConnectError,
    ConnectionEnded,
    Event,
    NotConnected,
    TryLater,
    has_code,
)

LONGEST_BODY = 64 * 1024
LONGEST_REFERENCE = 512
LONGEST_MESSAGE = 1_600  # Twilio's limit
CONNECT = "connect"  # the reference of a link that interrupted no question
TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'

log = logging.getLogger("bot")


class SendFailed(ConnectError):
    """Twilio does not accept messages at the moment."""


class Twilio:
    def __init__(self, env: dict[str, str]):
        self._key, self._sender = env["TWILIO_AUTH_TOKEN"], env["WHATSAPP_SENDER"]
        self._webhook_url = env["PUBLIC_URL"].rstrip("/") + "/messages"
        self._account, api = env["TWILIO_ACCOUNT_SID"], env.get("TWILIO_API_URL") or "https://api.twilio.com"
        self._messages_url = f"{api.rstrip('/')}/2010-04-01/Accounts/{self._account}/Messages.json"

    def is_genuine(self, form: list[tuple[str, str]], signature: str) -> bool:
        text = self._webhook_url + "".join(name + value for name, value in sorted(set(form)))
        digest = hmac.new(self._key.encode(), text.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(base64.b64encode(digest), signature.encode())

    def send(self, chat: str, text: str) -> None:
        form = {"From": self._sender, "To": chat, "Body": text[:LONGEST_MESSAGE]}
        auth = (self._account, self._key)
        try:
            answer = requests.post(self._messages_url, data=form, auth=auth, timeout=10, allow_redirects=False)
        except requests.RequestException as failure:
            raise SendFailed(f"Twilio: {type(failure).__name__}") from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise SendFailed(f"Twilio: {answer.status_code}")
        if not 200 <= answer.status_code < 300:  # final: sent again it would be refused again
            log.error("message refused by Twilio: %s", answer.status_code)


class Bot:
    def __init__(self, client: ConnectClient, twilio: Twilio):
        self.client, self.twilio = client, twilio

    def on_message(self, chat: str, text: str, name: str | None = None) -> None:
        """Answers a message. `chat` is whom WhatsApp names as its sender, `name` what they call themself there."""
        self._reply(chat, lambda: self._respond(chat, text, name))

    def on_event(self, event: Event) -> None:
        data = event.data
        is_connected = event.type in ("connection.created", "connection.renewed")
        # A stack that sends no messages has words for all but a success.
        text = data.get("user_message") or (describe_connection(data.get("username")) if is_connected else None)
        if data.get("message") == "off" and text:
            self.twilio.send(event.subject, text)
        question = data.get("reference")
        if is_connected and question and question != CONNECT:
            self._reply(event.subject, lambda: self._answer(event.subject, question))

    def _respond(self, chat: str, text: str, name: str | None) -> str | None:
        # Before anything else: a code that became a question would come back as a `reference`.
        if has_code(text):
            confirmation = self._confirm(chat, text)
            if confirmation.status == "confirmed":
                return None  # the stack tells the person, or its event does
            if confirmation.user_message:
                return confirmation.user_message
        text = re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text).strip()  # a reference has no control characters
        match bare_word(text):
            case "connect":
                link = self.client.link(chat, reference=CONNECT, display_name=name)
                return f"Tap to connect your Salesforce account: {link.url}"
            case "disconnect":
                self.client.disconnect(chat)
                return None  # the stack tells the person
            case "status":
                return self._status(chat)
        return self._answer(chat, text, name)

    def _confirm(self, chat: str, text: str) -> Confirmation:
        try:
            return self.client.confirm(chat, text)
        except TryLater:  # a repetition changes nothing and is answered alike
            return self.client.confirm(chat, text)

    def _reply(self, chat: str, make_text: Callable[[], str | None]) -> None:
        try:
            text = make_text()
        except TryLater:
            text = "Salesforce does not answer at the moment. Please ask again in a little while."
        except Exception as failure:
            log.error("could not reply: %s", describe(failure))
            text = "Sorry, that did not work."
        if text:
            self.twilio.send(chat, text)

    def _status(self, chat: str) -> str:
        status = self.client.status(chat)
        if status.status == "connected":
            return f"You are connected as {status.username}." if status.username else "You are connected."
        if status.status == "unconfirmed":
            return "One step is left: please send the code here that you saw after the login."
        return "Your login is being processed." if status.status == "pending" else "You are not connected."

    def _answer(self, chat: str, question: str, name: str | None = None) -> str:
        try:
            if question.strip().lower() == "accounts":
                rows = self.client.query(chat, "SELECT Name FROM Account LIMIT 5").records
                names = [row["Name"] for row in rows if isinstance(row.get("Name"), str)]
                return "Your accounts: " + ", ".join(names) if names else "You have no accounts."
            self.client.token(chat)  # a bot that can answer more would use it
            return "I can answer: accounts, status, connect, disconnect."
        except NotConnected:
            pass
        except ConnectionEnded as end:
            if end.next == "contact_admin":
                return "Salesforce no longer lets you in. Please ask your Salesforce administrator."
        # Not `relink_url`, which has the reference of an earlier question.
        link = self.client.link(chat, reference=question[:LONGEST_REFERENCE] or CONNECT, display_name=name)
        return f"First connect your Salesforce account: {link.url}"


class Once:
    """Handles each event once. A repetition waits for the delivery in progress, and succeeds or fails with it."""

    def __init__(self, handle: Callable[[Event], None], remembered: int = 10_000):
        self._handle, self._remembered = handle, remembered
        self._outcomes: OrderedDict[str, Future[None]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        # An outcome may come a second time with this suffix, when its message to the person proves undeliverable.
        key = re.sub(r"_(undeliverable|unknown)$", "", event.id)
        mine: Future[None] = Future()
        with self._lock:
            outcome = self._outcomes.setdefault(key, mine)
            if len(self._outcomes) > self._remembered:
                self._outcomes.popitem(last=False)
        if outcome is mine:
            try:
                self._handle(event)
                mine.set_result(None)
            except Exception as failure:
                with self._lock:
                    self._outcomes.pop(key, None)
                mine.set_exception(failure)
        outcome.result()


class Handler(BaseHTTPRequestHandler):
    timeout = 5  # seconds for each read, so that an idle client holds no thread
    server: "Server"

    def _dispatch(self) -> None:
        body, refusal = self._read()
        path = self.path.partition("?")[0]
        route = {"/messages": self._message, "/events": self._event}.get(path)
        if route is None:
            self._respond(404)
        elif self.command != "POST":
            self._respond(405, allow="POST")
        elif refusal:
            self._respond(refusal)
        else:
            route(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _dispatch

    def _message(self, body: bytes) -> None:
        form = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
        if not self.server.twilio.is_genuine(form, self.headers.get("x-twilio-signature", "")):
            return self._respond(403)
        fields = dict(form)
        if not fields.get("From"):
            return self._respond(400)
        # Before the work: Twilio waits for 15 seconds, and Salesforce may take longer.
        self._respond(200, TWIML, content_type="text/xml")
        try:
            self.server.bot.on_message(fields["From"], fields.get("Body", ""), fields.get("ProfileName"))
        except Exception as failure:
            log.error("message not answered: %s", describe(failure))

    def _event(self, body: bytes) -> None:
        try:
            event = self.server.client.verify(dict(self.headers.items()), body)
        except BadEvent:
            return self._respond(401)
        try:
            self.server.once(event)
        except Exception as failure:
            log.error("event not handled, will be delivered again: %s", describe(failure))
            return self._respond(500)
        self._respond(204)

    def _read(self) -> tuple[bytes, int | None]:
        """Returns the body, or the status that refuses it. A long one is read too: who sends hears nothing."""
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers:
            return b"", 411
        if not re.fullmatch("[0-9]{1,15}", length):
            return b"", 400
        body = self.rfile.read(min(int(length), 16 * LONGEST_BODY))
        return body, 413 if int(length) > LONGEST_BODY else None

    def _respond(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass  # no access log: a query might name a person


class Server(ThreadingHTTPServer):
    daemon_threads = False  # the end of the process waits for what is being answered
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], client: ConnectClient, twilio: Twilio):
        super().__init__(address, Handler)
        self.client, self.twilio, self.bot = client, twilio, Bot(client, twilio)
        self.once = Once(self.bot.on_event)

    def handle_error(self, request: object, client_address: object) -> None:
        log.error("request failed: %s", type(sys.exc_info()[1]).__name__)


def bare_word(text: str) -> str:
    """A command as people send it: `*Disconnect*.` is `disconnect`, which the message of a connection tells them to reply."""
    return text.lower().strip("*_.\"'`“”„‘’‚«» \t\r\n\u00a0")


def describe_connection(username: str | None) -> str:
    """It names the account, because it may be another than the person meant."""
    return f"Your Salesforce account is now connected{f' as {username}' if username else ''}."


def describe(failure: Exception) -> str:
    """What may be logged: of exceptions from elsewhere the type alone, because their texts may quote data."""
    name = type(failure).__name__
    return f"{name}: {failure}" if isinstance(failure, ConnectError) else name


def main() -> None:
    logging.basicConfig()
    env = {name: value for name, value in os.environ.items() if value}
    try:
        client, twilio = ConnectClient.from_environment(), Twilio(env)
    except KeyError as missing:
        sys.exit(f"missing environment variable: {missing.args[0]}")
    except RuntimeError as failure:
        sys.exit(str(failure))
    host = env.get("HOST", "127.0.0.1")
    server = Server((host, int(env.get("PORT", "3000"))), client, twilio)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on http://{host}:{server.server_port}", flush=True)
    with server:
        server.serve_forever()


if __name__ == "__main__":
    main()
