"""The callback receiver in Python: boto3 for SQS, `cryptography` for the signature, client and connection made at the
start. It does what the receiver does for a signed state."""

import base64
import hashlib
import html
import http.cookies
import json
import os
import time
import urllib.parse

import boto3
from cryptography.hazmat.primitives.serialization import load_der_public_key

CONTEXT = b"whatsapp-salesforce-connect state v1\0"
PAGE = "<!doctype html><html lang=en><title>{title}</title><h1>{title}</h1><p>{text}</p></html>"
HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "strict-transport-security": "max-age=31536000",
}

sqs = boto3.client("sqs")
queue_url = os.environ["EXCHANGE_QUEUE_URL"]
sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
der = base64.b64decode(os.environ["STATE_PUBLIC_KEYS"])
key, key_id = load_der_public_key(der), hashlib.sha256(der).digest()[:4]


def handle(event, _context):
    now = time.time()
    query = urllib.parse.parse_qs(event["rawQueryString"], strict_parsing=True)
    (state,), (code,) = query["state"], query["code"]
    wa_id, token = state.removeprefix("wa:").rsplit("~", 1)
    token = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    claims, signature = token[:-64], token[-64:]
    if claims[0] != 2 or claims[41:45] != key_id:
        raise ValueError("state not signed here")
    key.verify(signature, CONTEXT + wa_id.encode() + b"\0" + claims)
    if now >= int.from_bytes(claims[37:41], "big"):
        raise ValueError("expired")
    attempt_id, bound = claims[1:17], claims[46 : 46 + claims[45]]
    cookies = http.cookies.SimpleCookie("; ".join(event.get("cookies", [])))
    secret = cookies[f"__Host-connect-{attempt_id.hex()}"].value.encode()
    if hashlib.sha256(secret + b"." + attempt_id).digest()[:16] != bound:
        raise ValueError("another browser")
    message = {"v": 2, "state": state, "received_at": int(now * 1000), "code": code}
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))
    print(json.dumps({"level": "INFO", "message": "callback accepted", "result": "accepted", "attempt_id": attempt_id.hex()}))
    title = html.escape("Almost done: go back to WhatsApp")
    return {"statusCode": 200, "headers": HEADERS, "body": PAGE.format(title=title, text="The chat tells you more.")}
