//! The notifier's events against `docs/EVENTS.md`, in both directions, and as samples for the schemas of `docs/contract`.

use std::collections::BTreeSet;

use contract::{EVENTS, Table, assert_samples, set};
use serde_json::{Value, json};
use shared::{
    Language, Reason, Timestamp,
    attempt::EndReason,
    bot::{BusEvent, Notification, QueueMessage, event::MessageStatus},
    proof::ProofPolicy,
};

use crate::{
    event::event,
    messages,
    outcome::{Ended, tests::ended},
};

const RELINK_URL: &str = "https://connect.example.com/connect/x";

/// The fields of an event's data, by the event's type: one set for each way in which an attempt or a connection can end.
fn sent(kind: &str) -> Vec<BTreeSet<String>> {
    let mut ends = Vec::new();
    for (optional, link_id, known_language) in
        [(json!("known"), json!("0a".repeat(16)), json!("pt-BR")), (Value::Null, Value::Null, Value::Null)]
    {
        for renewed in [true, false] {
            ends.push(json!({"renewed": renewed, "username": optional, "scope": optional, "link_id": link_id, "reference": optional, "language": known_language}));
        }
        for reason in Reason::ALL.map(Reason::as_str) {
            ends.push(json!({"status": "failed", "reason": reason, "salesforce_error": optional, "link_id": link_id, "reference": optional, "language": known_language}));
            ends.push(json!({"status": "delayed", "reason": reason, "salesforce_error": optional, "link_id": link_id, "reference": optional, "language": known_language}));
        }
        for (reason, replaced_at) in EndReason::ALL.into_iter().flat_map(|reason| [(reason, None), (reason, Some(1))]) {
            ends.push(json!({
                "status": "ended", "reason": reason, "link_id": link_id, "reference": optional, "language": known_language, "connected_by": link_id, "username": optional,
                "org_id": optional, "instance_url": optional, "replaced_at": replaced_at,
            }));
        }
    }
    let events = ends.into_iter().map(ended).flat_map(|ended| {
        // A link cannot always be made.
        [Some(RELINK_URL), None].map(|url| {
            let relink_url = url.filter(|_| ended.outcome.wants_link());
            serde_json::to_value(event(&ended, MessageStatus::Sent, "What to do.", relink_url)).unwrap()
        })
    });
    let of_kind = events.filter(|event| event["type"] == format!("connection.{kind}"));
    of_kind.map(|event| set(event["data"].as_object().unwrap().keys())).collect()
}

#[test]
fn the_document_has_every_field_of_an_outcomes_event_and_says_whether_it_is_always_there() {
    let table = Table::under(EVENTS, "## Data");
    for kind in ["created", "renewed", "delayed", "failed", "unconfirmed", "revoked", "expired"] {
        let sent = sent(kind);
        let always = table.column_where("field", kind, "always");
        let optional = table.column_where("field", kind, "optional");
        let never = table.column_where("field", kind, "–");
        let in_all = sent.iter().cloned().reduce(|all, fields| &all & &fields).unwrap();
        let in_any = sent.iter().cloned().reduce(|any, fields| &any | &fields).unwrap();
        assert_eq!(always, in_all, "connection.{kind}: always");
        assert_eq!(optional, &in_any - &in_all, "connection.{kind}: optional");
        assert!(never.is_disjoint(&in_any), "connection.{kind}: never");
        assert_eq!(always.len() + optional.len() + never.len(), table.column("field").len(), "connection.{kind}");
    }
}

/// Every way in which an attempt or a connection can end, with all that can be known of it and with the least.
fn ends() -> Vec<Ended> {
    let full = json!({"link_id": "0a".repeat(16), "reference": "crm/contacts/4711", "language": "pt-BR"});
    let least = json!({"username": null, "scope": null});
    let mut ends = Vec::new();
    for known in [&full, &least] {
        let mut add = |changes: Value| {
            let mut item = known.clone();
            item.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            ends.push(ended(item));
        };
        let is_full = known == &full;
        add(json!({"renewed": false}));
        add(json!({"renewed": true}));
        for reason in [Reason::Misconfigured, Reason::SalesforceUnavailable] {
            add(json!({"status": "delayed", "reason": reason.as_str()}));
        }
        for reason in Reason::ALL {
            let salesforce_error = is_full.then_some("access_denied");
            add(json!({"status": "failed", "reason": reason.as_str(), "salesforce_error": salesforce_error}));
        }
        for reason in EndReason::ALL {
            if is_full {
                let connected_by = "0b".repeat(16);
                add(json!({"status": "ended", "reason": reason, "connected_by": connected_by}));
                add(json!({"status": "ended", "reason": reason, "connected_by": connected_by, "replaced_at": 1}));
            } else {
                add(json!({"status": "ended", "reason": reason, "org_id": null, "instance_url": null}));
            }
        }
    }
    ends
}

/// The event, the queue's message and the bus's event of an end, as they are sent.
fn sample(ended: &Ended, message: MessageStatus, has_link: bool) -> [String; 3] {
    let relink_url = (has_link && ended.outcome.wants_link()).then_some(RELINK_URL);
    let text =
        messages::text(&ended.outcome, ProofPolicy::Required, ended.language.unwrap_or(Language::English), relink_url);
    let event = event(ended, message, &text, relink_url);
    let notification =
        Notification { event: &event, user_message: &text, signing_secret: "", now: Timestamp::from_millis(0) };
    [
        serde_json::to_string(&event).unwrap(),
        serde_json::to_string(&QueueMessage::from(&notification)).unwrap(),
        serde_json::to_string(&BusEvent::from(&notification)).unwrap(),
    ]
}

#[test]
fn the_samples_have_every_event() {
    let ends = ends();
    let samples = ends.iter().enumerate().map(|(index, ended)| {
        let message = if ended.outcome.is_silent() {
            MessageStatus::Withheld
        } else {
            MessageStatus::ALL[index % MessageStatus::ALL.len()]
        };
        let [event, ..] = sample(ended, message, ended.link_id.is_some());
        event
    });
    assert_samples("events", &samples.collect::<Vec<_>>());
}

#[test]
fn the_samples_have_a_message_of_the_queue_and_an_event_of_the_bus_for_each_type_of_event() {
    let mut types = BTreeSet::new();
    let samples = ends().into_iter().filter_map(|ended| {
        let [event, in_queue, on_bus] = sample(&ended, MessageStatus::Sent, true);
        let event: Value = serde_json::from_str(&event).unwrap();
        types.insert(event["type"].to_string()).then_some((in_queue, on_bus))
    });
    let (in_queue, on_bus): (Vec<_>, Vec<_>) = samples.unzip();
    assert_samples("queue", &in_queue);
    assert_samples("bus", &on_bus);
}
