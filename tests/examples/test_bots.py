"""Both example bots do the same, and what docs/API.md and docs/EVENTS.md say of a good bot.

    cloud.py run --own-bot --chat-proof -- pytest -o pythonpath=tests/local_cloud tests/examples     (`make bots`)
"""

import json
import pathlib

import pytest
import requests
from conftest import BOT, WEBHOOK, Person, link_of, page_of, post_event, twilio_signature

SAMPLES = pathlib.Path(__file__).resolve().parents[1] / "contract" / "samples" / "events.jsonl"
HOURS_3 = 3 * 60 * 60 * 1000
ANSWERED = "Your accounts: "
CONNECT_FIRST = "First connect your Salesforce account: http"
LATER = "Salesforce does not answer at the moment. Please ask again in a little while."


def test_an_interrupted_question_is_answered_after_the_connect(bot, person):
    person.writes(" Accounts ")
    person.logs_in(person.reads(CONNECT_FIRST))
    person.reads("✅ Your Salesforce account is now connected!")
    first = person.reads(ANSWERED)
    assert len(first.removeprefix(ANSWERED).split(", ")) > 1, first
    person.writes("accounts")
    assert person.reads(ANSWERED) == first
    assert person.counted("refreshes") == 0, "a token that is good is used"


def test_a_code_is_passed_on_as_people_write_it(bot, person):
    person.writes("accounts")
    code = person.taps(person.reads(CONNECT_FIRST))
    person.writes(f"hi, {code.replace('-', '').lower()} is what it says")
    person.reads("✅ Your Salesforce account is now connected! Connected as ")
    person.reads(ANSWERED)
    person.confirms(code)
    person.writes("status")
    person.reads("You are connected as ")
    assert sum("✅" in text for text in person.messages()) == 1, "a repetition changes nothing"


def test_the_code_of_a_forwarded_link_connects_nobody_and_warns_its_sender(bot, person):
    victim = Person()
    person.writes("connect")
    victim.confirms(person.taps(person.reads("Tap to connect your Salesforce account: http")))
    assert "http" not in victim.reads("Nothing was connected")
    assert "http" not in person.reads("No Salesforce account was connected")
    for each in (person, victim):
        each.writes("status")
        each.reads("You are not connected.")
    assert sum("http" in text for text in person.messages()) == 1, "the link's chat gets no other one by itself"


def test_codes_are_not_guessed(bot, person):
    for code in ("CDFH-2345", "CDFH-2346", "CDFH-2347"):
        person.confirms(code)
        person.reads("We do not know that code.")
    person.confirms("CDFH-2348")
    person.reads("Too many wrong codes")


def test_the_page_of_a_link_names_the_person_who_asked_for_it(bot, person):
    for message, asked in (("connect", "Tap to connect"), ("accounts", CONNECT_FIRST)):
        person.writes(message)
        assert person.name in page_of(link_of(person.reads(asked)))


def test_a_dead_token_is_replaced_once(bot, person):
    person.connects()
    person.salesforce("clock", advance_ms=HOURS_3)
    person.writes("accounts")
    person.reads(ANSWERED)
    assert person.counted("refreshes") == 1


def test_after_an_end_at_salesforce_the_question_waits_for_the_reconnect(bot, person):
    person.connects()
    person.salesforce("salesforce/revocations")
    person.writes("accounts")
    person.logs_in(person.reads(CONNECT_FIRST))
    person.reads(ANSWERED)
    assert sum("http" in text for text in person.messages()) == 3, "two links of the bot's, and that of the stack's message about the end"


def test_disconnect_ends_the_connection_and_an_older_question_is_not_answered_again(bot, person):
    person.writes("accounts")
    person.logs_in(person.reads(CONNECT_FIRST))
    person.reads(ANSWERED)
    person.writes("DISCONNECT")
    person.reads("Salesforce account")
    person.writes("status")
    person.reads("You are not connected.")
    person.connects()
    person.writes("nonsense")
    person.reads("I can answer: accounts, status, connect, disconnect.")
    assert sum(text.startswith(ANSWERED) for text in person.messages()) == 1


def test_a_salesforce_that_is_down_ends_nothing(bot, person):
    person.connects()
    person.salesforce("clock", advance_ms=HOURS_3)
    person.salesforce("faults", endpoint="salesforce.refresh", times=20, action={"status": 503})
    person.writes("accounts")
    person.reads(LATER)


def test_who_cannot_be_helped_by_a_link_gets_none(bot, person):
    person.connects()
    person.salesforce("clock", advance_ms=HOURS_3)
    person.salesforce("faults", endpoint="salesforce.refresh", times=20, action={"oauth_error": "inactive_user"})
    person.writes("accounts")
    person.reads("Salesforce no longer lets you in. Please ask your Salesforce administrator.")


def test_an_event_is_handled_once_however_often_it_comes(bot, person):
    person.connects()
    event = {**_sample("connection.renewed"), "id": f"evt_{person.chat}", "subject": person.chat}
    event["data"] = {**event["data"], "wa_id": person.chat, "reference": "accounts"}
    assert [post_event(event).ok for _ in range(3)] == [True] * 3
    person.reads(ANSWERED)
    person.writes("nonsense")
    person.reads("I can answer")
    assert sum(text.startswith(ANSWERED) for text in person.messages()) == 1


def test_every_event_of_the_contract_is_taken(bot):
    for line in SAMPLES.read_text().splitlines():
        answer = post_event(json.loads(line))
        assert answer.ok, (line, answer.status_code)


def test_who_cannot_be_reached_does_not_keep_an_event_coming(bot, person):
    person.connects()
    person.salesforce("faults", endpoint="twilio.messages", action={"status": 400, "body": {"code": 63016, "status": 400}})
    event = {**_sample("connection.renewed"), "id": f"evt_refused_{person.chat}", "subject": person.chat}
    event["data"] = {**event["data"], "wa_id": person.chat, "reference": "accounts"}
    assert post_event(event).ok
    person.salesforce("faults", endpoint="twilio.messages", action={"status": 503})
    assert post_event({**event, "id": f"evt_later_{person.chat}"}).status_code == 500, "it may be reached later"


def test_a_query_that_salesforce_fails_is_to_be_asked_again(bot, person):
    person.connects()
    person.salesforce("faults", endpoint="salesforce.query", action={"status": 500})
    person.writes("accounts\n")
    person.reads(LATER)


@pytest.mark.parametrize(
    ("event_type", "words", "said"),
    [
        ("connection.failed", {"user_message": "Please try again."}, "Please try again."),
        ("connection.unconfirmed", {"user_message": "Please send the code."}, "Please send the code."),
        ("connection.created", {"username": "ada@example.com"}, "is now connected as ada@example.com."),
        ("connection.renewed", {"username": None}, "is now connected."),
    ],
)
def test_a_stack_that_sends_no_messages_leaves_them_to_the_bot(bot, person, event_type, words, said):
    event = {**_sample(event_type), "id": f"evt_off_{person.chat}", "subject": person.chat}
    data = {**event["data"], "wa_id": person.chat, "message": "off", "reference": "connect", **words}
    event["data"] = {name: value for name, value in data.items() if value is not None}
    assert post_event(event).ok
    person.reads(said)


def test_strangers_are_refused(bot, person):
    event = {**_sample("connection.created"), "id": "evt_forged"}
    assert post_event(event, secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").status_code == 401
    assert requests.post(WEBHOOK, data="{}", timeout=30).status_code == 401
    fields = {"From": person.chat, "Body": "disconnect"}
    for signature in ("", "AAAA", twilio_signature(f"{BOT}/events", fields)):
        answer = requests.post(f"{BOT}/messages", data=fields, headers={"X-Twilio-Signature": signature}, timeout=30)
        assert answer.status_code == 403
    assert person.messages() == []
    nobody = {"Body": "accounts"}
    headers = {"X-Twilio-Signature": twilio_signature(f"{BOT}/messages", nobody)}
    assert requests.post(f"{BOT}/messages", data=nobody, headers=headers, timeout=30).status_code == 400


def test_what_is_no_request_of_theirs_is_refused(bot):
    assert requests.get(f"{BOT}/nothing", timeout=30).status_code == 404
    assert requests.get(f"{BOT}/messages", timeout=30).status_code == 405
    assert requests.post(f"{BOT}/messages", data=b"x" * 70_000, timeout=30).status_code == 413


def _sample(event_type):
    events = map(json.loads, SAMPLES.read_text().splitlines())
    return next(event for event in events if event["type"] == event_type)
