//! What a bot receives, against `docs/EVENTS.md` and the README, in both directions. Which fields an event has is compared
//! where events are made: in the notifier and in `wasf`.

use contract::{EVENTS, README, Table, set};
use serde::Serialize;
use serde_json::Value;

use super::{
    BusEvent, Notification, QueueMessage,
    event::{EventType, MessageStatus, tests::revoked},
    webhook,
};
use crate::{Next, Reason, Timestamp, WaId, attempt::EndReason};

fn chat() -> WaId {
    "whatsapp:+15551234567".parse().unwrap()
}

fn fields(value: &impl Serialize) -> std::collections::BTreeSet<String> {
    match serde_json::to_value(value).unwrap() {
        Value::Object(object) => set(object.into_iter().map(|(name, _)| name)),
        other => panic!("not an object: {other}"),
    }
}

#[test]
fn the_documents_have_every_event_type_and_no_other() {
    let types = set(EventType::ALL.map(EventType::as_str));
    assert_eq!(Table::under(EVENTS, "## Event types").column("type"), types);
    assert_eq!(Table::under(README, "### Events").column("type"), types);
}

#[test]
fn the_document_has_every_attribute_of_the_envelope_and_no_other() {
    assert_eq!(Table::under(EVENTS, "## Attributes").column("attribute"), fields(&revoked(&chat())));
}

#[test]
fn the_documents_have_every_reason_with_what_helps() {
    let next = |reason: Reason| reason.next().map_or("–", Next::as_str).to_owned();
    let reasons = Reason::ALL.map(|reason| [reason.as_str().to_owned(), next(reason)]).into();
    assert_eq!(Table::under(EVENTS, "### Reasons").rows(["reason", "next"]), reasons);
    assert_eq!(Table::under(README, "### Failures").rows(["reason", "next"]), reasons);
}

#[test]
fn the_document_has_every_reason_of_an_end_with_its_event_and_what_helps() {
    let row = |reason: EndReason| {
        let event = if reason.is_by_salesforce() { "expired" } else { "revoked" };
        [reason.as_str(), event, reason.next().as_str()].map(str::to_owned)
    };
    let reasons = EndReason::ALL.map(row).into();
    assert_eq!(Table::under(EVENTS, "### Reasons of an end").rows(["reason", "event", "next"]), reasons);
}

#[test]
fn the_document_has_everything_that_helps_and_no_more() {
    assert_eq!(Table::under(EVENTS, "### Next").column("next"), set(Next::ALL.map(Next::as_str)));
}

#[test]
fn the_document_has_every_status_of_a_message_and_no_other() {
    let statuses = set(MessageStatus::ALL.map(MessageStatus::as_str));
    assert_eq!(Table::under(EVENTS, "### Message").column("message"), statuses);
}

#[test]
fn the_document_has_every_header_of_a_webhook_and_no_other() {
    let table = Table::under(EVENTS, "## Webhook");
    // The HTTP client adds its own.
    let sent = webhook::header::ALL.into_iter().chain(["user-agent"]);
    assert_eq!(table.column("header"), set(sent));
    let content_type = table.column_where("value", "header", webhook::header::CONTENT_TYPE);
    assert_eq!(content_type, set([webhook::CONTENT_TYPE]));
}

#[test]
fn the_document_has_every_field_of_the_queues_message_and_no_other() {
    let chat = chat();
    let event = revoked(&chat);
    let now = Timestamp::from_millis(0);
    let notification = Notification { event: &event, user_message: "", signing_secret: "", now };
    assert_eq!(Table::under(EVENTS, "## Queue").column("field"), fields(&QueueMessage::from(&notification)));
}

#[test]
fn the_document_has_every_field_of_a_buss_event_that_is_ours_and_no_other() {
    let chat = chat();
    let event = revoked(&chat);
    let now = Timestamp::from_millis(0);
    let notification = Notification { event: &event, user_message: "", signing_secret: "", now };
    let ours = Table::under(EVENTS, "## Event bus").column_where("field", "by", "the stack");
    // It is given to EventBridge beside them, which writes it in its own form.
    let ours = &ours - &set(["time"]);
    assert_eq!(ours, fields(&BusEvent::from(&notification)));
}
