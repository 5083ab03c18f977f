"""What cannot be seen from outside: that secrets stay out of texts and logs, which message is taken for a code, and what
a bot says to each answer. Run with `python -m unittest`."""

import io
import json
import logging
import threading
import traceback
import unittest
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.credentials import Credentials

from bot import Bot
from connect_client import (
    CallFailed,
    Confirmation,
    ConnectClient,
    ConnectionEnded,
    Event,
    Link,
    NotConnected,
    TryLater,
    has_code,
)

CHAT = "whatsapp:+15551234567"
SECRET = "s3cret-value"


@contextmanager
def client_of(status, body):
    """A client of an API that always answers this; it keeps the bodies that it was sent in `sent`."""
    sent = []

    class Api(BaseHTTPRequestHandler):
        def do_POST(self):
            sent.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        urls = {name: url for name in ("links_url", "token_url", "status_url", "disconnect_url", "confirmations_url")}
        credentials = Credentials("AKIDEXAMPLE", "secret-key", "session-token")
        try:
            client = ConnectClient(region="us-east-1", credentials=credentials, webhook_secret="whsec_c2VjcmV0", **urls)
            client.sent = sent
            yield client
        finally:
            server.shutdown()


class Secrets(unittest.TestCase):
    def test_a_token_hides_its_value(self):
        body = {"access_token": SECRET, "token_type": "Bearer", "instance_url": "https://acme.my.salesforce.com"}
        with client_of(200, body) as client:
            token = client.token(CHAT)
        self.assertEqual(token.access_token, SECRET)
        self.assertNotIn(SECRET, repr(token))

    def test_a_link_hides_its_url(self):
        body = {"url": f"https://example.com/{SECRET}", "link_id": "0" * 32, "expires_at": "2026-09-21T14:13:20Z"}
        with client_of(200, body) as client:
            self.assertNotIn(SECRET, repr(client.link(CHAT)))

    def test_the_end_of_a_connection_hides_its_link(self):
        body = {"error": "needs_reauthorization", "next": "relink", "relink_url": f"https://example.com/{SECRET}"}
        with client_of(409, body) as client, self.assertRaises(ConnectionEnded) as caught:
            client.token(CHAT)
        self.assertNotIn(SECRET, repr(caught.exception) + str(caught.exception))

    def test_a_token_that_fits_no_header_is_not_quoted(self):
        body = {"access_token": f"{SECRET}\n", "token_type": "Bearer", "instance_url": "http://127.0.0.1:9"}
        with client_of(200, body) as client, self.assertRaises(CallFailed) as caught:
            client.query(CHAT, "SELECT Name FROM Account")
        self.assertNotIn(SECRET, "".join(traceback.format_exception(caught.exception)))

    def test_an_answer_that_is_no_json_is_not_quoted(self):
        with client_of(200, b'{"access_token": "' + SECRET.encode()) as client, self.assertRaises(CallFailed) as caught:
            client.token(CHAT)
        self.assertNotIn(SECRET, "".join(traceback.format_exception(caught.exception)))

    def test_an_unreachable_salesforce_shows_no_query(self):
        body = {"access_token": SECRET, "token_type": "Bearer", "instance_url": "http://127.0.0.1:9"}
        with client_of(200, body) as client, self.assertRaises(TryLater) as caught:
            client.query(CHAT, "SELECT Name FROM Account")
        self.assertNotIn("Account", "".join(traceback.format_exception(caught.exception)))

    def test_a_log_at_debug_has_no_credentials(self):
        written = io.StringIO()
        handler = logging.StreamHandler(written)
        logging.getLogger().addHandler(handler)
        logging.getLogger().setLevel(logging.DEBUG)
        self.addCleanup(logging.getLogger().removeHandler, handler)
        self.addCleanup(logging.getLogger().setLevel, logging.WARNING)
        with client_of(204, b"") as client:
            client.disconnect(CHAT)
        self.assertNotIn("session-token", written.getvalue())


class Codes(unittest.TestCase):
    def test_a_code_is_recognised_as_people_send_it(self):
        separators = ["", "-", " ", "\u00a0", "\u2010", "\u2011", "\u2013", "\u2014", " - ", "- "]
        for text in [
            *(f"K7PW{separator}4MXR" for separator in separators),
            "k7pw-4mxr",
            "Confirmation code: K7PW-4MXR",
            "*K7PW-4MXR*.",
            "_K7PW-4MXR_",
            "\u200eK7PW-4MXR\u200f",
            "el código es K7PW-4MXR, gracias",
        ]:
            self.assertTrue(has_code(text), text)

    def test_what_is_no_code_is_none(self):
        for text in [
            "",
            "accounts",
            "disconnect",
            "password",
            "73459823",
            "7KPW-4MXR",
            "K7PW-4MX",
            "K7PW-4MXRX",
            "xK7PW-4MXR",
            "K7PW-4MXO",
            "K7PW--4MXR",
            "K7PW   4MXR",
            "K7PW\n4MXR",
            "éK7PW4MXR",
            "K7PW4MXRé",
            "K7PW-4MXR" + " " * 4_096,
        ]:
            self.assertFalse(has_code(text), text)

    def test_each_answer_has_its_status(self):
        for http_status, body, expected in [
            (200, {"status": "confirmed", "user_message": "Yes."}, Confirmation("confirmed", "Yes.")),
            (404, {"error": "unknown_code", "user_message": "No."}, Confirmation("unknown_code", "No.")),
            (404, {"error": "unknown_code"}, Confirmation("unknown_code")),
            (409, {"error": "wrong_chat", "user_message": "Careful."}, Confirmation("wrong_chat", "Careful.")),
            (429, {"error": "too_many_guesses", "user_message": "Wait."}, Confirmation("too_many_guesses", "Wait.")),
        ]:
            with client_of(http_status, body) as client:
                self.assertEqual(client.confirm(CHAT, "K7PW-4MXR"), expected)

    def test_an_answer_of_somebody_else_is_no_confirmation(self):
        for http_status, body, failure in [
            (404, {"message": "Not Found"}, CallFailed),
            (200, {"status": "connected"}, CallFailed),
            (429, {"message": "Too Many Requests"}, TryLater),
            (503, {"error": "unavailable"}, TryLater),
        ]:
            with client_of(http_status, body) as client, self.assertRaises(failure):
                client.confirm(CHAT, "K7PW-4MXR")


class Stack:
    """A stack whose answers to a code are given. Nobody is connected."""

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), []

    def confirm(self, wa_id, text):
        self.calls.append(("confirm", wa_id, text))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def query(self, wa_id, soql):
        raise NotConnected

    def token(self, wa_id):
        raise NotConnected

    def disconnect(self, chat):
        self.calls.append(("disconnect", chat))

    def link(self, wa_id, reference, display_name=None):
        self.calls.append(("link", wa_id, reference, display_name))
        return Link("0" * 32, "2026-09-21T14:13:20Z", "https://example.com/x")


class Chat:
    def __init__(self):
        self.messages = []

    def send(self, chat, text):
        self.messages.append(text)


def said(stack, text, name=None):
    chat = Chat()
    Bot(stack, chat).on_message(CHAT, text, name)
    return chat.messages


class Bots(unittest.TestCase):
    def test_a_code_that_is_right_is_answered_by_the_stack(self):
        stack = Stack(Confirmation("confirmed", "Yes."))
        self.assertEqual(said(stack, "Confirmation code:\nK7PW-4MXR"), [])
        self.assertEqual(stack.calls, [("confirm", CHAT, "Confirmation code:\nK7PW-4MXR")])

    def test_what_is_wrong_with_a_code_is_said_in_the_stacks_words(self):
        for status in ("unknown_code", "wrong_chat", "too_many_guesses"):
            stack = Stack(Confirmation(status, "Words."))
            self.assertEqual(said(stack, "K7PW-4MXR"), ["Words."])
            self.assertEqual(len(stack.calls), 1)

    def test_a_message_that_is_no_code_after_all_is_one_as_any_other(self):
        stack = Stack(Confirmation("unknown_code"))
        self.assertEqual(said(stack, "K7PW-4MXR"), ["First connect your Salesforce account: https://example.com/x"])

    def test_a_message_without_a_code_is_not_passed_on(self):
        stack = Stack()
        said(stack, "accounts", "Ada")
        self.assertEqual(stack.calls, [("link", CHAT, "accounts", "Ada")])

    def test_disconnect_is_taken_as_people_send_it(self):
        for text in ("disconnect", "*disconnect*", "Disconnect.", "_DISCONNECT_", "“disconnect”", " 'disconnect'.\n"):
            with self.subTest(text=text):
                stack = Stack()
                self.assertEqual(said(stack, text), [])
                self.assertEqual(stack.calls, [("disconnect", CHAT)])

    def test_a_sentence_with_disconnect_in_it_ends_nothing(self):
        stack = Stack()
        said(stack, "don't disconnect")
        self.assertNotIn(("disconnect", CHAT), stack.calls)

    def test_a_code_that_gets_no_answer_is_passed_on_once_more(self):
        stack = Stack(TryLater(), Confirmation("confirmed"))
        self.assertEqual(said(stack, "K7PW-4MXR"), [])
        self.assertEqual(len(stack.calls), 2)

    def test_a_stack_that_sends_nothing_leaves_the_unconfirmed_login_to_the_bot(self):
        chat = Chat()
        data = {"message": "off", "user_message": "Not yet.", "reference": "accounts"}
        Bot(Stack(), chat).on_event(Event("evt_1", "connection.unconfirmed", "2026-09-21T14:13:20Z", CHAT, data))
        self.assertEqual(chat.messages, ["Not yet."])

    def test_a_link_says_whose_it_is(self):
        body = {"url": "https://example.com/x", "link_id": "0" * 32, "expires_at": "2026-09-21T14:13:20Z"}
        with client_of(200, body) as client:
            client.link(CHAT, display_name="A" * 100)
            client.link(CHAT, display_name="")
        self.assertEqual([body.get("display_name") for body in client.sent], ["A" * 64, None])

    def test_a_link_may_say_the_persons_language(self):
        body = {"url": "https://example.com/x", "link_id": "0" * 32, "expires_at": "2026-09-21T14:13:20Z"}
        with client_of(200, body) as client:
            client.link(CHAT, language="pt-BR")
        self.assertEqual(client.sent[0]["language"], "pt-BR")


if __name__ == "__main__":
    unittest.main()
