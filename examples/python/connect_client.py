"""A client for the API of whatsapp-salesforce-connect, and for Salesforce with the tokens that it returns.

It owns the five signed calls of docs/API.md, the verification of webhooks (docs/EVENTS.md), and the one retry after
Salesforce's 401. It caches nothing and may be shared by threads. Access tokens and links appear in no `repr`, exception
or log line of this module.

    client = ConnectClient.from_environment()
    rows = client.query("whatsapp:+15551234567", "SELECT Name FROM Account LIMIT 5").records
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import botocore.session
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests.auth import AuthBase
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

TIMEOUT_S = 30  # to connect, and between two reads; the API itself ends a call after 25 seconds
SALESFORCE_API = "v66.0"
LONGEST_DISPLAY_NAME = 64  # characters
LONGEST_CONFIRMATION = 4_096  # bytes

# The code that the page shows after a login: eight symbols that no two of look alike, in one group or two, not within a
# longer word.
_LETTER, _SYMBOL = "CDFHJKMNPRTVWXYcdfhjkmnprtvwxy", "CDFHJKMNPRTVWXYcdfhjkmnprtvwxy2-9"
_CODE = re.compile(
    rf"(?<![^\W_])[{_LETTER}][{_SYMBOL}]{{3}}[ \u00a0]?[-\u2010\u2011\u2013\u2014]?[ \u00a0]?[{_SYMBOL}]{{4}}(?![^\W_])"
)

logging.getLogger("botocore.auth").setLevel(logging.INFO)  # at DEBUG it logs AWS's session token


class ConnectError(Exception):
    """Any failure of this client. The text is safe to log."""


class NotConnected(ConnectError):
    """The chat never was connected: send it a link of `link()`."""


class ConnectionEnded(ConnectError):
    """The connection has ended. What helps is in `next`: `relink`, a new link; `contact_admin`, the administrator."""

    def __init__(self, reason: str | None, next: str | None, relink_url: str | None):
        super().__init__(f"the connection has ended: {reason or 'reason unknown'}")
        self.reason, self.next, self.relink_url = reason, next, relink_url


class TryLater(ConnectError):
    """AWS or Salesforce does not answer at the moment; the connection stands. `retry_after` is in seconds, if known."""

    def __init__(self, retry_after: int | None = None):
        super().__init__("no answer at the moment" + (f", retry after {retry_after} s" if retry_after else ""))
        self.retry_after = retry_after


class CallFailed(ConnectError):
    """The call was refused, and would be refused again. `status` is the HTTP status, 0 for none."""

    def __init__(self, status: int, error: str):
        super().__init__(f"{status} {error}")
        self.status, self.error = status, error


class BadEvent(ConnectError):
    """Not an event that this stack has signed in the last five minutes."""


# Times are RFC 3339 in UTC. What may be absent is None.


@dataclass(frozen=True)
class Link:
    link_id: str
    expires_at: str
    url: str = field(repr=False)  # whoever has it can connect an account to the chat


@dataclass(frozen=True)
class Token:
    access_token: str = field(repr=False)
    token_type: str
    instance_url: str
    issued_at: str | None = None
    expires_at: str | None = None
    scope: str | None = None


@dataclass(frozen=True)
class Confirmation:
    """What became of a code: `status` is `confirmed`, `unknown_code`, `wrong_chat` or `too_many_guesses`.

    `user_message` is for the chat that the message came from. After `unknown_code` it may be None: then the message has
    no code, and is one as any other.
    """

    status: str
    user_message: str | None = None


@dataclass(frozen=True)
class Status:
    """`status` is `never`, `pending`, `unconfirmed`, `connected` or `ended`."""

    status: str
    reason: str | None = None
    username: str | None = field(default=None, repr=False)
    org_id: str | None = None
    instance_url: str | None = None
    scope: str | None = None
    connected_at: str | None = None
    refreshed_at: str | None = None
    reference: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Event:
    id: str
    type: str
    time: str
    subject: str = field(repr=False)  # the chat
    data: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class QueryResult:
    """`next_records_url` is set where there are more rows than Salesforce answers at once."""

    total_size: int
    records: list[dict[str, Any]] = field(repr=False)
    next_records_url: str | None = None


class ConnectClient:
    def __init__(
        self,
        *,
        links_url: str,
        token_url: str,
        status_url: str,
        disconnect_url: str,
        confirmations_url: str,
        region: str,
        credentials: Credentials,
        webhook_secret: str,
    ):
        self._links_url, self._token_url = links_url, token_url
        self._status_url, self._disconnect_url = status_url, disconnect_url
        self._confirmations_url = confirmations_url
        self._auth = _SigV4(credentials, region)
        # While the secret is rotated it holds two, separated by a space.
        self._webhooks = [Webhook(secret) for secret in webhook_secret.split()]
        if not self._webhooks:
            raise ValueError("the webhook's secret is empty")

    @classmethod
    def from_environment(cls) -> "ConnectClient":
        """Finds AWS credentials as the AWS SDKs do. A KeyError names the variable that is missing or empty."""
        env = {name: value for name, value in os.environ.items() if value}
        credentials = botocore.session.Session().get_credentials()
        if credentials is None:
            raise RuntimeError("no AWS credentials found")
        return cls(
            links_url=env["LINKS_URL"],
            token_url=env["CONNECTION_TOKEN_URL"],
            status_url=env["CONNECTION_STATUS_URL"],
            disconnect_url=env["CONNECTION_DISCONNECT_URL"],
            confirmations_url=env["CONFIRMATIONS_URL"],
            region=env["AWS_REGION"],
            credentials=credentials,
            webhook_secret=env["BOT_WEBHOOK_SECRET"],
        )

    def link(
        self,
        wa_id: str,
        reference: str | None = None,
        login_url: str | None = None,
        display_name: str | None = None,
        language: str | None = None,
    ) -> Link:
        """A connect link. `reference` (1 to 512 characters, no control characters) comes back in the events.

        `display_name` is what the person calls themself in WhatsApp: the link's page shows it, so that whoever opens it
        sees for whose chat it is. Only its first 64 characters are sent. `language` is the tag (BCP 47) of the language that
        they read, such as `es` or `pt-BR`.
        """
        name = display_name and display_name[:LONGEST_DISPLAY_NAME]
        body = {"wa_id": wa_id, "reference": reference, "login_url": login_url, "display_name": name or None}
        body["language"] = language
        return _parse(Link, self._call(self._links_url, **body))

    def token(self, wa_id: str, rejected: str | None = None, min_validity: int | None = None) -> Token:
        """A live access token. `rejected` is the access token that Salesforce has answered 401 to."""
        digest = hashlib.sha256(rejected.encode()).hexdigest() if rejected else None
        token = _parse(Token, self._call(self._token_url, wa_id=wa_id, rejected=digest, min_validity=min_validity))
        if not re.fullmatch(r"[!-~]+", token.access_token):  # http.client quotes a header that it cannot send
            raise CallFailed(200, "invalid_response")
        return token

    def status(self, wa_id: str) -> Status:
        """How the connection stands, as far as the stack knows."""
        return _parse(Status, self._call(self._status_url, wa_id=wa_id))

    def disconnect(self, wa_id: str) -> None:
        """Ends the connection. The stack tells the chat; without a connection nothing happens."""
        self._call(self._disconnect_url, wa_id=wa_id)

    def confirm(self, wa_id: str, text: str) -> Confirmation:
        """Passes a message on that `has_code`, with the sender that WhatsApp names: nothing else may choose `wa_id`.

        Where the chat and the browser are one person's, the account is connected, and the stack tells the chat.
        """
        answer, body = self._post(self._confirmations_url, wa_id=wa_id, text=text)
        match answer.status_code, body.get("status") or body.get("error"):
            case (
                (200, "confirmed" as status)
                | (404, "unknown_code" as status)
                | (409, "wrong_chat" as status)
                | (429, "too_many_guesses" as status)
            ):
                return Confirmation(status, _text(body.get("user_message")))
        raise _api_failure(answer, body)

    def query(self, wa_id: str, soql: str) -> QueryResult:
        """Runs a SOQL query as the person. Escape the values that you put into it: `\\` as `\\\\`, `'` as `\\'`."""
        token = self.token(wa_id)
        answer = _query(token, soql)
        if answer.status_code == 401:
            # Once: a second 401 is a problem of the call, and no new token helps.
            answer = _query(self.token(wa_id, rejected=token.access_token), soql)
        if not answer.ok:
            raise _salesforce_failure(answer)
        found = _json(answer)
        if not isinstance(found, dict) or not isinstance(found.get("records"), list):
            raise CallFailed(answer.status_code, "invalid_response")
        return QueryResult(found.get("totalSize", len(found["records"])), found["records"], found.get("nextRecordsUrl"))

    def verify(self, headers: Mapping[str, str], body: bytes) -> Event:
        """A webhook's event. `body` is the raw body, before anything has parsed it."""
        for webhook in self._webhooks:
            try:
                event = webhook.verify(body, dict(headers))
            except (WebhookVerificationError, ValueError, RecursionError):  # the others: a malformed header or body
                continue
            match event:
                case {"id": str(id), "type": str(kind), "time": str(time), "subject": str(subject), "data": dict(data)}:
                    return Event(id, kind, time, subject, data)
        raise BadEvent("the event is not signed with the webhook's secret, or is malformed")

    def _call(self, url: str, **body: str | int | None) -> Any:
        """Sends one signed call and returns the answer's JSON."""
        answer, parsed = self._post(url, **body)
        if answer.status_code == 204:
            return None
        if answer.status_code == 200:
            return parsed
        raise _api_failure(answer, parsed)

    def _post(self, url: str, **body: str | int | None) -> tuple[requests.Response, dict[str, Any]]:
        """Sends one signed call and returns its answer, whatever it says, and the answer's JSON object."""
        answer = _send("POST", url, self._auth, json={name: value for name, value in body.items() if value is not None})
        parsed = _json(answer)
        return answer, parsed if isinstance(parsed, dict) else {}


def has_code(text: str) -> bool:
    """Whether a message may hold the code of a login: such a message goes to `confirm` before anything else."""
    return _CODE.search(text) is not None and len(text.encode()) <= LONGEST_CONFIRMATION


class _SigV4(AuthBase):
    """Signs a request. As an `auth` of requests, so that no entry of ~/.netrc replaces the signature."""

    def __init__(self, credentials: Credentials, region: str):
        self._credentials, self._region = credentials, region

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        headers = {"content-type": request.headers["content-type"]}
        signed = AWSRequest(request.method, request.url, data=request.body, headers=headers)
        # Frozen: another thread may refresh the credentials between the reading of the key and of the session token.
        SigV4Auth(self._credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


class _Bearer(AuthBase):
    def __init__(self, token: Token):
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["authorization"] = f"Bearer {self._token.access_token}"
        return request


def _send(method: str, url: str, auth: AuthBase, **options: Any) -> requests.Response:
    """Sends one request, without a shared session: that would send one person's Salesforce cookies for the next."""
    try:
        return requests.request(method, url, auth=auth, timeout=TIMEOUT_S, allow_redirects=False, **options)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
        raise TryLater from None  # their texts have the URL
    except requests.RequestException:
        raise CallFailed(0, "request_failed") from None


def _query(token: Token, soql: str) -> requests.Response:
    url = f"{token.instance_url}/services/data/{SALESFORCE_API}/query"
    return _send("GET", url, _Bearer(token), params={"q": soql}, headers={"accept": "application/json"})


def _api_failure(answer: requests.Response, body: dict[str, Any]) -> ConnectError:
    # API Gateway's own answers have no `error`: its 404 means a wrong URL, and not that the chat is not connected.
    match answer.status_code, body.get("error"):
        case 404, "not_connected":
            return NotConnected("the chat is not connected")
        case 409, "needs_reauthorization":
            return ConnectionEnded(*(_text(body.get(name)) for name in ("reason", "next", "relink_url")))
    return _try_later(answer) or CallFailed(answer.status_code, _code(body.get("error")))


def _salesforce_failure(answer: requests.Response) -> ConnectError:
    match _json(answer):  # [{"errorCode": "MALFORMED_QUERY", "message": "…"}]
        case [{"errorCode": error}, *_]:
            return _try_later(answer) or CallFailed(answer.status_code, _code(error))
    return _try_later(answer) or CallFailed(answer.status_code, "unknown")


def _try_later(answer: requests.Response) -> TryLater | None:
    if answer.status_code != 429 and answer.status_code < 500:
        return None
    seconds = answer.headers.get("retry-after", "")
    return TryLater(int(seconds) if re.fullmatch(r"[0-9]{1,6}", seconds) else None)


def _json(answer: requests.Response) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError:  # its text and attributes have the body
        return None


T = TypeVar("T", Link, Token, Status)


def _parse(cls: type[T], body: Any) -> T:
    """Reads the fields that this client knows; the API may add others."""
    known = body if isinstance(body, dict) else {}
    values = {f.name: known[f.name] for f in fields(cls) if known.get(f.name) is not None}
    try:
        if all(isinstance(value, str) for value in values.values()):
            return cls(**values)
    except TypeError:  # a required field is missing
        pass
    raise CallFailed(200, "invalid_response")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _code(value: Any) -> str:
    """An error code that is safe to log."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", value) else "unknown"
