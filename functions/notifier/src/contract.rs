//! The fields of the notifier's events against `docs/EVENTS.md`, in both directions.

use std::collections::BTreeSet;

use contract::{EVENTS, Table, set};
use serde_json::{Value, json};
use shared::{Reason, attempt::EndReason, bot::event::MessageStatus};

use crate::{event::event, outcome::tests::ended};

/// The fields of an event's data, by the event's type: one set for each way in which an attempt or a connection can end.
fn sent(kind: &str) -> Vec<BTreeSet<String>> {
    let mut ends = Vec::new();
    for (optional, link_id) in [(json!("known"), json!("0a".repeat(16))), (Value::Null, Value::Null)] {
        for renewed in [true, false] {
            ends.push(json!({"renewed": renewed, "username": optional, "scope": optional, "link_id": link_id, "reference": optional}));
        }
        for reason in Reason::ALL.map(Reason::as_str) {
            ends.push(json!({"status": "failed", "reason": reason, "salesforce_error": optional, "link_id": link_id, "reference": optional}));
            ends.push(json!({"status": "delayed", "reason": reason, "salesforce_error": optional, "link_id": link_id, "reference": optional}));
        }
        for (reason, replaced_at) in EndReason::ALL.into_iter().flat_map(|reason| [(reason, None), (reason, Some(1))]) {
            ends.push(json!({
                "status": "ended", "reason": reason, "link_id": link_id, "reference": optional, "connected_by": link_id, "username": optional,
                "org_id": optional, "instance_url": optional, "replaced_at": replaced_at,
            }));
        }
    }
    let events = ends.into_iter().map(ended).flat_map(|ended| {
        // A link cannot always be made.
        [Some("https://connect.example.com/connect/x"), None].map(|url| {
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
    for kind in ["created", "renewed", "delayed", "failed", "revoked", "expired"] {
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
