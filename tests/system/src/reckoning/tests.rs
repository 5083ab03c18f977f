//! A made-up soak in which every promise is kept, and each way of breaking one.

#![expect(clippy::needless_pass_by_value, reason = "the values are made in place")]

mod custody;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{chat::hex, *};
use crate::consent::CONNECTED;

const TWICE: &str = "whatsapp:+15550000001";
const DENIES: &str = "whatsapp:+15550000002";
const BYSTANDER: &str = "whatsapp:+15550000003";
const FORGED: &str = "forged";
const NOT_ALLOWED: &str = "Access was not allowed. Open this link:";
/// When the first login's callback came.
const BEGAN: u64 = 1_790_000_000_000;

/// What was done, and what can be seen of it.
struct Soak {
    people: Vec<Person>,
    bystanders: Vec<Bystander>,
    unprocessable: Vec<String>,
    evidence: Evidence,
    /// What happens to the events on the bus, which are those of the webhook.
    on_bus: fn(&mut Vec<Value>),
}

pub(super) fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

fn span(seconds: u64) -> Span {
    Span { from: BEGAN + seconds * 1_000, to: BEGAN + seconds * 1_000 + 100 }
}

fn login(attempt: &str, user: &str, brought: Brought, seconds: u64) -> Login {
    let arrivals = vec![Arrival { brought, span: span(seconds) }];
    Login { attempt: attempt.to_owned(), user: user.to_owned(), linked_at: BEGAN - 5_000, arrivals }
}

fn person(chat: &str, logins: Vec<Login>) -> Person {
    Person {
        chat: chat.to_owned(),
        name: "person".to_owned(),
        labels: vec!["label"],
        logins,
        revoked: None,
        ends: Vec::new(),
        has_foreign_row: false,
        excuses: Excuses::default(),
    }
}

fn asked(chat: &str, status: u16) -> Asked {
    Asked { chat: chat.to_owned(), status, works: status == 200 }
}

fn item(chat: &str, attempt: &str, seconds: u64, more: Value) -> Value {
    let mut item = json!({
        "wa_id": {"S": chat},
        "attempt_id": {"S": attempt},
        "created_at": {"N": (BEGAN + seconds * 1_000 + 50).to_string()},
        "updated_at": {"N": (BEGAN + seconds * 1_000 + 900).to_string()},
        "notified_at": {"N": (BEGAN + seconds * 1_000 + 990).to_string()},
        "code_sha256": {"S": URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("code {attempt}").as_bytes()))},
    });
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    item
}

fn record(chat: Option<&str>, at: u64, asked: Value, answered: Value) -> Value {
    json!({"wa_id": chat, "at_ms": at + 10, "asked": {"at_ms": at, "body": asked}, "fault": null, "succeeded": true,
        "answered": {"status": 200, "body": answered}})
}

impl Soak {
    /// Somebody connects one account and then another, and somebody denies.
    fn kept() -> Self {
        let mut soak = Self {
            people: vec![
                person(
                    TWICE,
                    vec![login("first", "ada", Brought::Consent, 0), login("second", "grace", Brought::Consent, 60)],
                ),
                person(DENIES, vec![login("third", "alan", Brought::Denial, 0)]),
            ],
            bystanders: vec![Bystander {
                chat: BYSTANDER.to_owned(),
                row: Some(json!({"wa_id": {"S": BYSTANDER}, "access_token": {"S": "theirs"}})),
            }],
            unprocessable: vec![FORGED.to_owned()],
            evidence: Evidence {
                attempts: vec![
                    item(TWICE, "first", 0, json!({"status": {"S": "connected"}})),
                    item(TWICE, "second", 60, json!({"status": {"S": "connected"}})),
                    item(DENIES, "third", 0, json!({"status": {"S": "failed"}, "reason": {"S": "denied"}})),
                ],
                rows: vec![
                    json!({"wa_id": {"S": TWICE}, "attempt_id": {"S": "second"}, "username": {"S": "grace"},
                        "refresh_token": {"S": "refresh second"},
                        "consented_at": {"N": (BEGAN + 60_050).to_string()}}),
                    json!({"wa_id": {"S": BYSTANDER}, "access_token": {"S": "theirs"}}),
                ],
                journal: json!({}),
                grants: vec![grant(TWICE, "first", "ada", false), grant(TWICE, "second", "grace", true)],
                dead_letters: vec![FORGED.to_owned()],
                untold: Vec::new(),
                upkeep: Vec::new(),
                asked: vec![asked(TWICE, 200), asked(DENIES, 404)],
                seen: Vec::new(),
                turned_at: None,
                bus: Vec::new(),
            },
            on_bus: |_| {},
        };
        for (attempt, seconds, kind) in [("first", 0, "created"), ("second", 60, "renewed")] {
            soak.exchange(Some(TWICE), attempt, &format!("code {attempt}"));
            soak.message(TWICE, CONNECTED, seconds);
            soak.event(TWICE, attempt, "connected", seconds, json!({"type": kind, "message": "sent"}));
        }
        soak.denied("third", 0);
        soak
    }

    fn push(&mut self, endpoint: &str, record: Value) {
        let of_endpoint = &mut self.evidence.journal[endpoint];
        if of_endpoint.is_null() {
            *of_endpoint = json!({"records": []});
        }
        of_endpoint["records"].as_array_mut().unwrap().push(record);
    }

    fn records(&mut self, endpoint: &str) -> &mut Vec<Value> {
        self.evidence.journal[endpoint]["records"].as_array_mut().unwrap()
    }

    fn exchange(&mut self, chat: Option<&str>, attempt: &str, code: &str) {
        let asked = json!({"code_sha256": sha256(code), "code_verifier_sha256": sha256(attempt)});
        let answered = json!({"access_token_sha256": sha256(code)});
        self.push("salesforce.token", record(chat, BEGAN, asked, answered));
    }

    fn message(&mut self, chat: &str, text: &str, seconds: u64) {
        let at = BEGAN + seconds * 1_000 + 920;
        self.push("twilio.messages", record(Some(chat), at, json!({"Body": text}), json!({})));
    }

    fn event(&mut self, chat: &str, attempt: &str, status: &str, seconds: u64, about: Value) {
        let at = BEGAN + seconds * 1_000 + 900;
        let mut data = about.clone();
        data["attempt_id"] = attempt.into();
        let kind = about["type"].as_str().unwrap_or("failed");
        let body = json!({"id": format!("evt_{attempt}_{status}_{at}"), "type": format!("connection.{kind}"),
            "subject": chat, "data": data});
        self.push("bot.events", record(Some(chat), at + 50, body, json!({})));
    }

    /// A denial of which the chat and the bot are told.
    fn denied(&mut self, attempt: &str, seconds: u64) {
        self.message(DENIES, &format!("{NOT_ALLOWED}\nhttp://x/connect/{attempt}"), seconds);
        self.event(
            DENIES,
            attempt,
            "failed",
            seconds,
            json!({"message": "sent", "next": "relink",
            "user_message": NOT_ALLOWED, "relink_url": format!("http://x/connect/{attempt}")}),
        );
    }

    fn reckon(&self) -> Reckoning {
        let events = self.evidence.journal["bot.events"]["records"].as_array().into_iter().flatten();
        let mut bus = events.map(|record| json!({"detail": record["asked"]["body"]})).collect();
        (self.on_bus)(&mut bus);
        let evidence = Evidence { bus, ..self.evidence.clone() };
        Reckoning::of(&self.people, &self.bystanders, &self.unprocessable, &evidence)
    }
}

fn grant(chat: &str, attempt: &str, user: &str, alive: bool) -> Value {
    json!({"wa_id": chat, "username": user, "code_sha256": sha256(&format!("code {attempt}")),
        "refresh_token_sha256": sha256(&format!("refresh {attempt}")), "alive": alive})
}

/// The promises that are broken once this has happened.
fn broken(happens: impl FnOnce(&mut Soak)) -> Vec<Promise> {
    let mut soak = Soak::kept();
    happens(&mut soak);
    soak.reckon().broken.into_keys().collect()
}

#[test]
fn a_soak_in_which_every_promise_is_kept_is_good() {
    let reckoning = Soak::kept().reckon();
    assert!(reckoning.is_good(), "{reckoning}");
}

#[test]
fn every_promise_has_a_line_in_the_report() {
    let report = Soak::kept().reckon().to_string();
    for promise in Promise::ALL {
        assert!(report.lines().any(|line| line.starts_with(promise.broken()) && line.ends_with(" 0")), "{promise:?}");
    }
}

#[test]
fn a_consent_without_an_attempt_is_lost() {
    assert!(broken(|soak| drop(soak.evidence.attempts.remove(0))).contains(&Promise::NoneLost));
}

#[test]
fn a_consent_without_an_end_is_lost() {
    let exchanging = |soak: &mut Soak| soak.evidence.attempts[2]["status"]["S"] = "exchanging".into();
    assert_eq!(broken(exchanging), [Promise::NoneLost]);
}

#[test]
fn an_outcome_of_which_the_chat_hears_nothing_is_lost() {
    assert_eq!(broken(|soak| drop(soak.records("twilio.messages").pop())), [Promise::NoneLost]);
}

#[test]
fn an_outcome_that_the_bus_was_not_given_is_lost() {
    assert_eq!(broken(|soak| soak.on_bus = |bus| drop(bus.pop())), [Promise::NoneLost]);
}

#[test]
fn an_event_on_the_bus_of_somebody_else_is_in_a_wrong_chat() {
    let of_bystander =
        |soak: &mut Soak| soak.on_bus = |bus| bus.push(json!({"detail": {"subject": BYSTANDER, "id": "1"}}));
    assert_eq!(broken(of_bystander), [Promise::OwnChat]);
}

#[test]
fn an_event_that_the_bus_is_given_twice_is_counted_and_breaks_nothing() {
    let mut soak = Soak::kept();
    soak.on_bus = |bus| bus.push(bus[0].clone());
    let reckoning = soak.reckon();
    assert!(reckoning.is_good(), "{reckoning}");
    assert!(
        reckoning
            .to_string()
            .lines()
            .any(|line| line.starts_with("events repeated on the bus") && line.ends_with(" 1"))
    );
}

#[test]
fn an_outcome_is_lost_unless_two_messages_may_have_been_sent() {
    let unanswered = |messages| {
        move |soak: &mut Soak| {
            let mut message = soak.records("twilio.messages").pop().unwrap();
            message["succeeded"] = false.into();
            message["fault"] = "drop_before".into();
            soak.records("twilio.messages").extend(vec![message; messages]);
            let event = &mut soak.records("bot.events")[2]["asked"]["body"];
            event["data"]["message"] = "unknown".into();
            event["id"] = format!("{}_unknown", event["id"].as_str().unwrap()).into();
        }
    };
    assert_eq!(broken(unanswered(2)), []);
    assert_eq!(broken(unanswered(1)), [Promise::NoneLost]);
}

#[test]
fn an_outcome_of_which_the_bot_hears_nothing_is_lost() {
    assert_eq!(broken(|soak| drop(soak.records("bot.events").pop())), [Promise::NoneLost]);
}

#[test]
fn a_failure_without_a_new_link_is_lost() {
    let linkless = |soak: &mut Soak| soak.records("bot.events")[2]["asked"]["body"]["data"]["relink_url"] = Value::Null;
    assert_eq!(broken(linkless), [Promise::NoneLost]);
}

#[test]
fn a_message_withheld_from_a_chat_that_was_told_little_is_lost() {
    let withheld = |soak: &mut Soak| {
        soak.records("bot.events")[2]["asked"]["body"]["data"]["message"] = "withheld".into();
        soak.records("twilio.messages").pop();
    };
    assert_eq!(broken(withheld), [Promise::NoneLost]);
}

#[test]
fn a_message_may_be_withheld_once_three_were_tried() {
    let withheld_after = |tried: u64| {
        let of_failures = |soak: &mut Soak| {
            soak.records("bot.events")[2]["asked"]["body"]["data"]["message"] = "withheld".into();
            soak.records("twilio.messages").pop();
            for at in (1..=tried).map(|number| BEGAN - 1_000 * number) {
                let data = json!({"attempt_id": "third", "message": "undeliverable"});
                let id = format!("evt_third_delayed_{at}");
                let body = json!({"id": id, "type": "connection.delayed", "subject": DENIES, "data": data});
                soak.push("bot.events", record(Some(DENIES), at + 50, body, json!({})));
            }
        };
        broken(of_failures).contains(&Promise::NoneLost)
    };
    assert!(withheld_after(2) && !withheld_after(3));
}

#[test]
fn a_consent_that_nothing_supersedes_is_lost() {
    let superseded = |soak: &mut Soak| soak.evidence.attempts[2]["reason"]["S"] = "superseded".into();
    assert_eq!(broken(superseded), [Promise::NoneLost]);
}

#[test]
fn a_failure_that_no_fault_leads_to_is_unexplained() {
    let blocked = |soak: &mut Soak| soak.evidence.attempts[2]["reason"]["S"] = "app_blocked".into();
    assert_eq!(broken(blocked), [Promise::Explained]);
}

#[test]
fn another_persons_account_is_in_a_wrong_chat() {
    let theirs = |soak: &mut Soak| soak.evidence.grants[1]["username"] = "eve".into();
    assert_eq!(broken(theirs), [Promise::OwnChat]);
}

#[test]
fn an_attempt_that_nobody_began_is_in_a_wrong_chat() {
    let attempt = |soak: &mut Soak| {
        let item = item(TWICE, "forged", 0, json!({"status": {"S": "failed"}}));
        soak.evidence.attempts.push(item);
    };
    assert_eq!(broken(attempt), [Promise::OwnChat]);
}

#[test]
fn a_bystanders_row_that_changes_is_in_a_wrong_chat() {
    let changed = |soak: &mut Soak| soak.evidence.rows[1]["access_token"]["S"] = "another's".into();
    assert_eq!(broken(changed), [Promise::OwnChat]);
}

#[test]
fn a_message_to_a_bystander_or_to_nobody_is_in_a_wrong_chat() {
    for chat in [BYSTANDER, "whatsapp:+15559999999"] {
        assert_eq!(broken(|soak| soak.message(chat, CONNECTED, 0)), [Promise::OwnChat], "{chat}");
    }
}

#[test]
fn a_row_of_an_older_consent_is_stale() {
    let older = |soak: &mut Soak| {
        let row = &mut soak.evidence.rows[0];
        row["attempt_id"]["S"] = "first".into();
        row["refresh_token"]["S"] = "refresh first".into();
        row["consented_at"]["N"] = (BEGAN + 50).to_string().into();
        soak.evidence.grants = vec![grant(TWICE, "first", "ada", true), grant(TWICE, "second", "grace", false)];
    };
    assert_eq!(broken(older), [Promise::LatestRow, Promise::ToldTheRow]);
}

#[test]
fn a_row_of_an_older_consent_is_stale_though_nobody_saw_the_order() {
    let at_once = |soak: &mut Soak| {
        for login in &mut soak.people[0].logins {
            login.arrivals[0].span = Span { from: BEGAN, to: BEGAN + 100_000 };
        }
    };
    assert_eq!(broken(at_once), []);
    let older = |soak: &mut Soak| {
        at_once(soak);
        soak.evidence.attempts[0]["created_at"]["N"] = (BEGAN + 60_051).to_string().into();
    };
    assert_eq!(broken(older), [Promise::LatestRow]);
}

#[test]
fn a_row_that_is_missing_is_stale() {
    let missing = broken(|soak| drop(soak.evidence.rows.remove(0)));
    assert!(missing.contains(&Promise::LatestRow), "{missing:?}");
}

#[test]
fn a_row_with_tokens_of_another_login_is_stale() {
    let swapped = |soak: &mut Soak| {
        soak.evidence.rows[0]["refresh_token"]["S"] = "refresh first".into();
        soak.evidence.grants = vec![grant(TWICE, "first", "ada", true)];
    };
    assert_eq!(broken(swapped), [Promise::LatestRow]);
}

#[test]
fn a_revoked_connection_that_stands_is_stale() {
    let revoked = |soak: &mut Soak| soak.people[0].revoked = Some(span(120));
    assert_eq!(broken(revoked), [Promise::LatestRow]);
}

#[test]
fn a_row_whose_token_is_revoked_is_dead() {
    assert_eq!(broken(|soak| soak.evidence.grants[1]["alive"] = false.into()), [Promise::LivingRow]);
}

#[test]
fn a_token_that_is_alive_outside_the_table_is_an_orphan() {
    assert_eq!(broken(|soak| soak.evidence.grants[0]["alive"] = true.into()), [Promise::NoOrphans]);
}

#[test]
fn a_token_whose_answer_was_lost_is_no_orphan() {
    let lost = |soak: &mut Soak| {
        soak.evidence.grants[0]["alive"] = true.into();
        soak.records("salesforce.token")[0]["answered"] = Value::Null;
    };
    assert_eq!(broken(lost), []);
}

#[test]
fn a_connection_told_after_that_of_the_row_is_noticed() {
    let later = |soak: &mut Soak| {
        let at = BEGAN + 120_900;
        soak.evidence.attempts[0]["updated_at"]["N"] = at.to_string().into();
        soak.records("bot.events")[0]["asked"]["body"]["id"] = format!("evt_first_connected_{at}").into();
    };
    assert_eq!(broken(later), [Promise::ToldTheRow]);
}

#[test]
fn a_failure_of_an_older_consent_told_after_the_connection_is_noticed() {
    let failed = |soak: &mut Soak| {
        soak.people[0].excuses.reasons.insert("code_expired");
        let at = BEGAN + 120_900;
        soak.evidence.attempts[0]["updated_at"]["N"] = at.to_string().into();
        soak.evidence.attempts[0]["status"]["S"] = "failed".into();
        soak.evidence.attempts[0]["reason"] = json!({"S": "code_expired"});
        let event = &mut soak.records("bot.events")[0]["asked"]["body"];
        event["id"] = format!("evt_first_failed_{at}").into();
        event["type"] = "connection.failed".into();
    };
    assert_eq!(broken(failed), [Promise::ToldTheRow]);
}

#[test]
fn a_message_that_is_sent_twice_is_noticed() {
    assert_eq!(broken(|soak| soak.message(TWICE, CONNECTED, 61)), [Promise::ToldOnce]);
}

#[test]
fn a_message_that_is_repeated_because_its_answer_was_lost_is_not_doubled() {
    let lost = |soak: &mut Soak| {
        soak.records("twilio.messages")[0]["fault"] = "drop_after".into();
        soak.message(TWICE, CONNECTED, 1);
    };
    assert_eq!(broken(lost), []);
}

#[test]
fn a_fourth_failure_within_a_quarter_of_an_hour_is_noticed() {
    let denials = |minutes: u64| {
        move |soak: &mut Soak| {
            for number in 1..=3 {
                let (attempt, seconds) = (format!("denial {number}"), number * minutes * 60);
                soak.people[1].logins.push(login(&attempt, "alan", Brought::Denial, seconds));
                let failed = json!({"status": {"S": "failed"}, "reason": {"S": "denied"}});
                soak.evidence.attempts.push(item(DENIES, &attempt, seconds, failed));
                soak.denied(&attempt, seconds);
            }
        }
    };
    assert_eq!(broken(denials(4)), [Promise::NotPestered]);
    assert_eq!(broken(denials(6)), []);
}

#[test]
fn a_second_outcome_of_one_login_is_noticed() {
    let second = |soak: &mut Soak| {
        soak.event(TWICE, "second", "connected", 59, json!({"type": "renewed", "message": "withheld"}));
        soak.records("bot.events").swap(1, 3);
    };
    assert_eq!(broken(second), [Promise::RightEvents]);
}

#[test]
fn events_out_of_order_are_noticed() {
    let swapped = |soak: &mut Soak| {
        let delayed = json!({"type": "delayed", "message": "withheld"});
        soak.event(TWICE, "second", "delayed", 59, delayed);
    };
    assert_eq!(broken(swapped), [Promise::RightEvents]);
}

#[test]
fn a_code_that_is_sent_again_is_noticed() {
    let again = |soak: &mut Soak| soak.exchange(Some(TWICE), "first", "code first");
    assert_eq!(broken(again), [Promise::NotResent]);
}

#[test]
fn a_fourth_code_of_one_attempt_is_noticed() {
    let codes = |soak: &mut Soak| (1..=3).for_each(|code| soak.exchange(None, "first", &format!("bogus {code}")));
    assert_eq!(broken(codes), [Promise::FewCodes]);
}

#[test]
fn a_code_that_is_sent_for_too_long_is_noticed() {
    let requests = |soak: &mut Soak| (0..21).for_each(|_| soak.exchange(None, "fourth", "bogus"));
    assert_eq!(broken(requests), [Promise::FewCodes]);
}

#[test]
fn a_login_that_is_approved_again_has_one_more_attempt() {
    let again = |brought| {
        move |soak: &mut Soak| {
            soak.people[0].logins[0].arrivals.push(Arrival { brought, span: span(1) });
            let used = json!({"status": {"S": "failed"}, "reason": {"S": "used_login"}});
            soak.evidence.attempts.push(item(TWICE, &sha256("second-approval:v1:first")[..32], 1, used));
        }
    };
    assert_eq!(broken(again(Brought::OtherCode)), []);
    assert_eq!(broken(again(Brought::Consent)), [Promise::OwnChat]);
}

#[test]
fn a_forged_message_that_is_no_dead_letter_is_noticed() {
    assert_eq!(broken(|soak| soak.evidence.dead_letters.clear()), [Promise::RightDeadLetters]);
}

#[test]
fn a_dead_letter_that_should_be_none_is_noticed() {
    let letter = |soak: &mut Soak| soak.evidence.dead_letters.push("a consent".to_owned());
    assert_eq!(broken(letter), [Promise::RightDeadLetters]);
}

#[test]
fn an_outcome_that_was_given_up_untold_is_noticed() {
    let untold = |soak: &mut Soak| soak.evidence.untold.push("a pointer".to_owned());
    assert_eq!(broken(untold), [Promise::RightDeadLetters]);
}
