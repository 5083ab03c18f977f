"""What `make status` prints for those who build bots, and where `make up` sends events."""

import json
import subprocess

import addresses
import pytest

STATE = {
    "api_url": "http://connect.localhost:4567",
    "bot_api_url": "http://localhost:4567",
    "bot_credentials": {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "of/the+bot"},
    "chat_url": "http://localhost:4566/",
    "endpoint": "http://127.0.0.1:4567",
    "event_bus_name": "bot-bus",
    "event_bus_target_url": "http://127.0.0.1:4567/000000000000/bot-bus-target",
    "region": "us-east-1",
    "sandbox": {"twilio_account_sid": "AC00", "twilio_auth_token": "0123", "webhook_secret": "whsec_AAAA"},
    "sandbox_url": "http://127.0.0.1:4566",
    "stacks": {
        "main": {
            "deployed": {
                "parameters": {"BotWebhookUrl": "http://127.0.0.1:4566/bot/events", "WhatsAppSender": "whatsapp:+14155238886"}
            }
        }
    },
}


def test_the_overview_says_where_everything_is():
    assert addresses.overview(STATE) == [
        "chat:    http://localhost:4566/",
        "API:     http://connect.localhost:4567",
        "sandbox: http://127.0.0.1:4566",
        "AWS:     http://127.0.0.1:4567 (us-east-1)",
        "events:  http://127.0.0.1:4566/bot/events (the sandbox)",
        "bus:     bot-bus, whose rule has the target http://127.0.0.1:4567/000000000000/bot-bus-target",
    ]


@pytest.fixture
def shell(tmp_path):
    """Runs the lines in a shell that has the state in a file, and a `curl` that shows what it is given."""
    (tmp_path / "state.json").write_text(json.dumps(STATE))
    curl = tmp_path / "curl"
    curl.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    curl.chmod(0o755)

    def run(more=""):
        script = "\n".join([*addresses.for_a_bot(STATE, tmp_path / "state.json"), more])
        environment = {"PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin"}
        return subprocess.run(["bash", "-euc", script], env=environment, check=True, capture_output=True, text=True).stdout.splitlines()

    return run


def test_the_lines_for_a_shell_set_what_the_examples_read(shell):
    assert shell('echo "$AWS_SECRET_ACCESS_KEY $AWS_ACCESS_KEY_ID $BOT_WEBHOOK_SECRET"')[-1] == "of/the+bot AKIAEXAMPLE whsec_AAAA"


def test_a_bot_of_ones_own_finds_every_call(shell):
    calls = {"LINKS": "links", "CONFIRMATIONS": "confirmations"}
    calls |= {f"CONNECTION_{call.upper()}": f"connections/{call}" for call in ("token", "status", "disconnect")}
    printed = shell(" ".join(["echo", *(f"${call}_URL" for call in calls)]))[-1].split()
    assert printed == [f"http://localhost:4567/{path}" for path in calls.values()]


def test_the_secret_key_of_the_bot_is_not_printed():
    assert "of/the+bot" not in "\n".join(addresses.for_a_bot(STATE, "state.json"))


def test_the_call_by_hand_needs_no_name_server(shell):
    assert shell() == [
        "--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", "AKIAEXAMPLE:of/the+bot",
        "-H", "content-type: application/json", "-d", '{"wa_id": "whatsapp:+15551234567"}', "http://localhost:4567/links",
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/events", "http://localhost:3000", "https://bot.example.com/events"])
def test_events_can_go_to_a_bot_of_ones_own(monkeypatch, url):
    monkeypatch.setenv("BOT_WEBHOOK_URL", url)
    assert addresses.bot_webhook_url() == url


def test_events_go_to_the_sandbox_where_nothing_is_said(monkeypatch):
    monkeypatch.delenv("BOT_WEBHOOK_URL", raising=False)
    assert addresses.bot_webhook_url() is None


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "http://bot.example.com", "ftp://localhost/"])
def test_what_the_template_refuses_is_refused_before_anything_is_deployed(monkeypatch, url):
    monkeypatch.setenv("BOT_WEBHOOK_URL", url)
    with pytest.raises(ValueError, match="BOT_WEBHOOK_URL"):
        addresses.bot_webhook_url()
