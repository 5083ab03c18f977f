"""What examples/say.py says where no bot answers, or one that refuses."""

import http.server
import os
import subprocess
import sys
import threading

import pytest
from conftest import ROOT

SAY = ROOT / "examples" / "say.py"


def say(public_url):
    environment = os.environ | {"PUBLIC_URL": public_url, "TWILIO_AUTH_TOKEN": "token", "NO_PROXY": "*"}
    return subprocess.run(
        [sys.executable, SAY, "accounts"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def bot():
    """A bot that answers every message with the status that is set."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            if self.server.status is None:
                return  # the connection closes without an answer
            self.send_response(self.server.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("public_url", ["http://127.0.0.1:1", "nonsense", "http://a b", "http://127.0.0.1:x"])
def test_a_bot_that_is_not_there_is_said_in_one_sentence(public_url):
    said = say(public_url)
    assert said.returncode == 1
    assert said.stderr.startswith(f"no bot answers at {public_url}/messages (") and said.stderr.count("\n") == 1


def test_an_answer_that_breaks_off_is_said_in_one_sentence(bot):
    bot.status = None
    said = say(f"http://127.0.0.1:{bot.server_port}")
    assert said.returncode == 1
    assert said.stderr.startswith("no bot answers at ") and said.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "why"), [(403, "TWILIO_AUTH_TOKEN"), (404, "PUBLIC_URL"), (500, "what the bot printed")]
)
def test_a_bot_that_refuses_is_said_with_its_status(bot, status, why):
    bot.status = status
    said = say(f"http://127.0.0.1:{bot.server_port}")
    assert said.returncode == 1
    assert f"answered {status}: " in said.stderr and why in said.stderr and said.stderr.count("\n") == 1


def test_a_bot_that_takes_the_message_is_printed_with_its_status(bot):
    bot.status = 200
    said = say(f"http://127.0.0.1:{bot.server_port}")
    assert (said.returncode, said.stdout, said.stderr) == (0, "200\n", "")
