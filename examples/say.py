"""Says something to an example bot, as Twilio passes on a message of a person's: `python3 examples/say.py accounts`.

The chat is that of the local cloud's page. It reads PUBLIC_URL and TWILIO_AUTH_TOKEN, as the bots do.
"""

import base64
import hashlib
import hmac
import http.client
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

missing = [name for name in ("PUBLIC_URL", "TWILIO_AUTH_TOKEN") if not os.environ.get(name)]
if missing:
    sys.exit(f"{' and '.join(missing)} must be set as for the bot: see examples/README.md")
url = f"{os.environ['PUBLIC_URL']}/messages"
fields = {"Body": " ".join(sys.argv[1:]), "From": "whatsapp:+15551234567", "ProfileName": "Ada"}
# https://www.twilio.com/docs/usage/webhooks/webhooks-security
signed = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
digest = hmac.new(os.environ["TWILIO_AUTH_TOKEN"].encode(), signed.encode(), hashlib.sha1).digest()
headers = {"X-Twilio-Signature": base64.b64encode(digest).decode()}
WHY = {
    401: "TWILIO_AUTH_TOKEN or PUBLIC_URL is not the bot's",
    403: "TWILIO_AUTH_TOKEN or PUBLIC_URL is not the bot's",
    404: "PUBLIC_URL is not where the bot is",
}
try:
    request = urllib.request.Request(url, urllib.parse.urlencode(fields).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(answer.status)
except urllib.error.HTTPError as error:
    sys.exit(f"{url} answered {error.code}: {WHY.get(error.code, 'what the bot printed says why')}")
except (OSError, ValueError, http.client.HTTPException) as error:
    why = getattr(error, "reason", error)
    why = getattr(why, "strerror", None) or why
    sys.exit(f"no bot answers at {url} ({why}): start it, and the local cloud with `make up`: see examples/README.md")
