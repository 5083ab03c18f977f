"""What `status` prints: where the local cloud is, and what a bot of one's own needs to call it.

The values are this local cloud's own and open nothing else.
"""

import json
import os
import re

# As the template's BotWebhookUrl.
_WEBHOOK = r"https://\S+|http://(([a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?([/?]\S*)?"

_BODY = json.dumps({"wa_id": "whatsapp:+15551234567"})
CALL_BY_HAND = [
    "curl --aws-sigv4 aws:amz:$AWS_REGION:execute-api --user \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\" \\",
    f"  -H \"content-type: application/json\" -d '{_BODY}' \"$LINKS_URL\"",
]


def bot_webhook_url():
    """Where events go, as the person at the terminal asks for by BOT_WEBHOOK_URL; None for the sandbox's bot."""
    url = os.environ.get("BOT_WEBHOOK_URL") or None
    if url and not re.fullmatch(_WEBHOOK, url):
        raise ValueError(f"BOT_WEBHOOK_URL={url} is not a URL for events")
    return url


def overview(state):
    """The addresses."""
    webhook = state["stacks"]["main"]["deployed"]["parameters"]["BotWebhookUrl"]
    rows = {
        "chat": state["chat_url"],
        "API": state["api_url"],
        "sandbox": state["sandbox_url"],
        "AWS": f"{state['endpoint']} ({state['region']})",
        "events": f"{webhook}{' (the sandbox)' if webhook.startswith(state['sandbox_url']) else ''}",
        "bus": f"{state['event_bus_name']}, whose rule has the target {state['event_bus_target_url']}",
    }
    return [f"{name + ':':9}{value}" for name, value in rows.items()]


def bot_environment(state):
    """What a bot of one's own reads from its environment: README.md's examples, and the bots in `examples`."""
    credentials, sandbox, api = state["bot_credentials"], state["sandbox"], state["bot_api_url"]
    return {
        "AWS_ENDPOINT_URL": state["endpoint"],
        "AWS_REGION": state["region"],
        "AWS_DEFAULT_REGION": state["region"],
        "AWS_ACCESS_KEY_ID": credentials["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": credentials["secret_access_key"],
        "BOT_WEBHOOK_SECRET": sandbox["webhook_secret"],
        "LINKS_URL": f"{api}/links",
        "CONNECTION_TOKEN_URL": f"{api}/connections/token",
        "CONNECTION_STATUS_URL": f"{api}/connections/status",
        "CONNECTION_DISCONNECT_URL": f"{api}/connections/disconnect",
        "CONFIRMATIONS_URL": f"{api}/confirmations",
        "TWILIO_API_URL": state["sandbox_url"],
        "TWILIO_ACCOUNT_SID": sandbox["twilio_account_sid"],
        "TWILIO_AUTH_TOKEN": sandbox["twilio_auth_token"],
        "WHATSAPP_SENDER": state["stacks"]["main"]["deployed"]["parameters"]["WhatsAppSender"],
    }


def for_a_bot(state, file):
    """Lines for a shell that set a bot's environment, and a call by hand. The secret key is read from the state's file."""
    secret = f"import json; print(json.load(open('{file}'))['bot_credentials']['secret_access_key'])"
    environment = {**bot_environment(state), "AWS_SECRET_ACCESS_KEY": f'"$(python3 -c "{secret}")"'}
    return [*(f"export {name}={value}" for name, value in environment.items()), *CALL_BY_HAND]
