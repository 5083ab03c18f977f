"""What cannot be seen from outside: that secrets stay out of texts and logs. Run with `python -m unittest`."""

import io
import json
import logging
import threading
import traceback
import unittest
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.credentials import Credentials

from connect_client import CallFailed, ConnectClient, ConnectionEnded, TryLater

CHAT = "whatsapp:+15551234567"
SECRET = "s3cret-value"


@contextmanager
def client_of(status, body):
    """A client of an API that always answers this."""

    class Api(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        urls = {name: url for name in ("links_url", "token_url", "status_url", "disconnect_url")}
        credentials = Credentials("AKIDEXAMPLE", "secret-key", "session-token")
        try:
            yield ConnectClient(region="us-east-1", credentials=credentials, webhook_secret="whsec_c2VjcmV0", **urls)
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


if __name__ == "__main__":
    unittest.main()
