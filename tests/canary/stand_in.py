"""The outside parties of a canary, in one Lambda function behind a URL: Salesforce's OAuth endpoints, Twilio's messages, and
the bot's webhook, as far as one connect needs them.

It is deployed as inline code (`stand_in.json`), so it is one file and has no packages but Lambda's own. It answers nobody who
does not know this run's secrets, which are random and end with it. What it has seen is in its table, by `pk`: `message#…`,
`event#…`, `code#…` and `token#…` by their hashes. No code, token or secret is stored or logged.

`base` and `callback` are items that the canary writes: the stand-in's own address, and the stack's callback URL once there
is one.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
import urllib.parse

import boto3

ORG, USER = "00D000000000001AAA", "005000000000001AAA"
CODE_SECONDS = 900
_table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, _context):
    request = event["requestContext"]["http"]
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body).decode()
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    path, query = event.get("rawPath", "/"), dict(urllib.parse.parse_qsl(event.get("rawQueryString", "")))
    form = dict(urllib.parse.parse_qsl(body))
    account = f"/2010-04-01/Accounts/{os.environ['TWILIO_ACCOUNT']}/Messages"
    route = (request["method"], path)
    if route == ("GET", "/services/oauth2/authorize"):
        return authorize(query)
    if route == ("POST", "/services/oauth2/authorize"):
        return decide(query, form)
    if route == ("POST", "/services/oauth2/token"):
        return token(headers, form)
    if route == ("GET", "/services/oauth2/userinfo"):
        return userinfo(headers)
    if route == ("POST", "/services/oauth2/revoke"):
        return revoke(form)
    if route == ("POST", "/services/oauth2/introspect"):
        return introspect(headers, form)
    if path == "/bot" and request["method"] == "POST":
        return hear(headers, body)
    if path.startswith(account):
        return message(headers, request["method"], path.removeprefix(account), form)
    return answer(404, {"error": "not_found"})


# Salesforce


def authorize(query):
    """The login page, or the page with the error that Salesforce shows in its place."""
    if not _same(query.get("client_id"), os.environ["CLIENT_ID"]):
        return page(400, "error=invalid_client_id")
    callback = _item("callback").get("value")
    if callback and query.get("redirect_uri") != callback:
        return page(400, "error=redirect_uri_mismatch")
    if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
        return page(400, "error=invalid_request")
    return page(200, '<a href="/setup/secur/RemoteAccessAuthorizationPage.apexp">Log in</a>')


def decide(query, form):
    """A person logs in and allows access: the way back to the callback, with a code."""
    refused = authorize(query)
    if refused["statusCode"] != 200 or not _same(form.get("password"), os.environ["PASSWORD"]):
        return page(403, "error=access_denied")
    code = f"aPrx{secrets.token_hex(34)}=="
    kept = {name: query[name] for name in ("redirect_uri", "code_challenge")}
    _put(_key("code", code), username=form["username"], until=int(time.time()) + CODE_SECONDS, **kept)
    back = urllib.parse.urlencode({"code": code, "state": query.get("state", "")})
    return {"statusCode": 302, "headers": {"location": f"{query['redirect_uri']}?{back}", "cache-control": "no-store"}}


def token(headers, form):
    """Tokens for a code, which is good once, or for a refresh token."""
    if not _is_app(headers, form):
        return answer(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
    if form.get("grant_type") == "refresh_token":
        found = _item(_key("token", form.get("refresh_token", "")))
        if not found.get("alive"):
            return answer(400, {"error": "invalid_grant", "error_description": "expired access/refresh token"})
        return answer(200, _tokens(found["username"], found["grant"]))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
    found = _table.delete_item(Key={"pk": _key("code", form.get("code", ""))}, ReturnValues="ALL_OLD").get("Attributes")
    if not found or found["until"] < time.time():
        return answer(400, {"error": "invalid_grant", "error_description": "expired authorization code"})
    if found["redirect_uri"] != form.get("redirect_uri") or not _same(found["code_challenge"], challenge):
        return answer(400, {"error": "invalid_grant", "error_description": "invalid code verifier"})
    grant = secrets.token_hex(8)
    refresh = f"5Aep861{secrets.token_urlsafe(60)}"
    _put(_key("token", refresh), username=found["username"], grant=grant, alive=True)
    return answer(200, {**_tokens(found["username"], grant), "refresh_token": refresh})


def _tokens(username, grant):
    """A new access token, signed as Salesforce signs its answers."""
    access, issued_at, base = f"00D!{secrets.token_urlsafe(60)}", str(int(time.time() * 1000)), _item("base")["value"]
    _put(_key("token", access), username=username, grant=grant, alive=True)
    identity = f"{base}/id/{ORG}/{USER}"
    signature = hmac.digest(os.environ["CLIENT_SECRET"].encode(), (identity + issued_at).encode(), "sha256")
    return {
        "access_token": access,
        "id": identity,
        "instance_url": base,
        "issued_at": issued_at,
        "scope": "refresh_token api",
        "signature": base64.b64encode(signature).decode(),
        "token_type": "Bearer",
    }


def userinfo(headers):
    found = _item(_key("token", headers.get("authorization", "").removeprefix("Bearer ")))
    if not found.get("alive"):
        return answer(403, "Bad_OAuth_Token")
    return answer(200, {"user_id": USER, "organization_id": ORG, "preferred_username": found["username"], "active": True})


def revoke(form):
    """Ends the grant that a token is of."""
    found = _item(_key("token", form.get("token", "")))
    if not found.get("alive"):
        return answer(400, "error=invalid_token", "application/x-www-form-urlencoded")
    for each in _all("token#"):
        if each["grant"] == found["grant"]:
            _put(each["pk"], username=each["username"], grant=each["grant"], alive=False)
    return answer(200, "")


def introspect(headers, form):
    if not _is_app(headers, form):
        return answer(401, {"error": "invalid_client"})
    return answer(200, {"active": bool(_item(_key("token", form.get("token", ""))).get("alive"))})


def _is_app(headers, form):
    identity, secret = _basic(headers) or (form.get("client_id"), form.get("client_secret"))
    return _same(identity, os.environ["CLIENT_ID"]) and _same(secret, os.environ["CLIENT_SECRET"])


# Twilio


def message(headers, method, rest, form):
    account, auth = _basic(headers) or ("", "")
    if not (_same(account, os.environ["TWILIO_ACCOUNT"]) and _same(auth, os.environ["TWILIO_TOKEN"])):
        return answer(401, {"code": 20003, "message": "Authenticate", "status": 401})
    if method == "POST" and rest == ".json":
        sid = f"SM{secrets.token_hex(16)}"
        _put(f"message#{sid}", to=form["To"], at=int(time.time() * 1000))
        return answer(201, {"sid": sid, "status": "queued", "error_code": None})
    if method == "GET" and rest == ".json":
        return answer(200, {"messages": []})
    sid = rest.removeprefix("/").removesuffix(".json")
    if method == "GET" and _item(f"message#{sid}"):
        return answer(200, {"sid": sid, "status": "delivered", "error_code": None})
    return answer(404, {"code": 20404, "message": "not found", "status": 404})


# The bot


def hear(headers, body):
    """An event, whose signature (Standard Webhooks) is this run's."""
    signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.{body}"
    key = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
    signature = "v1," + base64.b64encode(hmac.digest(key, signed.encode(), "sha256")).decode()
    if not any(_same(each, signature) for each in headers.get("webhook-signature", "").split()):
        return answer(401, {"error": "invalid_signature"})
    event = json.loads(body)
    _put(f"event#{event['id']}", type=event["type"], chat=event["data"]["wa_id"], at=int(time.time() * 1000))
    return answer(204, "")


# The rest


def page(status, text):
    return answer(status, f"<!doctype html><title>Stand-in</title><p>{text}", "text/html; charset=utf-8")


def answer(status, body, kind="application/json"):
    text = body if isinstance(body, str) else json.dumps(body)
    return {"statusCode": status, "headers": {"content-type": kind, "cache-control": "no-store"}, "body": text}


def _basic(headers):
    kind, _, encoded = headers.get("authorization", "").partition(" ")
    if kind != "Basic":
        return None
    name, _, secret = base64.b64decode(encoded).decode().partition(":")
    return urllib.parse.unquote(name), urllib.parse.unquote(secret)


def _same(given, known):
    return hmac.compare_digest((given or "").encode(), known.encode())


def _key(kind, secret):
    return f"{kind}#{hashlib.sha256(secret.encode()).hexdigest()}"


def _item(key):
    return _table.get_item(Key={"pk": key}, ConsistentRead=True).get("Item", {})


def _put(key, **values):
    _table.put_item(Item={"pk": key, **values})


def _all(prefix):
    return [each for each in _table.scan(ConsistentRead=True)["Items"] if each["pk"].startswith(prefix)]
